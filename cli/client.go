package cli

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"hoop/broker/api"
	"hoop/broker/identity"
	"hoop/cli/login"
	"hoop/tunnel"
)

// renewBefore is how long before its end a login is renewed.
const renewBefore = 2 * time.Minute

// client gives a client of the broker that is signed in, renewing the login
// silently where that is due. It never asks and never opens a browser.
func (a *App) client(ctx context.Context) (*api.Client, error) {
	c, _, err := a.signedClient(ctx)
	return c, err
}

func (a *App) signedClient(ctx context.Context) (*api.Client, *signer, error) {
	p, err := a.loadProfile()
	if err != nil {
		return nil, nil, err
	}
	tokenFile := a.tokenFile
	if tokenFile == "" {
		tokenFile = a.Getenv("HOOP_TOKEN_FILE")
	}
	return a.clientOf(ctx, p, tokenFile)
}

// clientOf signs in with a token file, or with the stored login where there is
// none.
func (a *App) clientOf(ctx context.Context, p *profile, tokenFile string) (*api.Client, *signer, error) {
	anonymous, err := a.dialer(p)
	if err != nil {
		return nil, nil, err
	}
	s := &signer{profile: p, anonymous: &api.Client{Dialer: anonymous}, tokenFile: tokenFile}
	if tokenFile == "" {
		if s.store, err = a.secretStore(); err != nil {
			return nil, nil, err
		}
	}
	if _, err := s.secrets(ctx); err != nil {
		return nil, nil, err
	}
	signed, err := a.dialer(p)
	if err != nil {
		return nil, nil, err
	}
	signed.Authorize, signed.Retry, signed.Notify = s.authorize, s.retry, a.tunnelEvent
	return &api.Client{Dialer: signed, Sign: s.sign}, s, nil
}

func (a *App) dialer(p *profile) (*tunnel.Dialer, error) {
	u, err := p.url()
	if err != nil {
		return nil, err
	}
	cfg, err := p.tls()
	if err != nil {
		return nil, err
	}
	return &tunnel.Dialer{URL: u, TLS: cfg}, nil
}

func (a *App) secretStore() (*login.Store, error) {
	dir, err := a.configDir()
	if err != nil {
		return nil, err
	}
	return login.OpenStore(login.StoreConfig{Dir: dir, Getenv: a.Getenv, Warn: a.Err})
}

// signer proves with every request who sends it.
type signer struct {
	profile   *profile
	anonymous *api.Client
	store     *login.Store // nil where a token file stands for a sign-in
	tokenFile string

	mu      sync.Mutex
	held    login.Secrets // with a token file, or as last read
	refused string        // the login that the broker does not know any more
	made    string        // the login that was made here, and when to renew it
	renewAt time.Time
	nonces  []string // to be signed, where TLS ends before the broker
}

// due is when a login should be renewed: renewBefore its end, or after two
// thirds of its life where that is known to be short.
func (s *signer) due(x login.Secrets) time.Time {
	if x.LoginToken == s.made {
		return s.renewAt
	}
	return x.LoginExpires.Add(-renewBefore)
}

func (s *signer) fresh(x login.Secrets) bool {
	return x.LoginToken != "" && x.LoginToken != s.refused && time.Now().Before(s.due(x))
}

// lasts reports whether a login that should be renewed can still be used.
func (s *signer) lasts(x login.Secrets) bool {
	return x.LoginToken != "" && x.LoginToken != s.refused && time.Now().Before(x.LoginExpires)
}

// secrets gives a login that is good for a while, renewed if it must be.
func (s *signer) secrets(ctx context.Context) (login.Secrets, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fresh(s.held) {
		return s.held, nil
	}
	var x login.Secrets
	var err error
	if s.store == nil {
		x, err = s.exchangeFile(ctx)
	} else {
		x, err = s.store.Renew(ctx, s.profile.Broker, s.fresh, s.renew)
	}
	if err != nil {
		return login.Secrets{}, signInError(err)
	}
	s.held = x
	return x, nil
}

// renew gets a new ID token with the refresh token and exchanges it. A login
// that still lasts a little is kept where the issuer cannot be reached.
func (s *signer) renew(ctx context.Context, x login.Secrets) (login.Secrets, error) {
	if x.RefreshToken == "" {
		if s.lasts(x) {
			return x, nil
		}
		return x, login.ErrSignedOut
	}
	provider, err := login.Discover(ctx, login.Config{Issuer: s.profile.Issuer.URL, ClientID: s.profile.Issuer.ClientID, Scopes: s.profile.Issuer.Scopes})
	if err != nil {
		return s.keepForNow(x, err)
	}
	tokens, err := provider.Refresh(ctx, x.RefreshToken)
	if tokens.RefreshToken != "" {
		x.RefreshToken = tokens.RefreshToken
	}
	if err != nil {
		return s.keepForNow(x, err)
	}
	return s.exchange(ctx, x, tokens.IDToken)
}

