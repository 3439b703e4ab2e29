package identity

import (
	"context"
	"errors"
	"fmt"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// CodeFlow signs a browser in to the broker itself: the authorization code flow
// (OpenID Connect Core §3.1) with PKCE (RFC 7636).
type CodeFlow struct {
	issuer *issuer
	oauth  oauth2.Config
}

// Attempt is what one sign-in is bound together by. The browser that began it
// keeps it.
type Attempt struct {
	Issuer   string `json:"issuer"`
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
}

// CodeFlow asks an issuer that people log in with for its endpoints. secret is
// for a client that has one, else "". The error is a *Refusal.
func (v *Verifier) CodeFlow(ctx context.Context, issuer, redirect, secret string) (*CodeFlow, error) {
	i, ok := v.issuers[issuer]
	if !ok || !i.config.Login {
		return nil, refuse(ErrToken, "people do not log in with "+quote(issuer)+" here", "choose another issuer")
	}
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, i.client), i.config.URL)
	if err != nil {
		r := unavailable("the issuer "+i.config.URL+" cannot be reached", err)
		v.logUnavailable(ctx, r)
		return nil, r
	}
	scopes := i.config.Scopes
	if len(scopes) == 0 { // a browser needs no refresh token
		scopes = []string{oidc.ScopeOpenID, "profile", "email", "groups"}
	}
	return &CodeFlow{issuer: i, oauth: oauth2.Config{ClientID: i.config.ClientID, ClientSecret: secret, Endpoint: p.Endpoint(),
		RedirectURL: redirect, Scopes: scopes}}, nil
}

// Begin gives the address to send the browser to.
func (f *CodeFlow) Begin() (address string, a Attempt) {
	a = Attempt{Issuer: f.issuer.config.URL, State: oauth2.GenerateVerifier(), Nonce: oauth2.GenerateVerifier(), Verifier: oauth2.GenerateVerifier()}
	return f.oauth.AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), a
}

// Redeem exchanges the code that the browser came back with for an ID token,
// which is not verified yet: see Verifier.VerifyLogin. The error is a *Refusal.
func (f *CodeFlow) Redeem(ctx context.Context, a *Attempt, code string) (idToken string, err error) {
	token, err := f.oauth.Exchange(oidc.ClientContext(ctx, f.issuer.client), code, oauth2.VerifierOption(a.Verifier))
	var told *oauth2.RetrieveError
	switch {
	case errors.As(err, &told) && told.ErrorCode != "":
		r := refuse(ErrToken, fmt.Sprintf("the issuer refused the sign-in: %s", quote(told.ErrorCode)), "sign in again")
		r.cause = err
		return "", r
	case err != nil:
		return "", unavailable("the issuer "+f.issuer.config.URL+" did not answer for the sign-in", err)
	}
	idToken, ok := token.Extra("id_token").(string)
	if !ok {
		return "", refuse(ErrToken, "the issuer gave no ID token", "the client must be one for OpenID Connect")
	}
	return idToken, nil
}
