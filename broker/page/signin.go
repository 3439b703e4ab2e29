package page

import (
	"context"
	"crypto/ed25519"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"hoop/broker/approval"
	"hoop/broker/identity"
	"hoop/recorder"
)

// attemptCookie holds a sign-in under way. The issuer's redirect must bring it
// along, so that it is not strict.
const attemptCookie = "__Host-hoop-page-attempt"

// attempt is a sign-in and where it was to lead.
type attempt struct {
	identity.Attempt
	To string `json:"to,omitempty"` // the ID of an approval
}

var idRE = regexp.MustCompile(`^[a-z0-9]{1,32}$`)

// next is the path that a sign-in leads to.
func (a *attempt) next() string {
	if idRE.MatchString(a.To) {
		return Path(a.To)
	}
	return listPath
}

// issuerLink begins a sign-in.
type issuerLink struct{ Name, Href string }

func (p *Pages) offerSignIn(w http.ResponseWriter, to string) {
	v := view{Title: "Sign in to answer"}
	for _, issuer := range p.Issuers() {
		q := url.Values{"issuer": {issuer}}
		if idRE.MatchString(to) {
			q.Set("to", to)
		}
		v.Issuers = append(v.Issuers, issuerLink{issuer, startPath + "?" + q.Encode()})
	}
	p.write(w, http.StatusOK, "signin.html", nil, v)
}

// patience bounds each talk with an issuer.
const patience = 15 * time.Second

// start sends the browser to the issuer.
func (p *Pages) start(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	flow, err := p.flow(ctx, r.FormValue("issuer"))
	if err != nil {
		p.refuse(w, err)
		return
	}
	address, begun := flow.Begin()
	text, err := json.Marshal(attempt{begun, r.FormValue("to")})
	if err != nil {
		p.refuse(w, err)
		return
	}
	http.SetCookie(w, cookie(attemptCookie, base64.RawURLEncoding.EncodeToString(text), http.SameSiteLaxMode))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, address, http.StatusSeeOther)
}

func (p *Pages) flow(ctx context.Context, issuer string) (*identity.CodeFlow, error) {
	return p.Verifier().CodeFlow(ctx, issuer, p.Base+ReturnPath, p.Secret())
}

// begun reads the sign-in that this browser began; nil where it is not the one
// that it comes back from.
func begun(r *http.Request) *attempt {
	c, err := r.Cookie(attemptCookie)
	if err != nil {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(c.Value)
	var a attempt
	if err != nil || json.Unmarshal(text, &a) != nil || a.State == "" {
		return nil
	}
	if subtle.ConstantTimeCompare([]byte(a.State), []byte(r.FormValue("state"))) != 1 {
		return nil
	}
	if iss := r.FormValue("iss"); iss != "" && iss != a.Issuer { // RFC 9207 §2.4
		return nil
	}
	return &a
}

// finish takes the browser back from the issuer and records who came, before
// they get anything.
func (p *Pages) finish(w http.ResponseWriter, r *http.Request) {
	a := begun(r)
	http.SetCookie(w, cookie(attemptCookie, "", http.SameSiteLaxMode))
	if a == nil {
		p.tell(w, http.StatusBadRequest, nil, "This sign-in was not begun in this browser, or it has ended.", "Open the link to the approval again.")
		return
	}
	s, err := p.signIn(r, a)
	ev := &recorder.Event{Type: recorder.LoginSucceeded, Client: p.Logins.ClientAddress(r), Binding: approval.ViaPage}
	if err != nil {
		ev.Type, ev.Outcome, ev.Reason = recorder.LoginRefused, "denied", err.Error()
	} else {
		ev.Principal, ev.Chain = &s.login.Principal, s.login.Chain()
	}
	if rerr := p.Recorder.Append(ev, recorder.Synced); rerr != nil {
		err = errors.Join(rerr, err)
	}
	if err != nil {
		p.refuse(w, err)
		return
	}
	value := p.sessions.add(s)
	if value == "" {
		p.tell(w, http.StatusServiceUnavailable, nil, "Too many people are signed in.", "Try again later, or answer with hoop approve.")
		return
	}
	http.SetCookie(w, cookie(sessionCookie, value, http.SameSiteStrictMode))
	// Not a redirect: that would still count as coming from the issuer's site,
	// without the strict cookie.
	p.write(w, http.StatusOK, "next.html", nil, view{Title: "Signed in", Next: a.next()})
}

// signIn makes a login of what the browser brought, bound to a key that lives
// here. Its token is good for nothing: nobody learns it.
func (p *Pages) signIn(r *http.Request, a *attempt) (*session, error) {
	if e := r.FormValue("error"); e != "" {
		return nil, &identity.Refusal{Code: identity.CodeUnauthenticated, Message: "the issuer refused the sign-in", Hint: "sign in again"}
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	flow, err := p.flow(ctx, a.Issuer)
	if err != nil {
		return nil, err
	}
	token, err := flow.Redeem(ctx, &a.Attempt, r.FormValue("code"))
	if err != nil {
		return nil, err
	}
	who, err := p.Verifier().VerifyLogin(ctx, token, a.Nonce)
	if err != nil {
		return nil, err
	}
	if who.Workload != "" {
		return nil, &identity.Refusal{Code: identity.CodeUnauthenticated, Message: "a workload does not answer", Hint: "sign in as a person"}
	}
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	meta := identity.Meta{Client: "browser", Address: p.Logins.ClientAddress(r), Binding: approval.ViaPage}
	_, login, err := p.Logins.Issue(ctx, &who.Principal, public, p.TTL(), meta)
	if err != nil {
		return nil, err
	}
	return &session{login: login, key: key}, nil
}

// refuse words an error for the person; what is no refusal is for the log.
func (p *Pages) refuse(w http.ResponseWriter, err error) {
	var no *identity.Refusal
	if errors.As(err, &no) {
		hint := no.Hint
		if strings.HasPrefix(hint, "run hoop") { // that is for a terminal
			hint = "Open the link to the approval again, and sign in."
		}
		p.tell(w, no.Status(), nil, "You are not signed in: "+no.Message+".", hint)
		return
	}
	p.Log.Error("a page failed", "error", err)
	p.tell(w, http.StatusServiceUnavailable, nil, "The broker cannot answer for this now.", "Its log says why.")
}

func (p *Pages) leave(w http.ResponseWriter, r *http.Request, s *session) {
	err := p.Logins.Revoke(r.Context(), s.login.ID, "its owner signed out of the page")
	ev := &recorder.Event{Type: recorder.LoginEnded, Principal: &s.login.Principal, Chain: s.login.Chain(),
		Client: p.Logins.ClientAddress(r), Binding: approval.ViaPage}
	if err := errors.Join(err, p.Recorder.Append(ev, recorder.Synced)); err != nil {
		p.refuse(w, err)
		return
	}
	http.SetCookie(w, cookie(sessionCookie, "", http.SameSiteStrictMode))
	p.write(w, http.StatusOK, "message.html", nil, view{Title: "Signed out", Hint: "You can close this page."})
}
