package page

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"hoop/broker/approval"
)

// answer takes an answer: to what the form showed, which its digest says, and
// to nothing else. It is signed for who is signed in, and recorded as such.
func (p *Pages) answer(w http.ResponseWriter, r *http.Request, s *session) {
	a := p.find(w, r, s)
	if a == nil {
		return
	}
	digest, _ := hex.DecodeString(r.PostFormValue("digest")) // a wrong one fits nothing
	said, problem := said(r)
	if problem != "" {
		p.draw(w, r, s, a, view{Error: problem})
		return
	}
	who := p.approver(r, s)
	said.Approver = who.Principal
	said.Signature = ed25519.Sign(s.key, said.Message(a.ID, digest))
	_, err := p.Desk.Answer(r.Context(), a.ID, digest, who, said)
	var no *approval.ForbiddenError
	var late *approval.EndedError
	switch {
	case err == nil:
		http.Redirect(w, r, Path(a.ID), http.StatusSeeOther)
	case errors.As(err, &no), errors.As(err, &late), errors.Is(err, approval.ErrDigest):
		p.again(w, r, s, "Your answer does not count: "+err.Error()+".")
	default:
		p.refuse(w, err)
	}
}

// again shows the approval as it is now, and why an answer to it did not count.
func (p *Pages) again(w http.ResponseWriter, r *http.Request, s *session, why string) {
	if a := p.find(w, r, s); a != nil {
		p.draw(w, r, s, a, view{Error: why})
	}
}

// said reads the form.
func said(r *http.Request) (out approval.Answer, problem string) {
	out = approval.Answer{Decision: r.PostFormValue("decision"), Via: approval.ViaPage,
		Comment: strings.TrimSpace(strings.ReplaceAll(r.PostFormValue("comment"), "\r\n", "\n"))}
	if out.Decision == approval.Deny && out.Comment == "" {
		return out, "Say why you deny it: who asked is told."
	}
	if lasts := r.PostFormValue("for"); lasts != "" && out.Decision == approval.Approve {
		var err error
		if out.ForSec, err = strconv.ParseInt(lasts, 10, 64); err != nil {
			return out, "How long is no number of seconds."
		}
	}
	return out, ""
}
