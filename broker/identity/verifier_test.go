package identity

import (
	"context"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"hoop/policy"
)

// refused checks that err is a refusal with a reason, and that its words are for
// people.
func refused(t *testing.T, err, reason error, words ...string) *Refusal {
	t.Helper()
	if !errors.Is(err, reason) {
		t.Fatalf("got %v, want %v", err, reason)
	}
	var r *Refusal
	if !errors.As(err, &r) {
		t.Fatalf("%v is no Refusal", err)
	}
	for _, w := range words {
		if !strings.Contains(r.Message+"\n"+r.Hint, w) {
			t.Errorf("%q is not said in %q, hint %q", w, r.Message, r.Hint)
		}
	}
	return r
}

func TestAliceIsVerified(t *testing.T) {
	i := newTestIssuer(t)
	got, err := i.verifier(t, nil).VerifyLogin(t.Context(), i.sign(t, i.alice()), "")
	if err != nil {
		t.Fatal(err)
	}
	want := policy.Principal{ID: i.URL + "|u-1", Name: "alice@example.com", Email: "alice@example.com",
		Kind: policy.Person, Groups: []string{"engineers"}, Issuer: i.URL}
	if diff := cmp.Diff(want, got.Principal); diff != "" {
		t.Fatal(diff)
	}
}

func TestEachAlgorithmThatIsAllowed(t *testing.T) {
	i := newTestIssuer(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	i.addKey("rsa", rsaKey)
	i.addKey("ed", edKey)
	v := i.verifier(t, nil)
	for _, tt := range []struct {
		alg jose.SignatureAlgorithm
		key any
		kid string
		ok  bool
	}{
		{jose.RS256, rsaKey, "rsa", true}, {jose.PS256, rsaKey, "rsa", true}, {jose.EdDSA, edKey, "ed", true},
		{jose.RS512, rsaKey, "rsa", false}, {jose.RS256, rsaKey, "k1", false},
	} {
		c := with(i.alice(), map[string]any{"jti": string(tt.alg) + tt.kid})
		_, err := v.VerifyLogin(t.Context(), signWith(t, tt.alg, tt.key, tt.kid, c), "")
		if (err == nil) != tt.ok {
			t.Errorf("%s with key %s: %v", tt.alg, tt.kid, err)
		}
	}
}

func TestTokenIsRefused(t *testing.T) {
	i := newTestIssuer(t)
	v := i.verifier(t, nil)
	now := time.Now()
	change := func(kv ...any) func() string {
		return func() string {
			m := map[string]any{}
			for n := 0; n < len(kv); n += 2 {
				m[kv[n].(string)] = kv[n+1]
			}
			return i.sign(t, with(i.alice(), m))
		}
	}
	for _, tt := range []struct {
		name  string
		token func() string
		says  string
	}{
		{"another audience", change("aud", "other-app"), "made for \"other-app\""},
		{"no audience", change("aud", nil), "made for"},
		{"another issuer's name", change("iss", "https://evil.example"), "does not believe"},
		{"the issuer with a slash", change("iss", i.URL+"/"), "does not believe"},
		{"no issuer", change("iss", nil), "names no issuer"},
		{"expired", change("exp", now.Add(-time.Second).Unix()), "expired"},
		{"no expiry", change("exp", nil), "expired"},
		{"made in the future", change("iat", now.Add(2*time.Minute).Unix()), "in the future"},
		{"made long ago", change("iat", now.Add(-6*time.Minute).Unix()), "too old"},
		{"does not say when it was made", change("iat", nil), "iat"},
		{"not valid yet", change("nbf", now.Add(2*time.Minute).Unix()), "not valid yet"},
		{"no subject", change("sub", nil), "who this is"},
		{"empty subject", change("sub", ""), "who this is"},
		{"given to another client", change("azp", "other-app"), "azp"},
		{"several audiences, given to nobody", change("aud", []string{"hoop-cli", "other"}), "azp"},
		{"several audiences, given to another", change("aud", []string{"hoop-cli", "other"}, "azp", "other"), "azp"},
		{"azp is not a text", change("azp", 7), "azp"},
		{"a name that forges a log line", change("email", "a@x\nroot"), "cannot be printed"},
		{"groups that are objects", change("groups", []any{map[string]any{"n": 1}}), "not a text"},
		{"signed with a key that is not the issuer's", func() string { return signWith(t, jose.ES256, ecKey(t), "k1", i.alice()) }, "signature"},
		{"an unknown kid", func() string { return signWith(t, jose.ES256, i.keys["k1"], "k9", i.alice()) }, "signature"},
		{"alg none", func() string { return forge(t, `{"alg":"none"}`, i.alice(), "") }, "not acceptable"},
		{"alg none in capitals", func() string { return forge(t, `{"alg":"nOnE"}`, i.alice(), "") }, "not acceptable"},
		{"HS256 with the public key as secret", func() string { return signWith(t, jose.HS256, publicPEM(t, i), "k1", i.alice()) }, "not acceptable"},
		{"a key that the token brings along", func() string { return selfSigned(t, i.alice()) }, "signature"},
		{"changed after signing", func() string {
			p := strings.Split(i.sign(t, i.alice()), ".")
			q := strings.Split(i.sign(t, with(i.alice(), map[string]any{"groups": []string{"admins"}})), ".")
			return p[0] + "." + q[1] + "." + p[2]
		}, "signature"},
		{"an access token", func() string { return "opaque" }, "not an ID token"},
		{"JSON serialization", func() string { return jsonSerialized(i.sign(t, i.alice())) }, "not an ID token"},
		{"empty", func() string { return "" }, "not an ID token"},
		{"too long", func() string { return strings.Repeat("a", maxToken+1) }, "longer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := v.VerifyLogin(t.Context(), tt.token(), "")
			if got != nil {
				t.Fatalf("let in as %+v", got)
			}
			var r *Refusal
			if !errors.As(err, &r) || r.Code != CodeUnauthenticated {
				t.Fatalf("got %v", err)
			}
			if !strings.Contains(r.Message, tt.says) {
				t.Errorf("%q is not said in %q", tt.says, r.Message)
			}
		})
	}
	if _, err := v.VerifyLogin(t.Context(), i.sign(t, i.alice()), ""); err != nil {
		t.Fatalf("after all that, alice: %v", err)
	}
}

