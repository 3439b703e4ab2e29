package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"hoop/broker"
	"hoop/broker/approval"
	"hoop/broker/identity"
	"hoop/policy"
	"hoop/policy/sql"
	"hoop/recorder"
	"hoop/recorder/recording"
	"hoop/tunnel"
)

// History reads past sessions back from the audit log.
type History interface {
	Sessions(f recorder.Filter) ([]recorder.SessionInfo, error)
	Session(id string) (*recorder.SessionInfo, []recorder.Statement, error)
}

// Analyzer understands statements, for explanations.
type Analyzer interface {
	Statements(ctx context.Context, text string) []sql.Statement
}

// Handler serves the API. Every field but Logger is needed.
type Handler struct {
	Broker   *broker.Broker
	Logins   *identity.Logins
	Verifier func() *identity.Verifier
	LoginTTL func() time.Duration
	History  History
	Analyzer Analyzer
	Tunnels  *tunnel.Server
	Recorder broker.Recorder
	// Recordings holds what terminals showed.
	Recordings *recording.Store
	// Approvals is where approvals are answered.
	Approvals *approval.Desk
	Info      func() Info
	// User names the role that a connection uses at its target.
	User   func(credential string) string
	Health func() error
	Logger *slog.Logger
	// Base ends when the broker stops; tunnels live under it, not under their
	// HTTP request.
	Base context.Context //nolint:containedctx // the lifetime of hijacked connections

	running sync.WaitGroup
}

// Routes is the table of everything that is served.
func (h *Handler) Routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", h.health)
	mux.HandleFunc("GET /readyz", h.ready)
	mux.HandleFunc("GET /v1/info", h.info)
	mux.HandleFunc("POST /v1/login", h.login)
	mux.HandleFunc("POST /v1/logout", h.as(h.logout))
	mux.HandleFunc("GET /v1/whoami", h.as(h.whoami))
	mux.HandleFunc("GET /v1/connections", h.as(h.connections))
	mux.HandleFunc("GET /v1/connections/{name}", h.as(h.connection))
	mux.HandleFunc("GET /v1/connections/{name}/tunnel", h.as(h.tunnel))
	mux.HandleFunc("GET /v1/streams/{id}", h.as(h.resume))
	mux.HandleFunc("GET /v1/sessions", h.as(h.sessions))
	mux.HandleFunc("GET /v1/sessions/{id}", h.as(h.session))
	mux.HandleFunc("POST /v1/sessions/{id}/end", h.as(h.endSession))
	mux.HandleFunc("GET /v1/sessions/{id}/recordings", h.as(h.recordings))
	mux.HandleFunc("GET /v1/sessions/{id}/recordings/{action}", h.as(h.recording))
	mux.HandleFunc("POST /v1/explain", h.as(h.explain))
	mux.HandleFunc("POST /v1/discover", h.as(h.discover))
	mux.HandleFunc("GET /v1/approvals", h.as(h.approvals))
	mux.HandleFunc("GET /v1/approvals/watch", h.as(h.watchApprovals))
	mux.HandleFunc("GET /v1/approvals/{id}", h.as(h.approval))
	mux.HandleFunc("POST /v1/approvals/{id}/answer", h.as(h.answerApproval))
	mux.HandleFunc("DELETE /v1/approvals/{id}", h.as(h.withdrawApproval))
	mux.HandleFunc("POST /v1/requests", h.as(h.requestAccess))
	mux.HandleFunc("GET /v1/grants", h.as(h.grants))
	mux.HandleFunc("DELETE /v1/grants/{id}", h.as(h.revokeGrant))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		h.fail(w, &Error{Status: http.StatusNotFound, Code: CodeNotFound, Message: "there is no such path in this API"})
	})
	return mux
}

// maxRequest bounds the body of a request, in bytes.
const maxRequest = 2 << 20

// as runs a handler as the caller whose login and proof the request carries.
func (h *Handler) as(next func(http.ResponseWriter, *http.Request, *identity.Caller)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		l, err := h.Logins.Authenticate(r)
		if err != nil {
			h.refuse(w, err)
			return
		}
		next(w, r, l)
	}
}

