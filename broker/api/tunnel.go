package api

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"unicode/utf8"

	"hoop/broker/identity"
	"hoop/tunnel"
)

// Purpose is what a session is for, in its user's own words.
type Purpose struct{ Reason, Ticket string }

// maxPurpose bounds each, in bytes.
const maxPurpose = 500

func (p Purpose) query() url.Values {
	q := url.Values{}
	if p.Reason != "" {
		q.Set("reason", p.Reason)
	}
	if p.Ticket != "" {
		q.Set("ticket", p.Ticket)
	}
	return q
}

// Check refuses what is no short text.
func (p Purpose) Check() error {
	for _, s := range []string{p.Reason, p.Ticket} {
		if len(s) > maxPurpose || !utf8.ValidString(s) {
			return fmt.Errorf("a reason and a ticket are texts of at most %d bytes", maxPurpose)
		}
	}
	return nil
}

// tunnel turns the request into a byte stream and runs a session on it. What
// policy refuses is told inside the tunnel, in the connection's own protocol.
func (h *Handler) tunnel(w http.ResponseWriter, r *http.Request, l *identity.Caller) {
	c, err := h.Broker.Lookup(r.PathValue("name"))
	if err != nil {
		h.fail(w, h.cannotOpen(l, r.PathValue("name")))
		return
	}
	if want := r.URL.Query().Get("protocol"); want != "" && want != c.Protocol {
		h.fail(w, &Error{Status: http.StatusBadRequest, Code: CodeWrongProtocol, Message: fmt.Sprintf("%s speaks %s, not %s", c.Name, c.Protocol, want),
			Hint: "hoop connect " + c.Name + " starts the right client"})
		return
	}
	caller := h.caller(r, l)
	why := Purpose{r.URL.Query().Get("reason"), r.URL.Query().Get("ticket")}
	if err := why.Check(); err != nil {
		h.fail(w, &Error{Status: http.StatusBadRequest, Code: CodeUsage, Message: err.Error()})
		return
	}
	caller.Reason, caller.Ticket = why.Reason, why.Ticket
	stream, err := h.Tunnels.Accept(w, r, owner(l))
	if err != nil {
		h.notUpgraded(w, c.Name, err)
		return
	}
	h.running.Add(1)
	go func() { // not this goroutine: the HTTP server's buffers hang on it
		defer h.running.Done()
		if err := h.Broker.Serve(h.Base, stream, caller, c); err != nil && !errors.Is(err, net.ErrClosed) {
			h.Logger.Info("session ended", "connection", c.Name, "principal", caller.Principal.Name, "error", err)
		}
	}()
}

// Wait returns when every session has ended.
func (h *Handler) Wait() { h.running.Wait() }

// resume joins a new transport to a stream that lost its old one.
func (h *Handler) resume(w http.ResponseWriter, r *http.Request, l *identity.Caller) {
	if err := h.Tunnels.Resume(w, r, r.PathValue("id"), owner(l)); err != nil {
		h.notUpgraded(w, "stream", err)
	}
}

// notUpgraded answers where the tunnel has not.
func (h *Handler) notUpgraded(w http.ResponseWriter, what string, err error) {
	h.Logger.Info("tunnel not opened", "connection", what, "error", err)
	var he *tunnel.HTTPError
	if errors.As(err, &he) {
		h.fail(w, &Error{Status: he.Status, Code: CodeUnavailable, Message: he.Reason})
	}
}

// owner is who may resume a stream: the same principal with the same key, also
// under a renewed login.
func owner(l *identity.Caller) string {
	return l.Principal.ID + " " + hex.EncodeToString(l.Key)
}
