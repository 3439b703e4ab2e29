package login

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// refreshLimit bounds a refresh that goes on after its caller has gone away.
const refreshLimit = 15 * time.Second

// Refresh gets a new ID token without the person. It answers ErrSignedOut when
// the issuer does not take the refresh token any more. The refresh token in the
// result may be new and must be stored at once, because the old one is used up;
// for the same reason a refresh that has begun is not cancelled with ctx.
func (p *Provider) Refresh(ctx context.Context, refreshToken string) (Tokens, error) {
	if refreshToken == "" {
		return Tokens{}, ErrSignedOut
	}
	if err := ctx.Err(); err != nil {
		return Tokens{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshLimit)
	defer cancel()
	token, err := p.oauth.TokenSource(p.context(ctx), &oauth2.Token{RefreshToken: refreshToken}).Token()
	if code, description := oauthError(err); wantsPerson(code) {
		return Tokens{}, explained(ErrSignedOut, code, description)
	}
	if err != nil {
		return Tokens{}, fmt.Errorf("refresh the sign-in: %w", unreachable(err))
	}
	tokens, err := p.verify(ctx, token, "")
	if err != nil {
		// The new refresh token is worth keeping even so.
		return Tokens{RefreshToken: token.RefreshToken}, err
	}
	return tokens, nil
}

// wantsPerson tells whether an error code of a refresh means that only a new
// sign-in helps. RFC 6749 §5.2 has invalid_grant for that; dex says
// invalid_request, Entra interaction_required, OpenID Connect login_required.
func wantsPerson(code string) bool {
	switch code {
	case "invalid_grant", "invalid_request", "interaction_required", "login_required", "consent_required", "access_denied":
		return true
	default:
		return false
	}
}

// Revoke asks the issuer to forget a refresh token (RFC 7009). Issuers that
// offer no revocation are left alone.
func (p *Provider) Revoke(ctx context.Context, refreshToken string) error {
	if p.revoke == "" || refreshToken == "" {
		return nil
	}
	form := url.Values{"token": {refreshToken}, "token_type_hint": {"refresh_token"}, "client_id": {p.oauth.ClientID}}
	if p.oauth.ClientSecret != "" {
		form.Set("client_secret", p.oauth.ClientSecret)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.revoke, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("revoke the sign-in: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := p.http.Do(r)
	if err != nil {
		return fmt.Errorf("revoke the sign-in: %w", unreachable(err))
	}
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<20))
	err = errors.Join(err, answer.Body.Close())
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("revoke the sign-in: the issuer answered %s", answer.Status)
	}
	return err
}
