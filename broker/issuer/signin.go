package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// showSignIn shows the form of a sign-in through a browser.
func (p *pages) showSignIn(w http.ResponseWriter, r *http.Request) {
	p.signInForm(w, r, http.StatusOK, "")
}

func (p *pages) signInForm(w http.ResponseWriter, r *http.Request, status int, problem string) {
	a, err := p.storage.requests.get(r.FormValue("id"), time.Now())
	if err != nil {
		p.fail(w, http.StatusBadRequest, "This sign-in has expired.", "Start it again from your terminal.")
		return
	}
	p.show(w, status, "signin.html", view{
		Title: "Sign in", CSRF: p.csrf(p.browserCookie(r)), ID: a.id, Client: a.client,
		Login: r.PostFormValue("login"), Error: problem,
	}, redirectOrigin(a.redirect))
}

// signIn checks the password and sends the browser back to the client.
func (p *pages) signIn(w http.ResponseWriter, r *http.Request) {
	u, status, problem := p.authenticate(r)
	if problem != "" {
		p.signInForm(w, r, status, problem)
		return
	}
	id := r.PostFormValue("id")
	if err := p.storage.requests.signIn(id, u.Name, time.Now()); err != nil {
		p.fail(w, http.StatusBadRequest, "This sign-in has expired.", "Start it again from your terminal.")
		return
	}
	http.Redirect(w, r, callbackPath+"?id="+url.QueryEscape(id), http.StatusSeeOther)
}

// authenticate reads name and password of the form. It answers the user, or a
// status and a sentence for the person.
func (p *pages) authenticate(r *http.Request) (User, int, string) {
	login := strings.ToLower(strings.TrimSpace(r.PostFormValue("login")))
	if wait := p.takeTry(login, peerAddress(r)); wait > 0 {
		p.log.Warn("sign-in tries used up", "address", peerAddress(r))
		return User{}, http.StatusTooManyRequests, fmt.Sprintf("Too many tries. Wait %s and try again.", wait.Round(time.Second))
	}
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	u, err := p.verifier.verify(ctx, login, r.PostFormValue("password"))
	switch {
	case errors.Is(err, errWrongPassword):
		p.log.Warn("sign-in refused", "address", peerAddress(r))
		return User{}, http.StatusUnauthorized, "Name or password is wrong."
	case err != nil:
		p.log.Error("sign-in failed", "error", err)
		return User{}, http.StatusServiceUnavailable, "Signing in is not possible just now. The issuer's log says why."
	}
	now := time.Now()
	p.byUser.giveBack(login, now)
	p.byAddress.giveBack(peerAddress(r), now)
	p.log.Info("signed in", "user", u.Name, "address", peerAddress(r))
	return u, 0, ""
}

// takeTry limits guesses at one person and guesses from one address. A try that
// the second refuses is not counted by the first.
func (p *pages) takeTry(login, address string) time.Duration {
	now := time.Now()
	if wait := p.byAddress.take(address, now); wait > 0 {
		return wait
	}
	return p.byUser.take(plainText(login, 80), now)
}
