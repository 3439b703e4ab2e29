package identity

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoop/policy"
)

func principal() *policy.Principal {
	return &policy.Principal{ID: "https://id.example|u-1", Name: "alice", Kind: policy.Person, Groups: []string{"engineers"}}
}

func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func newLogins(t *testing.T, c LoginsConfig) *Logins {
	t.Helper()
	if c.State == nil {
		c.State = openState(t, &clock{})
	}
	c.Log = quiet()
	l, err := NewLogins(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func issue(t *testing.T, l *Logins, key ed25519.PrivateKey, ttl time.Duration) (string, *Login) {
	t.Helper()
	token, login, err := l.Issue(t.Context(), principal(), public(key), ttl, Meta{Client: "laptop"})
	if err != nil {
		t.Fatal(err)
	}
	return token, login
}

// answer is what the test broker says of a request.
type answer struct {
	Status  int    `json:"-"`
	Nonce   string `json:"-"`
	Code    string
	Message string
	Hint    string
	Name    string
	Binding string
	Token   string
}

// handler is a broker that only tells who is there, and lets people log in at
// /login with v.
func handler(l *Logins, v *Verifier) http.Handler {
	refuse := func(w http.ResponseWriter, err error) {
		var r *Refusal
		if !errors.As(err, &r) {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		r.SetHeader(w.Header())
		w.WriteHeader(r.Status())
		_ = json.NewEncoder(w).Encode(answer{Code: r.Code, Message: r.Message, Hint: r.Hint})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/who", func(w http.ResponseWriter, r *http.Request) {
		c, err := l.Authenticate(r)
		if err != nil {
			refuse(w, err)
			return
		}
		_ = json.NewEncoder(w).Encode(answer{Name: c.Chain().String(), Binding: c.Binding})
	})
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		var x Exchange
		if err := json.NewDecoder(r.Body).Decode(&x); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		x.TTL = time.Hour
		in, err := l.Exchange(r, v, x)
		if err != nil {
			refuse(w, err)
			return
		}
		_ = json.NewEncoder(w).Encode(answer{Token: in.Token, Name: in.Principal.Name, Binding: in.Binding})
	})
	return mux
}

// conn is one TLS connection of a client.
type conn struct {
	*tls.Conn
	host string
	r    *bufio.Reader
}

