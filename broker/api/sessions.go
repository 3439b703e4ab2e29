package api

import (
	"net/http"
	"slices"
	"time"

	"hoop/broker"
	"hoop/broker/identity"
	"hoop/policy"
	"hoop/recorder"
)

// sessions lists the caller's own sessions, or everybody's for one whom policy
// allows the verb "audit.read".
func (h *Handler) sessions(w http.ResponseWriter, r *http.Request, l *identity.Caller) {
	q := r.URL.Query()
	f := recorder.Filter{Principal: q.Get("principal"), Connection: q.Get("connection"), Limit: limitOf(r), Live: q.Get("live") == "true"}
	if !h.may(l, "audit.read") {
		f.Principal = l.Principal.ID
	}
	found, err := h.History.Sessions(f)
	if err != nil {
		h.refuse(w, err)
		return
	}
	live := h.live()
	out := make([]Session, 0, len(found))
	for i := range found {
		out = append(out, describeSession(&found[i], live))
	}
	h.answer(w, out)
}

func (h *Handler) live() map[string]bool {
	ids := map[string]bool{}
	for _, s := range h.Broker.Live() {
		ids[s.ID] = true
	}
	return ids
}

// may asks the policy for a right over what is not one's own. The connection
// is hoop itself, so that only rules that speak of every connection, or name
// this protocol, give it.
func (h *Handler) may(l *identity.Caller, verb string) bool {
	v := h.Broker.Policy().Evaluate(&policy.Input{
		Principal: &l.Principal, Chain: l.Chain(), Connection: &policy.Connection{Name: "hoop", Protocol: "hoop"},
		Action: &policy.Action{Verb: verb}, Now: time.Now(),
	})
	return v.Effect == policy.Allow
}

func (h *Handler) session(w http.ResponseWriter, r *http.Request, l *identity.Caller) {
	s, statements, ok := h.readable(w, r, l)
	if !ok {
		return
	}
	out := SessionDetail{Session: describeSession(s, h.live()), ActionList: make([]Action, 0, len(statements))}
	for i := range statements {
		out.ActionList = append(out.ActionList, describeAction(&statements[i]))
	}
	h.answer(w, out)
}

// readable gives the session that the path names where the caller may read it:
// one's own, or anybody's for one whom policy allows the verb "audit.read".
// Where not, the answer is written.
func (h *Handler) readable(w http.ResponseWriter, r *http.Request, l *identity.Caller) (*recorder.SessionInfo, []recorder.Statement, bool) {
	s, statements, err := h.History.Session(r.PathValue("id"))
	if err != nil || (s.Principal == nil || s.Principal.ID != l.Principal.ID) && !h.may(l, "audit.read") {
		h.fail(w, &Error{Status: http.StatusNotFound, Code: CodeNotFound, Message: "there is no session " + r.PathValue("id"),
			Hint: "hoop sessions list shows those you may read"})
		return nil, nil, false
	}
	return s, statements, true
}

// endSession ends a live session: one's own, or anybody's for one whom policy
// allows the verb "session.end".
func (h *Handler) endSession(w http.ResponseWriter, r *http.Request, l *identity.Caller) {
	var in EndRequest
	if !h.read(w, r, &in) {
		return
	}
	id := r.PathValue("id")
	live := h.Broker.Live()
	i := slices.IndexFunc(live, func(s broker.LiveSession) bool { return s.ID == id })
	if i < 0 || live[i].PrincipalID != l.Principal.ID && !h.may(l, "session.end") {
		h.fail(w, &Error{Status: http.StatusNotFound, Code: CodeNotFound, Message: "there is no live session " + id + " that you may end"})
		return
	}
	h.Broker.End(id, l.Principal.Name+" ended it: "+in.Reason)
	h.answer(w, struct{}{})
}

func describeSession(s *recorder.SessionInfo, live map[string]bool) Session {
	out := Session{
		ID: s.ID, Principal: nameOf(s), Chain: s.Chain, Connection: s.Connection, Protocol: s.Protocol, Client: s.Client,
		Started: s.Opened, State: s.State, Statements: s.Statements, Denied: s.Denied, Failed: s.Failed,
		Rows: s.Rows, Bytes: s.Bytes, Reason: s.Reason,
	}
	if s.State == recorder.StateLive && !live[s.ID] {
		out.State = recorder.StateLost // the broker was killed and did not see its end
	}
	if !s.Closed.IsZero() {
		out.Ended = &s.Closed
	}
	return out
}

func nameOf(s *recorder.SessionInfo) string {
	if s.Principal == nil {
		return ""
	}
	return s.Principal.Name
}

func describeAction(s *recorder.Statement) Action {
	out := Action{
		Event: s.Index, Number: s.Number, Time: s.Time, Verb: s.Verb, Text: s.Text, Params: s.Params,
		Outcome: s.Outcome, Code: s.Code, Rows: s.Rows, Bytes: s.Bytes, Duration: s.DurationUS, Masked: s.Masked, Reason: s.Reason, Approval: s.Approval, Derived: s.Derived,
	}
	if s.Verdict != nil {
		out.Effect, out.Rule = s.Verdict.Effect.String(), s.Verdict.Rule
	}
	return out
}
