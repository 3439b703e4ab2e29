package api

import (
	"errors"
	"net/http"

	"hoop/broker/identity"
	"hoop/recorder"
)

// login exchanges a token for a login. Both answers are recorded first.
func (h *Handler) login(w http.ResponseWriter, r *http.Request) {
	var in LoginRequest
	if !h.read(w, r, &in) {
		return
	}
	out, err := h.Logins.Exchange(r, h.Verifier(), identity.Exchange{
		IDToken: in.IDToken, PublicKey: in.PublicKey, Proof: in.Proof, Nonce: in.Nonce, Client: in.Client, TTL: h.LoginTTL(),
	})
	ev := &recorder.Event{Type: recorder.LoginSucceeded, Client: h.Logins.ClientAddress(r)}
	if err != nil {
		var refusal *identity.Refusal
		if errors.As(err, &refusal) && refusal.Code == identity.CodeNonceRequired {
			h.refuse(w, err)
			return
		}
		ev.Type, ev.Outcome, ev.Reason = recorder.LoginRefused, "denied", err.Error()
	} else {
		ev.Principal, ev.Chain, ev.Binding = &out.Principal, out.Chain(), out.Binding
	}
	if rerr := h.Recorder.Append(ev, recorder.Synced); rerr != nil {
		h.refuse(w, rerr)
		return
	}
	if err != nil {
		h.refuse(w, err)
		return
	}
	h.answer(w, LoginResponse{Token: out.Token, Expires: out.Expires, Principal: out.Principal})
}

func (h *Handler) logout(w http.ResponseWriter, r *http.Request, l *identity.Caller) {
	if err := h.Logins.Revoke(r.Context(), l.ID, "its owner logged out"); err != nil {
		h.refuse(w, err)
		return
	}
	ev := &recorder.Event{Type: recorder.LoginEnded, Principal: &l.Principal, Chain: l.Chain(),
		Client: h.Logins.ClientAddress(r), Binding: l.Binding}
	if err := h.Recorder.Append(ev, recorder.Synced); err != nil {
		h.refuse(w, err)
		return
	}
	h.answer(w, struct{}{})
}

// refuse answers with an error of the parts below. What is not a refusal is a
// failure of the broker: its text goes to the log, not to the caller.
func (h *Handler) refuse(w http.ResponseWriter, err error) {
	var refusal *identity.Refusal
	if errors.As(err, &refusal) {
		refusal.SetHeader(w.Header())
		h.fail(w, &Error{Status: refusal.Status(), Code: refusal.Code, Message: refusal.Message, Hint: refusal.Hint})
		return
	}
	h.Logger.Error("request failed", "error", err)
	h.fail(w, &Error{Status: http.StatusServiceUnavailable, Code: CodeUnavailable,
		Message: "the broker cannot answer for this now", Hint: "the broker's log says why"})
}