func dial(t *testing.T, s *httptest.Server) *conn {
	t.Helper()
	config := s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName = "example.com"
	c, err := tls.Dial("tcp", s.Listener.Addr().String(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &conn{c, "hoop.example", bufio.NewReader(c)}
}

func (c *conn) exporter(t *testing.T) []byte {
	t.Helper()
	state := c.ConnectionState()
	e, err := Exporter(&state)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (c *conn) request(t *testing.T, method, path string, body any) *http.Request {
	t.Helper()
	var r io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, "https://"+c.host+path, r)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func (c *conn) do(t *testing.T, req *http.Request) answer {
	t.Helper()
	if err := req.Write(c); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(c.r, req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	a := answer{Status: resp.StatusCode, Nonce: resp.Header.Get(NonceHeader)}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		t.Fatal(err)
	}
	if a.Status == http.StatusUnauthorized && resp.Header.Get("WWW-Authenticate") != scheme {
		t.Error("a 401 carries no challenge")
	}
	return a
}

// who asks who it is with a token and a proof.
func (c *conn) who(t *testing.T, token, proof string) answer {
	t.Helper()
	req := c.request(t, http.MethodGet, "/who?x=1", nil)
	SetAuthorization(req.Header, token, proof)
	return c.do(t, req)
}

func (a answer) mustBe(t *testing.T, status int, words string) {
	t.Helper()
	if a.Status != status || !strings.Contains(a.Message+a.Hint, words) {
		t.Errorf("got %d %q %q, want %d %q", a.Status, a.Message, a.Hint, status, words)
	}
}

func serveTLS(t *testing.T, h http.Handler, max uint16) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{MaxVersion: max}
	s.Config.ErrorLog = slog.NewLogLogger(quiet().Handler(), slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestProofBelongsToItsConnection(t *testing.T) {
	l := newLogins(t, LoginsConfig{})
	s := serveTLS(t, handler(l, nil), 0)
	key := newKey(t)
	token, _ := issue(t, l, key, time.Hour)
	c := dial(t, s)
	proof := SignProof(key, token, c.exporter(t))
	for range 2 { // one proof serves all requests of its connection
		if a := c.who(t, token, proof); a.Status != 200 || a.Name != "alice" || a.Binding != BindingExporter {
			t.Fatalf("got %+v", a)
		}
	}
	other := dial(t, s)
	other.who(t, token, proof).mustBe(t, 401, "does not belong to this TLS connection")
	c.who(t, token, SignProof(newKey(t), token, c.exporter(t))).mustBe(t, 401, "does not belong")
	c.who(t, token, SignLogin(key, token, c.exporter(t))).mustBe(t, 401, "does not belong")
	second, _ := issue(t, l, key, time.Hour)
	c.who(t, second, proof).mustBe(t, 401, "does not belong")
	if a := other.who(t, token, SignProof(key, token, other.exporter(t))); a.Status != 200 {
		t.Fatalf("its own proof on the other connection: %+v", a)
	}
}

func TestProofOverTLS12(t *testing.T) {
	l := newLogins(t, LoginsConfig{})
	s := serveTLS(t, handler(l, nil), tls.VersionTLS12)
	key := newKey(t)
	token, _ := issue(t, l, key, time.Hour)
	c := dial(t, s)
	if a := c.who(t, token, SignProof(key, token, c.exporter(t))); a.Status != 200 {
		t.Fatalf("got %+v", a)
	}
}

func TestHeaderIsRefused(t *testing.T) {
	l := newLogins(t, LoginsConfig{})
	s := serveTLS(t, handler(l, nil), 0)
	key := newKey(t)
	token, _ := issue(t, l, key, time.Hour)
	c := dial(t, s)
	proof := SignProof(key, token, c.exporter(t))
	for _, tt := range []struct {
		name    string
		headers [][2]string
		says    string
	}{
		{"nothing", nil, "not signed in"},
		{"no proof", [][2]string{{"Authorization", "Hoop " + token}}, "does not prove"},
		{"a proof without a token", [][2]string{{ProofHeader, proof}}, "not signed in"},
		{"another scheme", [][2]string{{"Authorization", "Bearer " + token}, {ProofHeader, proof}}, "scheme"},
		{"an unknown token", [][2]string{{"Authorization", "Hoop hl1_" + strings.Repeat("A", 43)}, {ProofHeader, proof}}, "does not know"},
		{"a short token", [][2]string{{"Authorization", "Hoop hl1_AAAA"}, {ProofHeader, proof}}, "malformed"},
		{"another kind of token", [][2]string{{"Authorization", "Hoop hx1_" + token[4:]}, {ProofHeader, proof}}, "malformed"},
		{"two tokens", [][2]string{{"Authorization", "Hoop " + token}, {"Authorization", "Hoop " + token}, {ProofHeader, proof}}, "several"},
		{"two proofs", [][2]string{{"Authorization", "Hoop " + token}, {ProofHeader, proof}, {ProofHeader, proof}}, "several"},
		{"no such form", [][2]string{{"Authorization", "Hoop " + token}, {ProofHeader, "v2" + proof[2:]}}, "neither"},
		{"a cut signature", [][2]string{{"Authorization", "Hoop " + token}, {ProofHeader, proof[:len(proof)-1]}}, "neither"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := c.request(t, http.MethodGet, "/who?x=1", nil)
			for _, h := range tt.headers {
				req.Header.Add(h[0], h[1])
			}
			c.do(t, req).mustBe(t, 401, tt.says)
		})
	}
	req := c.request(t, http.MethodGet, "/who?x=1", nil)
	req.Header.Set("Authorization", "hOOp "+token)
	req.Header.Set(ProofHeader, proof)
	if a := c.do(t, req); a.Status != 200 {
		t.Errorf("the scheme is case-insensitive: %+v", a)
	}
}

// behindProxy puts a real reverse proxy that ends TLS before a broker that
// serves plain HTTP.
func behindProxy(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	inner := httptest.NewServer(h)
	t.Cleanup(inner.Close)
	to, err := url.Parse(inner.URL)
	if err != nil {
		t.Fatal(err)
	}
	return serveTLS(t, &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(to)
		p.Out.Host = p.In.Host
		p.SetXForwarded()
	}}, 0)
}

func loopbackNets() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

func TestNonceBehindAProxy(t *testing.T) {
	l := newLogins(t, LoginsConfig{Proxies: loopbackNets(), PublicHost: "hoop.example"})
	s := behindProxy(t, handler(l, nil))
	key := newKey(t)
	token, _ := issue(t, l, key, time.Hour)
	c := dial(t, s)
	asked := c.who(t, token, SignProof(key, token, c.exporter(t)))
	if asked.Status != 401 || asked.Code != CodeNonceRequired || asked.Nonce == "" {
		t.Fatalf("got %+v", asked)
	}
	route := RouteOf(c.request(t, http.MethodGet, "/who?x=1", nil))
	proof := SignNonceProof(key, token, asked.Nonce, route)
	if a := c.who(t, token, proof); a.Status != 200 || a.Binding != BindingNonce {
		t.Fatalf("got %+v", a)
	}
	again := c.who(t, token, proof)
	if again.Status != 401 || again.Code != CodeNonceRequired || again.Nonce == asked.Nonce {
		t.Fatalf("the nonce was taken twice, or no new one given: %+v", again)
	}
	change := func(f func(*Route)) Route { r := route; f(&r); return r }
	for name, other := range map[string]string{
		"another method":  SignNonceProof(key, token, again.Nonce, change(func(r *Route) { r.Method = "POST" })),
		"another path":    SignNonceProof(key, token, again.Nonce, change(func(r *Route) { r.Path = "/who?x=2" })),
		"another host":    SignNonceProof(key, token, again.Nonce, change(func(r *Route) { r.Host = "evil.example" })),
		"another key":     SignNonceProof(newKey(t), token, again.Nonce, route),
		"another token":   SignNonceProof(key, token+"x", again.Nonce, route),
		"another purpose": SignNonceLogin(key, token, again.Nonce, route),
	} {
		if a := c.who(t, token, other); a.Status != 401 || a.Code != CodeUnauthenticated {
			t.Errorf("%s: %+v", name, a)
		}
	}
	for name, nonce := range map[string]string{
		"invented": strings.Repeat("A", len(again.Nonce)), "changed": flip(again.Nonce), "not base64": "????",
	} {
		if a := c.who(t, token, SignNonceProof(key, token, nonce, route)); a.Code != CodeNonceRequired {
			t.Errorf("nonce %s: %+v", name, a)
		}
	}
	if a := c.who(t, token, SignNonceProof(key, token, again.Nonce, route)); a.Status != 200 {
		t.Errorf("what others tried used the nonce up: %+v", a)
	}
}

// A site that poses as the broker and passes everything on must not be able to
// use what it is given, even where the proxy lets its name through.
func TestNonceSignedForAnotherHostIsRefused(t *testing.T) {
	l := newLogins(t, LoginsConfig{Proxies: loopbackNets(), PublicHost: "hoop.example"})
	key := newKey(t)
	token, _ := issue(t, l, key, time.Hour)
	c := dial(t, behindProxy(t, handler(l, nil)))
	c.host = "evil.example"
	nonce := c.who(t, token, SignProof(key, token, c.exporter(t))).Nonce
	route := RouteOf(c.request(t, http.MethodGet, "/who?x=1", nil))
	c.who(t, token, SignNonceProof(key, token, nonce, route)).mustBe(t, 401, "does not fit this request")
	route.Host = "HOOP.example:443"
	if a := c.who(t, token, SignNonceProof(key, token, nonce, route)); a.Status != 200 {
		t.Errorf("signed for the broker's own name: %+v", a)
	}
}

func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

func TestNonceFromAPeerThatIsNoProxy(t *testing.T) {
	l := newLogins(t, LoginsConfig{})
	s := serveTLS(t, handler(l, nil), 0)
	key := newKey(t)
	token, _ := issue(t, l, key, time.Hour)
	c := dial(t, s)
	route := RouteOf(c.request(t, http.MethodGet, "/who?x=1", nil))
	c.who(t, token, SignNonceProof(key, token, l.nonces.issue(), route)).mustBe(t, 401, "trusted_proxies")
	p := dial(t, behindProxy(t, handler(l, nil)))
	a := p.who(t, token, SignProof(key, token, p.exporter(t)))
	a.mustBe(t, 401, "trusted_proxies")
	if a.Nonce != "" {
		t.Error("a proxy that is not trusted was given a nonce")
	}
}

func TestExporterStillCountsFromATrustedAddress(t *testing.T) {
	l := newLogins(t, LoginsConfig{Proxies: loopbackNets()})
	s := serveTLS(t, handler(l, nil), 0)
	key := newKey(t)
	token, _ := issue(t, l, key, time.Hour)
	c := dial(t, s)
	if a := c.who(t, token, SignProof(key, token, c.exporter(t))); a.Status != 200 || a.Binding != BindingExporter {
		t.Fatalf("got %+v", a)
	}
}

func TestNonceLifetime(t *testing.T) {
	c := &clock{}
	n := newNonces(c.now)
	old := n.issue()
	c.advance(nonceLife)
	if n.use(old) {
		t.Error("a nonce was taken after its minute")
	}
	ahead := n.issue()
	c.advance(-time.Second)
	if n.use(ahead) {
		t.Error("a nonce of the future was taken")
	}
	c.advance(2 * time.Second)
	if !n.use(ahead) {
		t.Error("a fresh nonce was not taken")
	}
	if newNonces(c.now).use(n.issue()) {
		t.Error("another broker's nonce was taken")
	}
}

func TestUsedNoncesAreBoundedAndForgotten(t *testing.T) {
	c := &clock{}
	n := newNonces(c.now)
	n.maxUsed = 3
	taken := 0
	for range 5 {
		if n.use(n.issue()) {
			taken++
		}
	}
	if taken != 3 || len(n.used) != 3 {
		t.Fatalf("took %d, keeps %d", taken, len(n.used))
	}
	c.advance(nonceLife)
	if !n.use(n.issue()) || len(n.used) != 1 {
		t.Fatalf("keeps %d after their minute", len(n.used))
	}
}

func TestLoginExchange(t *testing.T) {
	i := newTestIssuer(t)
	v := i.verifier(t, nil)
	for _, tt := range []struct {
		name    string
		server  func(*testing.T, http.Handler) *httptest.Server
		binding string
	}{
		{"straight", func(t *testing.T, h http.Handler) *httptest.Server { return serveTLS(t, h, 0) }, BindingExporter},
		{"behind a proxy", behindProxy, BindingNonce},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLogins(t, LoginsConfig{Proxies: loopbackNets()})
			c := dial(t, tt.server(t, handler(l, v)))
			key := newKey(t)
			x := Exchange{IDToken: i.sign(t, with(i.alice(), map[string]any{"jti": tt.name})), PublicKey: public(key), Client: "laptop"}
			x.Proof = SignLogin(key, x.IDToken, c.exporter(t))
			a := c.do(t, c.request(t, http.MethodPost, "/login", x))
			if a.Code == CodeNonceRequired {
				x.Proof = SignNonceLogin(key, x.IDToken, a.Nonce, RouteOf(c.request(t, http.MethodPost, "/login", nil)))
				a = c.do(t, c.request(t, http.MethodPost, "/login", x))
			}
			if a.Status != 200 || a.Binding != tt.binding || a.Name != "alice@example.com" {
				t.Fatalf("got %+v", a)
			}
			list := l.List()
			if len(list) != 1 || list[0].Client != "laptop" || list[0].Address == "" || !list[0].Key.Equal(public(key)) {
				t.Fatalf("kept as %+v", list)
			}
		})
	}
}