func publicPEM(t *testing.T, i *testIssuer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(i.keys["k1"].Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// selfSigned puts the public key into the header, RFC 7515 §4.1.3.
func selfSigned(t *testing.T, c map[string]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: ecKey(t)}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	payload, _ := json.Marshal(c)
	jws, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := jws.CompactSerialize()
	return raw
}

func jsonSerialized(compact string) string {
	p := strings.Split(compact, ".")
	return `{"protected":"` + p[0] + `","payload":"` + p[1] + `","signature":"` + p[2] + `"}`
}

func TestTimesAtTheEdgeAreLetIn(t *testing.T) {
	i := newTestIssuer(t)
	v := i.verifier(t, nil)
	for name, m := range map[string]map[string]any{
		"made a moment ahead":         {"iat": time.Now().Add(50 * time.Second).Unix()},
		"valid a moment ahead":        {"nbf": time.Now().Add(50 * time.Second).Unix()},
		"nearly five minutes old":     {"iat": time.Now().Add(-290 * time.Second).Unix()},
		"several audiences, ours azp": {"aud": []string{"x", "hoop-cli"}, "azp": "hoop-cli"},
	} {
		if _, err := v.VerifyLogin(t.Context(), i.sign(t, with(i.alice(), m)), ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNonce(t *testing.T) {
	i := newTestIssuer(t)
	v := i.verifier(t, nil)
	token := i.sign(t, with(i.alice(), map[string]any{"nonce": "n-1"}))
	if _, err := v.VerifyLogin(t.Context(), token, "n-2"); !errors.Is(err, ErrToken) {
		t.Fatalf("another nonce: %v", err)
	}
	if _, err := v.VerifyLogin(t.Context(), i.sign(t, i.alice()), "n-1"); !errors.Is(err, ErrToken) {
		t.Fatalf("no nonce in the token: %v", err)
	}
	if _, err := v.VerifyLogin(t.Context(), token, "n-1"); err != nil {
		t.Fatalf("a refusal used the token up: %v", err)
	}
}

func TestTokenLogsInOnce(t *testing.T) {
	i := newTestIssuer(t)
	v := i.verifier(t, nil)
	token := i.sign(t, i.alice())
	if _, err := v.VerifyLogin(t.Context(), token, ""); err != nil {
		t.Fatal(err)
	}
	_, err := v.VerifyLogin(t.Context(), token, "")
	refused(t, err, ErrReplayed, "logged in before", "hoop login")
}

// An ECDSA signature (r, s) has a twin (r, n-s) that is as good, so the text of
// a token is not its identity.
func TestTwinSignatureIsAReplay(t *testing.T) {
	i := newTestIssuer(t)
	v := i.verifier(t, nil)
	token := i.sign(t, i.alice())
	if _, err := v.VerifyLogin(t.Context(), token, ""); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(token, ".")
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	s := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(sig[32:]))
	s.FillBytes(sig[32:])
	twin := parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(sig)
	if twin == token {
		t.Fatal("the twin is the token itself")
	}
	_, err = v.VerifyLogin(t.Context(), twin, "")
	refused(t, err, ErrReplayed)
}

// brokenReplays is a store that cannot answer.
type brokenReplays struct{}

func (brokenReplays) Once(context.Context, string, string, time.Time) (bool, error) {
	return true, errors.New("disk on fire")
}

func TestBrokenStoreLetsNobodyIn(t *testing.T) {
	i := newTestIssuer(t)
	v := i.verifier(t, nil)
	v.replays = brokenReplays{}
	got, err := v.VerifyLogin(t.Context(), i.sign(t, i.alice()), "")
	if r := refused(t, err, ErrUnavailable); got != nil || r.Code != CodeUnavailable || r.Status() != http.StatusServiceUnavailable {
		t.Fatalf("got %v, %+v", got, r)
	}
}

func TestKeyRotation(t *testing.T) {
	i := newTestIssuer(t)
	v := i.verifier(t, nil)
	if _, err := v.VerifyLogin(t.Context(), i.sign(t, i.alice()), ""); err != nil {
		t.Fatal(err)
	}
	next := ecKey(t)
	i.addKey("k2", next)
	i.clock.advance(2 * minRefetch)
	c := i.alice()
	if _, err := v.VerifyLogin(t.Context(), signWith(t, jose.ES256, next, "k2", c), ""); err != nil {
		t.Fatalf("signed with the new key: %v", err)
	}
	i.clock.advance(2 * minRefetch)
	old := i.sign(t, i.alice())
	i.dropKey("k1")
	_, _ = v.VerifyLogin(t.Context(), signWith(t, jose.ES256, ecKey(t), "k3", i.alice()), "") // makes it look for keys
	if _, err := v.VerifyLogin(t.Context(), old, ""); !errors.Is(err, ErrToken) {
		t.Fatalf("signed with a key that the issuer withdrew: %v", err)
	}
}

func TestInventedKeyIDsDoNotFloodTheIssuer(t *testing.T) {
	i := newTestIssuer(t)
	v := i.verifier(t, nil)
	fixed := i.clock.now()
	v.issuers[i.URL].client.Transport.(*transport).now = func() time.Time { return fixed }
	for n := range 20 {
		_, err := v.VerifyLogin(t.Context(), signWith(t, jose.ES256, ecKey(t), "invented-"+string(rune('a'+n)), i.alice()), "")
		refused(t, err, ErrToken)
	}
	if n := i.fetches("/keys"); n != 1 {
		t.Fatalf("the keys were fetched %d times", n)
	}
}

func TestIssuerUnreachable(t *testing.T) {
	i := newTestIssuer(t)
	v := i.verifier(t, nil)
	i.answer(http.StatusBadGateway)
	_, err := v.VerifyLogin(t.Context(), i.sign(t, i.alice()), "")
	if r := refused(t, err, ErrUnavailable, "cannot be reached"); r.Code != CodeUnavailable {
		t.Fatalf("code %s", r.Code)
	}
	if n := i.fetches("/.well-known/openid-configuration"); n != discoveryTries {
		t.Fatalf("tried %d times", n)
	}
	i.answer(0)
	token := i.sign(t, i.alice())
	if _, err := v.VerifyLogin(t.Context(), token, ""); err != nil {
		t.Fatalf("once it is back: %v", err)
	}
	i.answer(http.StatusInternalServerError)
	i.clock.advance(2 * minRefetch)
	_, err = v.VerifyLogin(t.Context(), signWith(t, jose.ES256, ecKey(t), "new", i.alice()), "")
	refused(t, err, ErrUnavailable, "keys")
}

func TestWaitingForTheIssuerEndsWithTheRequest(t *testing.T) {
	i := newTestIssuer(t)
	v := i.verifier(t, nil)
	token := i.sign(t, i.alice())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := v.VerifyLogin(ctx, token, "")
	refused(t, err, ErrUnavailable)
}

func TestGroups(t *testing.T) {
	i := newTestIssuer(t)
	optional := false
	for _, tt := range []struct {
		name   string
		change func(*IssuerConfig)
		claims map[string]any
		want   []string
		reason error
	}{
		{"list", nil, map[string]any{"groups": []string{"a", "b"}}, []string{"a", "b"}, nil},
		{"empty list", nil, map[string]any{"groups": []string{}}, []string{}, nil},
		{"one text", nil, map[string]any{"groups": "a"}, []string{"a"}, nil},
		{"Keycloak's paths", nil, map[string]any{"groups": []string{"/sre/eu"}}, []string{"/sre/eu"}, nil},
		{"missing", nil, map[string]any{"groups": nil}, nil, ErrGroups},
		{"missing, optional", func(c *IssuerConfig) { c.GroupsRequired = &optional }, map[string]any{"groups": nil}, []string{}, nil},
		{"overage by _claim_names", nil, overage(), nil, ErrGroups},
		{"overage although a list is there", nil, with(overage(), map[string]any{"groups": []string{"a"}}), nil, ErrGroups},
		{"overage by hasgroups", nil, map[string]any{"groups": nil, "hasgroups": true}, nil, ErrGroups},
		{"overage by hasgroups as text", nil, map[string]any{"groups": []string{"a"}, "hasgroups": "true"}, nil, ErrGroups},
		{"overage, optional", func(c *IssuerConfig) { c.GroupsRequired = &optional }, overage(), []string{}, nil},
		{"another claim", func(c *IssuerConfig) { c.GroupsClaim = "roles" }, map[string]any{"roles": []string{"r"}}, []string{"r"}, nil},
		{"another claim, missing", func(c *IssuerConfig) { c.GroupsClaim = "roles" }, nil, nil, ErrGroups},
		{"a claim in an object", func(c *IssuerConfig) { c.GroupsClaim = "realm_access.roles" },
			map[string]any{"realm_access": map[string]any{"roles": []string{"r"}}}, []string{"r"}, nil},
		{"a claim whose name is a URL", func(c *IssuerConfig) { c.GroupsClaim = "https://x.example/groups" },
			map[string]any{"https://x.example/groups": []string{"g"}}, []string{"g"}, nil},
		{"an object", nil, map[string]any{"groups": map[string]any{"a": 1}}, nil, ErrGroups},
		{"too many", nil, map[string]any{"groups": make([]int, maxGroups+1)}, nil, ErrGroups},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := i.verifier(t, tt.change).VerifyLogin(t.Context(), i.sign(t, with(i.alice(), tt.claims)), "")
			if tt.reason != nil {
				refused(t, err, tt.reason, "group")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Principal.Groups); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

// overage is how Entra says that there are more than 200 groups.
func overage() map[string]any {
	return map[string]any{"groups": nil, "_claim_names": map[string]any{"groups": "src1"},
		"_claim_sources": map[string]any{"src1": map[string]any{"endpoint": "https://graph.example/x"}}}
}

func TestNamesOfPeople(t *testing.T) {
	i := newTestIssuer(t)
	for _, tt := range []struct {
		name              string
		change            func(*IssuerConfig)
		claims            map[string]any
		id, called, email string
	}{
		{"verified address", nil, nil, "u-1", "alice@example.com", "alice@example.com"},
		{"address of unknown standing", nil, map[string]any{"email_verified": nil}, "u-1", "alice@example.com", "alice@example.com"},
		{"unverified address", nil, map[string]any{"email_verified": false, "preferred_username": "al"}, "u-1", "al", ""},
		{"unverified address, as text", nil, map[string]any{"email_verified": "false"}, "u-1", "u-1", ""},
		{"unverified address as login", nil, map[string]any{"email_verified": false, "preferred_username": "Alice@example.com"}, "u-1", "u-1", ""},
		{"unverified address as name", func(c *IssuerConfig) { c.NameClaim = "email" }, map[string]any{"email_verified": false}, "u-1", "u-1", ""},
		{"no address", nil, map[string]any{"email": nil, "preferred_username": "al"}, "u-1", "al", ""},
		{"only a subject", nil, map[string]any{"email": nil}, "u-1", "u-1", ""},
		{"name claim", func(c *IssuerConfig) { c.NameClaim = "upn" }, map[string]any{"upn": "al@corp"}, "u-1", "al@corp", "alice@example.com"},
		{"subject claim", func(c *IssuerConfig) { c.SubjectClaim = "oid" }, map[string]any{"oid": "o-7"}, "o-7", "alice@example.com", "alice@example.com"},
		{"email claim", func(c *IssuerConfig) { c.EmailClaim = "mail" }, map[string]any{"mail": "a@corp"}, "u-1", "a@corp", "a@corp"},
		{"numeric subject", nil, map[string]any{"sub": json.Number("12345678901234567890")}, "12345678901234567890", "alice@example.com", "alice@example.com"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := i.verifier(t, tt.change).VerifyLogin(t.Context(), i.sign(t, with(i.alice(), tt.claims)), "")
			if tt.name == "numeric subject" { // OpenID Connect Core §2 demands a text
				refused(t, err, ErrToken)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			p := got.Principal
			if p.ID != i.URL+"|"+tt.id || p.Name != tt.called || p.Email != tt.email {
				t.Errorf("got id %s, name %s, email %s", p.ID, p.Name, p.Email)
			}
		})
	}
}

func TestMissingGroupsNameTheVendorsCure(t *testing.T) {
	for issuerURL, words := range map[string]string{
		"https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0": "Groups assigned to the application",
		"https://sts.windows.net/11111111-2222-3333-4444-555555555555/":               "Groups assigned to the application",
		"https://example.okta.com":            "Groups claim",
		"https://accounts.google.com":         "groups_required: false",
		"https://sso.example.com/realms/main": "Group Membership mapper",
		"https://dex.example.com":             "groups_claim",
	} {
		i := &issuer{config: IssuerConfig{URL: issuerURL}}
		_, err := i.groups(claims{})
		refused(t, err, ErrGroups, words)
	}
}

func TestIssuerWithItsOwnAuthority(t *testing.T) {
	i := newTestIssuer(t)
	i.Server = httptest.NewTLSServer(i)
	t.Cleanup(i.Server.Close)
	i.Server.Config.ErrorLog = slog.NewLogLogger(quiet().Handler(), slog.LevelError)
	_, err := i.verifier(t, nil).VerifyLogin(t.Context(), i.sign(t, i.alice()), "")
	refused(t, err, ErrUnavailable)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw})
	if err := os.WriteFile(ca, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	v := i.verifier(t, func(c *IssuerConfig) { c.CAFile = ca })
	if _, err := v.VerifyLogin(t.Context(), i.sign(t, i.alice()), ""); err != nil {
		t.Fatal(err)
	}
}

// An issuer that points elsewhere is not followed, and one that never stops
// talking is cut short.
func TestIssuerThatMisbehaves(t *testing.T) {
	for name, misbehave := range map[string]http.HandlerFunc{
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example/", http.StatusFound)
		},
		"is too long": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxDocument+1)) },
		"is not JSON": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"is another's": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"issuer":"https://evil.example"}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := newTestIssuer(t)
			i.Server = httptest.NewServer(misbehave)
			t.Cleanup(i.Server.Close)
			_, err := i.verifier(t, nil).VerifyLogin(t.Context(), i.sign(t, i.alice()), "")
			refused(t, err, ErrUnavailable)
		})
	}
}