func (h *Handler) health(w http.ResponseWriter, _ *http.Request) {
	h.answer(w, map[string]bool{"ok": true})
}

func (h *Handler) ready(w http.ResponseWriter, _ *http.Request) {
	if err := h.Health(); err != nil {
		h.fail(w, &Error{Status: http.StatusServiceUnavailable, Code: CodeUnavailable, Message: err.Error()})
		return
	}
	h.answer(w, map[string]bool{"ok": true})
}

func (h *Handler) info(w http.ResponseWriter, _ *http.Request) { h.answer(w, h.Info()) }

func (h *Handler) whoami(w http.ResponseWriter, _ *http.Request, l *identity.Caller) {
	h.answer(w, Whoami{Principal: l.Principal, Chain: l.Chain(), Expires: l.Expires, Binding: l.Binding})
}

func (h *Handler) connections(w http.ResponseWriter, r *http.Request, l *identity.Caller) {
	out := []Connection{}
	for _, c := range h.Broker.List(h.caller(r, l)) {
		out = append(out, h.describe(c, l))
	}
	h.answer(w, out)
}

func (h *Handler) describe(found broker.Listed, l *identity.Caller) Connection {
	c, effect := found.Connection, found.Verdict.Effect
	if effect == policy.RequireApproval && h.Approvals.Opens(found.Verdict.Rule, c.Name, &l.Principal, l.Chain()) {
		effect = policy.Allow
	}
	return Connection{
		Name: c.Name, Protocol: c.Protocol, Labels: c.Labels, Database: c.Target.Database,
		User: h.User(c.Credential), Effect: effect.String(), Rule: found.Verdict.Rule,
	}
}

func (h *Handler) connection(w http.ResponseWriter, r *http.Request, l *identity.Caller) {
	name := r.PathValue("name")
	for _, c := range h.Broker.List(h.caller(r, l)) {
		if c.Connection.Name == name {
			h.answer(w, h.describe(c, l))
			return
		}
	}
	h.fail(w, h.cannotOpen(l, name))
}

// cannotOpen tells a connection that is not there from one that is denied.
func (h *Handler) cannotOpen(l *identity.Caller, name string) *Error {
	c, err := h.Broker.Lookup(name)
	if err != nil {
		return &Error{Status: http.StatusNotFound, Code: CodeNotFound, Message: err.Error(), Hint: "hoop list shows what you may open"}
	}
	v := h.Broker.Policy().Evaluate(&policy.Input{Principal: &l.Principal, Chain: l.Chain(), Connection: &c.Connection,
		Action: &policy.Action{Verb: "session.open", Text: c.Target.Database}, Now: time.Now()})
	msg := "opening " + name + " is denied by policy"
	if v.Reason != "" {
		msg += ": " + v.Reason
	}
	return &Error{Status: http.StatusForbidden, Code: CodeDenied, Message: msg, Hint: v.Hint, Rule: v.Rule}
}

// caller makes of a login what the broker admits.
func (h *Handler) caller(r *http.Request, l *identity.Caller) *broker.Caller {
	return &broker.Caller{Principal: &l.Principal, Chain: l.Chain(), Client: h.Logins.ClientAddress(r), Binding: l.Binding, Ended: l.Ended()}
}

// read decodes a request body, refusing unknown fields.
func (h *Handler) read(w http.ResponseWriter, r *http.Request, into any) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		h.fail(w, &Error{Status: http.StatusBadRequest, Code: CodeUsage, Message: "the request's body is not as expected: " + err.Error()})
		return false
	}
	return true
}

func (h *Handler) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		h.Logger.Debug("answer not written", "error", err)
	}
}

func (h *Handler) fail(w http.ResponseWriter, e *Error) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(e.Status)
	_ = json.NewEncoder(w).Encode(ErrorBody{Error: e})
}

func limitOf(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || n <= 0 || n > 1000 {
		return 100
	}
	return n
}