// A thief who sees an ID token on its way must not be able to bind it to a key
// of their own, nor anybody to a key that they do not hold.
func TestStolenIDTokenCannotBeBound(t *testing.T) {
	i := newTestIssuer(t)
	v := i.verifier(t, nil)
	l := newLogins(t, LoginsConfig{})
	s := serveTLS(t, handler(l, v), 0)
	alice, thief := dial(t, s), dial(t, s)
	key, thiefs := newKey(t), newKey(t)
	token := i.sign(t, i.alice())
	seen := SignLogin(key, token, alice.exporter(t)) // what alice sends, overheard
	for name, x := range map[string]Exchange{
		"her request on another connection": {PublicKey: public(key), Proof: seen},
		"her proof with another key":        {PublicKey: public(thiefs), Proof: seen},
		"a key that nobody proved":          {PublicKey: public(thiefs), Proof: SignLogin(key, token, thief.exporter(t))},
		"a proof for requests":              {PublicKey: public(thiefs), Proof: SignProof(thiefs, token, thief.exporter(t))},
		"no key":                            {Proof: seen},
		"no proof":                          {PublicKey: public(thiefs)},
	} {
		x.IDToken = token
		if a := thief.do(t, thief.request(t, http.MethodPost, "/login", x)); a.Status != 401 {
			t.Errorf("%s: %+v", name, a)
		}
	}
	x := Exchange{IDToken: token, PublicKey: public(key), Proof: seen}
	if a := alice.do(t, alice.request(t, http.MethodPost, "/login", x)); a.Status != 200 {
		t.Errorf("alice after that: %+v", a)
	}
	x = Exchange{IDToken: token, PublicKey: public(thiefs), Proof: SignLogin(thiefs, token, thief.exporter(t))}
	thief.do(t, thief.request(t, http.MethodPost, "/login", x)).mustBe(t, 401, "logged in before")
}

