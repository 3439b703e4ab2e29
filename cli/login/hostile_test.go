package login_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"hoop/cli/login"
)

// rogue is an issuer that answers as the test says, for what no well-behaved
// issuer does.
type rogue struct {
	*httptest.Server
	t        *testing.T
	key      *ecdsa.PrivateKey
	nonce    atomic.Value
	claims   map[string]any // over the right ones
	unsigned bool
	foreign  bool // signs with a key that is not published
	device   http.HandlerFunc
	token    http.HandlerFunc
}

func newRogue(t *testing.T) *rogue {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	g := &rogue{t: t, key: key, claims: map[string]any{}}
	g.token = func(w http.ResponseWriter, _ *http.Request) { g.json(w, 200, g.tokens()) }
	mux := http.NewServeMux()
	g.Server = httptest.NewServer(mux)
	t.Cleanup(g.Close)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		g.json(w, 200, map[string]any{
			"issuer": g.URL, "authorization_endpoint": g.URL + "/authorize", "token_endpoint": g.URL + "/token",
			"jwks_uri": g.URL + "/keys", "device_authorization_endpoint": g.URL + "/device",
			"id_token_signing_alg_values_supported": []string{"ES256", "none"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		g.json(w, 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &g.key.PublicKey, KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		g.nonce.Store(q.Get("nonce"))
		back := url.Values{"code": {"c"}, "state": {q.Get("state")}}
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) { g.token(w, r) })
	mux.HandleFunc("/device", func(w http.ResponseWriter, r *http.Request) { g.device(w, r) })
	return g
}

func (g *rogue) json(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		g.t.Error(err)
	}
}

func (g *rogue) tokens() map[string]any {
	nonce, _ := g.nonce.Load().(string)
	claims := map[string]any{
		"iss": g.URL, "sub": "alice", "aud": "hoop", "nonce": nonce,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
	}
	maps.Copy(claims, g.claims)
	return map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": g.sign(claims)}
}

func (g *rogue) sign(claims map[string]any) string {
	if g.unsigned {
		raw, err := json.Marshal(claims)
		if err != nil {
			g.t.Error(err)
		}
		return b64(`{"alg":"none","typ":"JWT"}`) + "." + b64(string(raw)) + "."
	}
	key := g.key
	if g.foreign {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			g.t.Error(err)
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	if err != nil {
		g.t.Error(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		g.t.Error(err)
	}
	return text
}

func (g *rogue) login(method login.Method) (login.Tokens, error) {
	visit := func(address string) error {
		_, err := newPerson("").visit(address)
		return err
	}
	return discover(g.t, g.URL).Login(g.t.Context(), login.Options{Method: method, Out: io.Discard, Open: visit, Timeout: time.Minute})
}

func TestBadIDTokensAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*rogue){
		"other nonce":      func(g *rogue) { g.claims["nonce"] = "replayed" },
		"no nonce":         func(g *rogue) { g.claims["nonce"] = "" },
		"other audience":   func(g *rogue) { g.claims["aud"] = "another" },
		"authorized party": func(g *rogue) { g.claims["aud"] = []string{"hoop", "x"}; g.claims["azp"] = "x" },
		"other issuer":     func(g *rogue) { g.claims["iss"] = "https://evil.example" },
		"expired":          func(g *rogue) { g.claims["exp"] = time.Now().Add(-time.Minute).Unix() },
		"alg none":         func(g *rogue) { g.unsigned = true },
		"another key":      func(g *rogue) { g.foreign = true },
	} {
		g := newRogue(t)
		spoil(g)
		if tokens, err := g.login(login.Loopback); err == nil {
			t.Errorf("%s: accepted, subject %q", name, tokens.Subject)
		}
	}
	// The same issuer, not spoiled, is accepted.
	if _, err := newRogue(t).login(login.Loopback); err != nil {
		t.Error(err)
	}
}

func deviceGrant(g *rogue, fields map[string]any) http.HandlerFunc {
	answer := map[string]any{"device_code": "d", "user_code": "BCDF-GHJK", "verification_uri": g.URL + "/go", "expires_in": 60, "interval": 1}
	maps.Copy(answer, fields)
	return func(w http.ResponseWriter, _ *http.Request) { g.json(w, 200, answer) }
}

// A network that breaks while the person types must not end the sign-in
// (RFC 8628 §3.5).
func TestPollingOutlivesABrokenConnection(t *testing.T) {
	t.Parallel()
	g := newRogue(t)
	// Google spells verification_uri its own way.
	g.device = deviceGrant(g, map[string]any{"verification_uri": "", "verification_url": g.URL + "/go"})
	var polls atomic.Int32
	g.token = func(w http.ResponseWriter, _ *http.Request) {
		if polls.Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
		g.json(w, 200, g.tokens())
	}
	tokens, err := g.login(login.Device)
	if err != nil || tokens.Subject != "alice" {
		t.Errorf("after %d polls: %q, %v", polls.Load(), tokens.Subject, err)
	}
}

func TestDeviceErrorsAreTold(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]error{
		"expired_token": login.ErrExpired, "access_denied": login.ErrRefused,
		"unauthorized_client": login.ErrMethod, "made_up": login.ErrRefused,
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			g := newRogue(t)
			g.device = deviceGrant(g, nil)
			g.token = func(w http.ResponseWriter, _ *http.Request) {
				g.json(w, 400, map[string]string{"error": code, "error_description": "because\x1b[2J"})
			}
			if _, err := g.login(login.Device); !errors.Is(err, want) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("got %q, want %v", err, want)
			}
		})
	}
}

// A code that nobody enters ends by the client's own clock, even when the
// issuer goes on saying "pending".
func TestCodeEndsByItsExpiry(t *testing.T) {
	t.Parallel()
	g := newRogue(t)
	g.device = deviceGrant(g, map[string]any{"expires_in": 2})
	g.token = func(w http.ResponseWriter, _ *http.Request) {
		g.json(w, 400, map[string]string{"error": "authorization_pending"})
	}
	if _, err := g.login(login.Device); !errors.Is(err, login.ErrExpired) {
		t.Errorf("got %v, want ErrExpired", err)
	}
}

func TestTenantThatBlocksDeviceCodesIsTold(t *testing.T) {
	g := newRogue(t)
	g.device = func(w http.ResponseWriter, _ *http.Request) {
		g.json(w, 400, map[string]string{"error": "access_denied", "error_description": "blocked by conditional access"})
	}
	_, err := g.login(login.Device)
	if !errors.Is(err, login.ErrMethod) || !strings.Contains(err.Error(), "conditional access") || !strings.Contains(login.Hint(err), "--browser") {
		t.Errorf("got %v, hint %q", err, login.Hint(err))
	}
}