func (s *signer) keepForNow(x login.Secrets, err error) (login.Secrets, error) {
	if errors.Is(err, login.ErrUnreachable) && s.lasts(x) {
		return x, nil
	}
	return x, err
}

// exchangeFile reads the token anew each time: it may have been rotated.
func (s *signer) exchangeFile(ctx context.Context) (login.Secrets, error) {
	token, err := readToken(s.tokenFile)
	if err != nil {
		return login.Secrets{}, err
	}
	x, err := s.exchange(ctx, s.held, token)
	if err != nil && s.lasts(s.held) {
		return s.held, nil
	}
	return x, err
}

func (s *signer) exchange(ctx context.Context, x login.Secrets, token string) (login.Secrets, error) {
	x, err := exchange(ctx, s.anonymous, x, token)
	if err == nil {
		left := time.Until(x.LoginExpires)
		s.made, s.renewAt = x.LoginToken, x.LoginExpires.Add(-min(renewBefore, left/3))
	}
	return x, err
}

// exchange makes of an ID token a login that is bound to the key in x, which is
// made where there is none.
func exchange(ctx context.Context, c *api.Client, x login.Secrets, idToken string) (login.Secrets, error) {
	if x.Key == nil {
		var err error
		if _, x.Key, err = ed25519.GenerateKey(rand.Reader); err != nil {
			return x, fmt.Errorf("make a key: %w", err)
		}
	}
	host, _ := os.Hostname()
	out, err := c.Login(ctx, api.LoginRequest{IDToken: idToken, Client: "hoop " + version + " on " + host}, x.Key)
	if err != nil {
		return x, err
	}
	x.LoginToken, x.LoginExpires = out.Token, out.Expires
	return x, nil
}

func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", noToken(err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxInput))
	if err != nil {
		return "", noToken(err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" {
		return "", noToken(fmt.Errorf("%s is empty", path))
	}
	return token, nil
}

func noToken(err error) error {
	return &exitError{code: exitNoLogin, word: api.CodeUnauthenticated, err: fmt.Errorf("read the token: %w", err),
		hint: "--token-file and HOOP_TOKEN_FILE name a file with a token of an issuer that the broker accepts"}
}

// sign signs with the login's own key.
func (s *signer) sign(ctx context.Context, message []byte) ([]byte, error) {
	x, err := s.secrets(ctx)
	if err != nil {
		return nil, err
	}
	return ed25519.Sign(x.Key, message), nil
}

// authorize signs one request on its TLS connection.
func (s *signer) authorize(ctx context.Context, req *http.Request, exporter []byte) error {
	x, err := s.secrets(ctx)
	if err != nil {
		return err
	}
	proof := identity.SignProof(x.Key, x.LoginToken, exporter)
	if nonce := s.nonce(); nonce != "" {
		proof = identity.SignNonceProof(x.Key, x.LoginToken, nonce, identity.RouteOf(req))
	}
	identity.SetAuthorization(req.Header, x.LoginToken, proof)
	return nil
}

func (s *signer) nonce() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.nonces)
	if n == 0 {
		return ""
	}
	nonce := s.nonces[n-1]
	s.nonces = s.nonces[:n-1]
	return nonce
}

// retry asks for one more attempt where the broker wants a nonce signed, or
// does not know the login any more and a new one can be had silently.
func (s *signer) retry(resp *http.Response) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := resp.Header.Get(identity.NonceHeader); n != "" {
		s.nonces = append(s.nonces, n)
		return true
	}
	if resp.StatusCode != http.StatusUnauthorized || s.refused == s.held.LoginToken {
		return false
	}
	s.refused = s.held.LoginToken
	return s.held.RefreshToken != "" || s.tokenFile != ""
}

// signInError tells what a person can do.
func signInError(err error) error {
	var remote *api.Error
	var own *exitError
	switch {
	case errors.As(err, &remote), errors.As(err, &own), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, login.ErrNoSecrets), errors.Is(err, login.ErrSignedOut):
		return notSignedIn(err.Error(), "run: hoop login")
	case errors.Is(err, login.ErrRefused), errors.Is(err, login.ErrExpired), errors.Is(err, login.ErrMethod):
		return notSignedIn(err.Error(), login.Hint(err))
	case errors.Is(err, login.ErrUnreachable):
		return &exitError{code: exitUnreachable, word: api.CodeUnavailable, err: err, hint: login.Hint(err)}
	}
	return &exitError{code: exitFailure, word: api.CodeInternal, err: err, hint: login.Hint(err)}
}