func ci(url string, change func(*WorkloadConfig)) WorkloadConfig {
	w := WorkloadConfig{Name: "github", Issuer: url, Audience: "hoop-ci", Principal: "ci/{repository}",
		Claims: map[string]string{"repository": "acme/*", "environment": "prod"}, Groups: []string{"deployers"}}
	if change != nil {
		change(&w)
	}
	return w
}

func (i *testIssuer) job() map[string]any {
	return with(i.alice(), map[string]any{"aud": "hoop-ci", "sub": "repo:acme/shop", "email": nil, "groups": nil,
		"repository": "acme/shop", "environment": "prod"})
}

func TestWorkload(t *testing.T) {
	i := newTestIssuer(t)
	v := i.verifier(t, nil, ci(i.URL, nil))
	got, err := v.VerifyLogin(t.Context(), i.sign(t, i.job()), "")
	if err != nil {
		t.Fatal(err)
	}
	want := policy.Principal{ID: i.URL + "|repo:acme/shop", Name: "ci/acme/shop", Kind: policy.Workload,
		Groups: []string{"deployers"}, Issuer: i.URL}
	if diff := cmp.Diff(want, got.Principal); diff != "" || got.Workload != "github" {
		t.Fatal(diff, got.Workload)
	}
	for name, m := range map[string]map[string]any{
		"another repository":           {"repository": "evil/shop"},
		"a repository that only looks": {"repository": "acme-evil/shop"},
		"another environment":          {"environment": "prod2"},
		"no environment":               {"environment": nil},
		"people's groups do not help":  {"repository": "evil/shop", "groups": []string{"engineers"}},
		"too old":                      {"iat": time.Now().Add(-time.Hour).Unix()},
		"no subject":                   {"sub": nil},
		"another audience":             {"aud": "hoop"},
	} {
		if got, err := v.VerifyLogin(t.Context(), i.sign(t, with(i.job(), m)), ""); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	token := i.sign(t, with(i.job(), map[string]any{"jti": "2"}))
	for _, want := range []error{nil, ErrReplayed} {
		if _, err := v.VerifyLogin(t.Context(), token, ""); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

func TestWorkloadNeverLogsInAsAPerson(t *testing.T) {
	i := newTestIssuer(t)
	v := i.verifier(t, func(c *IssuerConfig) { c.Login, c.ClientID = false, "" }, ci(i.URL, nil))
	for name, c := range map[string]map[string]any{
		"a person's token":       i.alice(),
		"a token for nobody":     with(i.alice(), map[string]any{"aud": ""}),
		"a token without an aud": with(i.alice(), map[string]any{"aud": nil}),
	} {
		if got, err := v.VerifyLogin(t.Context(), i.sign(t, c), ""); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestReusableWorkloadToken(t *testing.T) {
	i := newTestIssuer(t)
	v := i.verifier(t, nil, ci(i.URL, func(w *WorkloadConfig) { w.Reusable = true }))
	token := i.sign(t, with(i.job(), map[string]any{"iat": time.Now().Add(-30 * time.Minute).Unix()}))
	for range 2 {
		if _, err := v.VerifyLogin(t.Context(), token, ""); err != nil {
			t.Fatal(err)
		}
	}
	i.clock.advance(2 * time.Hour)
	_, err := v.VerifyLogin(t.Context(), token, "")
	refused(t, err, ErrToken, "expired")
}

func TestKeysFromAFile(t *testing.T) {
	i := newTestIssuer(t)
	path := filepath.Join(t.TempDir(), "jwks.json")
	write := func(v any) {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(i.keySet())
	v := i.verifier(t, func(c *IssuerConfig) { c.JWKSFile = path })
	if _, err := v.VerifyLogin(t.Context(), i.sign(t, i.alice()), ""); err != nil {
		t.Fatal(err)
	}
	if n := i.fetches("/keys") + i.fetches("/.well-known/openid-configuration"); n != 0 {
		t.Fatalf("the network was asked %d times", n)
	}
	hmacKey := []byte(strings.Repeat("k", 32))
	write(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: hmacKey, KeyID: "h"}}})
	i.clock.advance(time.Second)
	for name, token := range map[string]string{
		"a withdrawn key":    i.sign(t, i.alice()),
		"a symmetric key":    signWith(t, jose.HS256, hmacKey, "h", i.alice()),
		"alg none":           forge(t, `{"alg":"none","kid":"h"}`, i.alice(), ""),
		"a key of one's own": selfSigned(t, i.alice()),
	} {
		if _, err := v.VerifyLogin(t.Context(), token, ""); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err := v.VerifyLogin(t.Context(), i.sign(t, i.alice()), "")
	refused(t, err, ErrUnavailable, "keys")
}

func TestConfigThatIsRefused(t *testing.T) {
	good := IssuerConfig{URL: "https://id.example", ClientID: "c", Login: true}
	for name, change := range map[string]func(*IssuerConfig){
		"url is missing":       func(c *IssuerConfig) { c.URL = "" },
		"plain http":           func(c *IssuerConfig) { c.URL = "http://id.example" },
		"not an issuer":        func(c *IssuerConfig) { c.URL = "https://id.example?x=1" },
		"client_id is missing": func(c *IssuerConfig) { c.ClientID = "" },
		"every tenant":         func(c *IssuerConfig) { c.URL = "https://login.microsoftonline.com/common/v2.0" },
		"tenant id":            func(c *IssuerConfig) { c.URL = "https://login.microsoftonline.com/{tenantid}/v2.0" },
		"none of":              func(c *IssuerConfig) { c.Algorithms = []string{"none"} },
		"\"HS256\" is none of": func(c *IssuerConfig) { c.Algorithms = []string{"RS256", "HS256"} },
	} {
		c := good
		change(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, change := range map[string]func(*WorkloadConfig){
		"audience is missing":      func(w *WorkloadConfig) { w.Audience = "" },
		"claims is missing":        func(w *WorkloadConfig) { w.Claims = nil },
		"a lone *":                 func(w *WorkloadConfig) { w.Claims = map[string]string{"sub": "*"} },
		"single * at its end":      func(w *WorkloadConfig) { w.Claims = map[string]string{"sub": "a*b"} },
		"followed by the name":     func(w *WorkloadConfig) { w.Principal = "{x" },
		"closes nothing":           func(w *WorkloadConfig) { w.Principal = "x}" },
		"must not pass for a work": func(w *WorkloadConfig) { w.Audience = "c" },
		"is not configured":        func(w *WorkloadConfig) { w.Issuer = "https://other.example" },
	} {
		_, err := NewVerifier(Config{Issuers: []IssuerConfig{good}, Workloads: []WorkloadConfig{ci(good.URL, change)}, Log: quiet()})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := NewVerifier(Config{Issuers: []IssuerConfig{good, good}, Log: quiet()}); err == nil {
		t.Error("an issuer stands twice")
	}
}
