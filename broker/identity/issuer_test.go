package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"hoop/broker/store"
)

// clock is a time that tests move.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// testIssuer is an OpenID provider that signs whatever a test asks for.
type testIssuer struct {
	*httptest.Server
	clock *clock

	mu      sync.Mutex
	keys    map[string]crypto.Signer // by kid
	status  int                      // of every answer, where not 0
	fetched map[string]int           // by path
}

func newTestIssuer(t *testing.T) *testIssuer {
	t.Helper()
	i := &testIssuer{clock: &clock{}, keys: map[string]crypto.Signer{}, fetched: map[string]int{}}
	i.Server = httptest.NewServer(i)
	t.Cleanup(i.Server.Close)
	i.addKey("k1", ecKey(t))
	return i
}

func ecKey(t *testing.T) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (i *testIssuer) addKey(kid string, k crypto.Signer) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys[kid] = k
}

func (i *testIssuer) dropKey(kid string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.keys, kid)
}

func (i *testIssuer) answer(status int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.status = status
}

func (i *testIssuer) fetches(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetched[path]
}

func (i *testIssuer) keySet() jose.JSONWebKeySet {
	i.mu.Lock()
	defer i.mu.Unlock()
	var set jose.JSONWebKeySet
	for kid, k := range i.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Public(), KeyID: kid, Use: "sig"})
	}
	return set
}

func (i *testIssuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	status := i.status
	i.fetched[r.URL.Path]++
	i.mu.Unlock()
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	var body any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		// What a provider says of algorithms must not widen what is accepted.
		body = map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"none", "HS256", "RS256", "ES256"}}
	case "/keys":
		body = i.keySet()
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

// alice is what a well-behaved issuer says of her.
func (i *testIssuer) alice() map[string]any {
	now := i.clock.now()
	return map[string]any{
		"iss": i.URL, "sub": "u-1", "aud": "hoop-cli", "email": "alice@example.com", "email_verified": true,
		"groups": []string{"engineers"}, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
}

// with changes claims; a nil value removes one.
func with(c map[string]any, changes map[string]any) map[string]any {
	for k, v := range changes {
		if v == nil {
			delete(c, k)
		} else {
			c[k] = v
		}
	}
	return c
}

// sign makes a token with key k1.
func (i *testIssuer) sign(t *testing.T, c map[string]any) string {
	t.Helper()
	i.mu.Lock()
	key := i.keys["k1"]
	i.mu.Unlock()
	return signWith(t, algorithmOf(key), key, "k1", c)
}

func algorithmOf(k crypto.Signer) jose.SignatureAlgorithm {
	switch k.(type) {
	case *rsa.PrivateKey:
		return jose.RS256
	case ed25519.PrivateKey:
		return jose.EdDSA
	default:
		return jose.ES256
	}
}

func signWith(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string, c map[string]any) string {
	t.Helper()
	opts := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		opts = opts.WithHeader("kid", kid)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, opts)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// forge writes a token by hand, with any header and signature.
func forge(t *testing.T, header string, c map[string]any, signature string) string {
	t.Helper()
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join([]string{
		base64.RawURLEncoding.EncodeToString([]byte(header)), base64.RawURLEncoding.EncodeToString(payload), signature,
	}, ".")
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func openState(t *testing.T, c *clock) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "state"), store.Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// verifier makes one for the issuer as configured, with an entry changed by
// change.
func (i *testIssuer) verifier(t *testing.T, change func(*IssuerConfig), workloads ...WorkloadConfig) *Verifier {
	t.Helper()
	ic := IssuerConfig{URL: i.URL, ClientID: "hoop-cli", Login: true}
	if change != nil {
		change(&ic)
	}
	v, err := NewVerifier(Config{Issuers: []IssuerConfig{ic}, Workloads: workloads,
		Replays: openState(t, i.clock), Log: quiet(), Now: i.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	return v
}