func TestRevokedLoginEndsAtOnce(t *testing.T) {
	l := newLogins(t, LoginsConfig{})
	s := serveTLS(t, handler(l, nil), 0)
	key := newKey(t)
	token, login := issue(t, l, key, time.Hour)
	otherKey := newKey(t)
	other, otherLogin := issue(t, l, otherKey, time.Hour)
	c := dial(t, s)
	if err := l.Revoke(t.Context(), login.ID, "laptop lost"); err != nil {
		t.Fatal(err)
	}
	<-login.Done()
	if cause := context.Cause(login.Ended()); !errors.Is(cause, ErrRevoked) || !strings.Contains(cause.Error(), "laptop lost") {
		t.Errorf("live sessions are told %v", cause)
	}
	c.who(t, token, SignProof(key, token, c.exporter(t))).mustBe(t, 401, "laptop lost")
	if a := c.who(t, other, SignProof(otherKey, other, c.exporter(t))); a.Status != 200 {
		t.Errorf("the other login: %+v", a)
	}
	if list := l.List(); len(list) != 1 || list[0] != otherLogin {
		t.Errorf("listed: %v", list)
	}
	if err := l.Revoke(t.Context(), "lg_none", ""); !errors.Is(err, ErrUnknownLogin) {
		t.Errorf("an id that nobody has: %v", err)
	}
	if n, err := l.RevokePrincipal(t.Context(), principal().ID, "left"); n != 2 || err != nil {
		t.Errorf("revoked %d, %v", n, err)
	}
	<-otherLogin.Done()
}

