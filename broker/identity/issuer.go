package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

const (
	discoveryTries = 3
	discoveryPause = 200 * time.Millisecond // doubled each time
)

// issuer verifies the tokens of one provider. What it needs of the network it
// fetches when the first token comes, so that a broker starts without it.
type issuer struct {
	config IssuerConfig
	client *http.Client
	now    func() time.Time

	// turn is a mutex that a waiting request can give up on.
	turn chan struct{}
	keys oidc.KeySet // nil until discovered; guarded by turn
}

func newIssuer(c IssuerConfig, now func() time.Time) (*issuer, error) {
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("issuer %s: %w", c.URL, err)
	}
	client, err := newClient(&c, now)
	if err != nil {
		return nil, fmt.Errorf("issuer %s: %w", c.URL, err)
	}
	i := &issuer{config: c, client: client, now: now, turn: make(chan struct{}, 1)}
	if c.JWKSFile != "" {
		f := &fileKeys{path: c.JWKSFile}
		for _, a := range c.algorithms() {
			f.algorithms = append(f.algorithms, jose.SignatureAlgorithm(a))
		}
		if _, err := f.read(); err != nil {
			return nil, fmt.Errorf("issuer %s: %w", c.URL, err)
		}
		i.keys = f
	}
	return i, nil
}

// verify checks signature, algorithm, issuer and lifetime, and gives the claims
// with the bytes that were signed. OpenID Connect Core §3.1.3.7, but for the
// audience, which depends on who the token is for.
func (i *issuer) verify(ctx context.Context, raw string) (claims, []byte, error) {
	keys, err := i.discover(ctx)
	if err != nil {
		return nil, nil, unavailable("the issuer "+i.config.URL+" cannot be reached, so the token cannot be verified", err)
	}
	noted := &noting{keys: keys}
	token, err := oidc.NewVerifier(i.config.URL, noted, &oidc.Config{
		SkipClientIDCheck: true, SupportedSigningAlgs: i.config.algorithms(), Now: i.now,
	}).Verify(ctx, raw)
	switch {
	case noted.err != nil && unreachable(noted.err):
		return nil, nil, unavailable("the keys of the issuer "+i.config.URL+" cannot be had, so the token cannot be verified", noted.err)
	case err != nil:
		return nil, nil, i.reject(err)
	}
	var payload rawClaims
	if err := token.Claims(&payload); err != nil {
		return nil, nil, i.reject(err)
	}
	c, err := parseClaims(payload)
	if err != nil {
		return nil, nil, i.reject(err)
	}
	return c, payload, i.checkStart(c)
}

// rawClaims takes the payload of a token as it stands.
type rawClaims []byte

// UnmarshalJSON keeps the bytes.
func (r *rawClaims) UnmarshalJSON(data []byte) error {
	*r = append((*r)[:0], data...)
	return nil
}

// checkStart obeys nbf (RFC 7519 §4.1.5) more closely than go-oidc, which leaves
// five minutes.
func (i *issuer) checkStart(c claims) error {
	start, ok, err := c.time("nbf")
	if err != nil {
		return refuse(ErrToken, err.Error(), hintLogin)
	}
	if ok && start.After(i.now().Add(skew)) {
		return refuse(ErrToken, "the token is not valid yet: compare the clocks of the broker and the issuer", hintLogin)
	}
	return nil
}

func (i *issuer) reject(err error) *Refusal {
	var expired *oidc.TokenExpiredError
	if errors.As(err, &expired) {
		r := refuse(ErrToken, "the token has expired, at "+expired.Expiry.UTC().Format(time.RFC3339), hintLogin)
		r.cause = err
		return r
	}
	text := strings.TrimPrefix(err.Error(), "oidc: ")
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	r := refuse(ErrToken, fmt.Sprintf("the token is not acceptable: %s", text), hintLogin)
	r.cause = err
	return r
}

// discover fetches the provider's metadata (OpenID Connect Discovery §4) once.
// After a failure the next request tries again.
func (i *issuer) discover(ctx context.Context) (oidc.KeySet, error) {
	select {
	case i.turn <- struct{}{}:
		defer func() { <-i.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if i.keys != nil {
		return i.keys, nil
	}
	pause := discoveryPause
	for try := 1; ; try++ {
		keys, err := i.fetch(ctx)
		if err == nil {
			i.keys = keys
			return keys, nil
		}
		if try == discoveryTries || !temporary(err) {
			return nil, err
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		}
	}
}

func (i *issuer) fetch(ctx context.Context) (oidc.KeySet, error) {
	ctx = oidc.ClientContext(ctx, i.client)
	p, err := oidc.NewProvider(ctx, i.config.URL)
	if err != nil {
		return nil, err
	}
	var metadata struct {
		Keys string `json:"jwks_uri"`
	}
	if err := p.Claims(&metadata); err != nil {
		return nil, err
	}
	if metadata.Keys == "" {
		return nil, errors.New("the issuer's metadata names no jwks_uri")
	}
	return oidc.NewRemoteKeySet(ctx, metadata.Keys), nil
}

// temporary reports whether trying again may help: the network failed or the
// server did.
func temporary(err error) bool {
	var status *statusError
	if errors.As(err, &status) {
		return status.status >= 500 || status.status == http.StatusTooManyRequests
	}
	return unreachable(err)
}