func TestExpiredLogin(t *testing.T) {
	l := newLogins(t, LoginsConfig{})
	s := serveTLS(t, handler(l, nil), 0)
	key := newKey(t)
	token, login := issue(t, l, key, time.Millisecond)
	<-login.Done()
	if cause := context.Cause(login.Ended()); !errors.Is(cause, ErrExpired) {
		t.Errorf("live sessions are told %v", cause)
	}
	c := dial(t, s)
	c.who(t, token, SignProof(key, token, c.exporter(t))).mustBe(t, 401, "hoop login")
	c.who(t, token, SignProof(key, token, c.exporter(t))).mustBe(t, 401, "expired")
	if list := l.List(); len(list) != 0 {
		t.Errorf("listed: %v", list)
	}
}

// A session must not break when its client logs in again, and must not outlive
// what it was given.
func TestRenewedLoginCarriesLiveSessionsOn(t *testing.T) {
	const short = 2 * time.Second
	l := newLogins(t, LoginsConfig{})
	key := newKey(t)
	token, old := issue(t, l, key, short)
	alone := map[string]*Login{}
	_, alone["another key"] = issue(t, l, newKey(t), short)
	promoted := principal()
	promoted.Groups = []string{"engineers", "contractors"}
	var err error
	if _, alone["other groups"], err = l.Issue(t.Context(), promoted, public(key), short, Meta{}); err != nil {
		t.Fatal(err)
	}
	_, renewed := issue(t, l, key, time.Hour)
	for _, login := range alone {
		<-login.Done()
		if cause := context.Cause(login.Ended()); !errors.Is(cause, ErrExpired) {
			t.Errorf("ended with %v", cause)
		}
	}
	c := dial(t, serveTLS(t, handler(l, nil), 0))
	for !time.Now().After(old.Expires) {
		time.Sleep(time.Millisecond)
	}
	c.who(t, token, SignProof(key, token, c.exporter(t))).mustBe(t, 401, "expired")
	if old.Ended().Err() != nil {
		t.Fatal("the live session of a renewed login was ended")
	}
	if list := l.List(); len(list) != 1 || list[0] != renewed {
		t.Errorf("listed: %v", list)
	}
	if err := l.Revoke(t.Context(), renewed.ID, "laptop lost"); err != nil {
		t.Fatal(err)
	}
	<-old.Done()
	if cause := context.Cause(old.Ended()); !errors.Is(cause, ErrRevoked) {
		t.Errorf("ended with %v", cause)
	}
}

func TestLoginsSurviveARestart(t *testing.T) {
	state := openState(t, &clock{})
	l := newLogins(t, LoginsConfig{State: state})
	key := newKey(t)
	good, login := issue(t, l, key, time.Hour)
	otherKey := newKey(t)
	bad, revokedLogin := issue(t, l, otherKey, time.Hour)
	if err := l.Revoke(t.Context(), revokedLogin.ID, "lost"); err != nil {
		t.Fatal(err)
	}
	l.Close()
	l = newLogins(t, LoginsConfig{State: state})
	c := dial(t, serveTLS(t, handler(l, nil), 0))
	if a := c.who(t, good, SignProof(key, good, c.exporter(t))); a.Status != 200 || a.Name != "alice" {
		t.Errorf("after a restart: %+v", a)
	}
	c.who(t, bad, SignProof(otherKey, bad, c.exporter(t))).mustBe(t, 401, "lost")
	list := l.List()
	if len(list) != 1 {
		t.Fatalf("listed: %v", list)
	}
	if diff := cmp.Diff(login.Principal, list[0].Principal); diff != "" || list[0].ID != login.ID {
		t.Errorf("picked up as %+v", list[0])
	}
	if err := l.Revoke(t.Context(), login.ID, "again"); err != nil {
		t.Error(err)
	}
	c.who(t, good, SignProof(key, good, c.exporter(t))).mustBe(t, 401, "again")
}

func TestStoreHoldsNoToken(t *testing.T) {
	state := openState(t, &clock{})
	l := newLogins(t, LoginsConfig{State: state})
	token, _ := issue(t, l, newKey(t), time.Hour)
	n := 0
	err := state.ForEach(t.Context(), loginBucket, func(key string, value []byte) error {
		n++
		if strings.Contains(key+string(value), token[len(tokenPrefix):]) {
			t.Errorf("the token stands in %s = %s", key, value)
		}
		return nil
	})
	if n != 1 || err != nil {
		t.Fatalf("%d entries, %v", n, err)
	}
}

// failing is a store that fails from the moment it is told to.
type failing struct {
	State
	broken bool
}

func (f *failing) Get(ctx context.Context, bucket, key string) ([]byte, error) {
	if f.broken {
		return nil, errors.New("disk on fire")
	}
	return f.State.Get(ctx, bucket, key)
}

func (f *failing) Put(ctx context.Context, bucket, key string, value []byte, until time.Time) error {
	if f.broken {
		return errors.New("disk on fire")
	}
	return f.State.Put(ctx, bucket, key, value, until)
}

func TestBrokenStoreDenies(t *testing.T) {
	f := &failing{State: openState(t, &clock{})}
	l := newLogins(t, LoginsConfig{State: f})
	key := newKey(t)
	token, login := issue(t, l, key, time.Hour)
	c := dial(t, serveTLS(t, handler(l, nil), 0))
	f.broken = true
	a := c.who(t, token, SignProof(key, token, c.exporter(t)))
	if a.Status != http.StatusServiceUnavailable || a.Code != CodeUnavailable || strings.Contains(a.Message, "fire") {
		t.Errorf("got %+v", a)
	}
	if _, _, err := l.Issue(t.Context(), principal(), public(key), time.Hour, Meta{}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("issued: %v", err)
	}
	if err := l.Revoke(t.Context(), login.ID, "lost"); err == nil {
		t.Error("a revocation that was not kept is reported as done")
	}
	<-login.Done()
	f.broken = false
	c.who(t, token, SignProof(key, token, c.exporter(t))).mustBe(t, 401, "revoked")
	if err := l.Revoke(t.Context(), login.ID, "lost for good"); err != nil {
		t.Error(err)
	}
	c.who(t, token, SignProof(key, token, c.exporter(t))).mustBe(t, 401, "lost for good")
}

func TestClosedLoginsDeny(t *testing.T) {
	l := newLogins(t, LoginsConfig{})
	key := newKey(t)
	token, login := issue(t, l, key, time.Hour)
	l.Close()
	<-login.Done()
	c := dial(t, serveTLS(t, handler(l, nil), 0))
	if a := c.who(t, token, SignProof(key, token, c.exporter(t))); a.Status != http.StatusServiceUnavailable {
		t.Errorf("got %+v", a)
	}
	if _, _, err := l.Issue(t.Context(), principal(), public(key), time.Hour, Meta{}); err == nil {
		t.Error("a login was issued")
	}
}

func TestClientAddress(t *testing.T) {
	proxies, err := ParseProxies([]string{"10.0.0.0/8", "::1", "192.0.2.7"})
	if err != nil {
		t.Fatal(err)
	}
	l := newLogins(t, LoginsConfig{Proxies: proxies})
	for _, tt := range []struct {
		peer string
		hops []string
		want string
	}{
		{"198.51.100.1:99", nil, "198.51.100.1:99"},
		{"198.51.100.1:99", []string{"203.0.113.5"}, "198.51.100.1:99"},
		{"10.1.1.1:99", []string{"203.0.113.5"}, "203.0.113.5"},
		{"[::ffff:10.1.1.1]:99", []string{"203.0.113.5"}, "203.0.113.5"},
		{"192.0.2.7:1", []string{"6.6.6.6, 203.0.113.5, 10.9.9.9"}, "203.0.113.5"},
		{"192.0.2.7:1", []string{"6.6.6.6", "203.0.113.5"}, "203.0.113.5"},
		{"10.1.1.1:99", []string{"203.0.113.5, nonsense"}, "10.1.1.1:99"},
		{"10.1.1.1:99", nil, "10.1.1.1:99"},
		{"192.0.2.8:1", []string{"203.0.113.5"}, "192.0.2.8:1"},
		{"@", []string{"203.0.113.5"}, "@"},
	} {
		r := &http.Request{RemoteAddr: tt.peer, Header: http.Header{"X-Forwarded-For": tt.hops}}
		if got := l.ClientAddress(r); got != tt.want {
			t.Errorf("peer %s, hops %q: got %s, want %s", tt.peer, tt.hops, got, tt.want)
		}
	}
	if _, err := ParseProxies([]string{"nonsense"}); err == nil {
		t.Error("nonsense is no network")
	}
}

func TestNonceProofParts(t *testing.T) {
	base := overNonce(nonceProofContext, "t", "n", Route{"GET", "h", "/p"})
	for name, other := range map[string][]byte{
		"moved from method to host": overNonce(nonceProofContext, "t", "n", Route{"GE", "Th", "/p"}),
		"moved from host to path":   overNonce(nonceProofContext, "t", "n", Route{"GET", "", "h/p"}),
		"moved from nonce":          overNonce(nonceProofContext, "t", "", Route{"nGET", "h", "/p"}),
	} {
		if bytes.Equal(base, other) {
			t.Error(name)
		}
	}
	if !bytes.Equal(base, overNonce(nonceProofContext, "t", "n", Route{"GET", "H:443", "/p"})) {
		t.Error("the default port and the case of the host make a difference")
	}
}

// What the parser takes, it must give back letter by letter: no two headers
// stand for one proof or token.
func FuzzProof(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	f.Add(SignProof(key, "t", make([]byte, exporterSize)))
	f.Add(SignNonceProof(key, "t", "nonce", Route{"GET", "h", "/"}))
	f.Add("n1  " + strings.Repeat("A", 86))
	f.Add("v1 " + strings.Repeat("A", 85) + "\n")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parseProof(s)
		if err != nil {
			return
		}
		if p.String() != s {
			t.Fatalf("%q was read as %q", s, p.String())
		}
		if len(p.signature) != ed25519.SignatureSize || strings.Contains(p.nonce, " ") || len(p.nonce) > maxNonce {
			t.Fatalf("took %q", s)
		}
	})
}

func FuzzAuthorization(f *testing.F) {
	f.Add("Hoop hl1_" + strings.Repeat("A", 43))
	f.Add("hoop hl1_" + strings.Repeat("_", 42) + "8")
	f.Add("Hoop  hl1_" + strings.Repeat("A", 43))
	f.Fuzz(func(t *testing.T, s string) {
		token, err := parseAuthorization(s)
		if err != nil {
			var r *Refusal
			if !errors.As(err, &r) || r.Code != CodeUnauthenticated {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if len(token) != len(tokenPrefix)+43 || !strings.EqualFold(s, scheme+" "+token) || !strings.HasSuffix(s, token) {
			t.Fatalf("%q was read as %q", s, token)
		}
	})
}
