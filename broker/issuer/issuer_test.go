package issuer_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"hoop/broker/issuer"
)

const alicePassword = "correct horse battery"

// world is a running issuer and a client of it.
type world struct {
	t      *testing.T
	cfg    issuer.Config
	url    string
	stop   func()
	issuer *issuer.Issuer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, cfg: issuer.Config{
		Listen: "127.0.0.1:0", Dir: dir, UsersFile: filepath.Join(dir, "users.yaml"), PollInterval: time.Second,
	}}
	w.setUser(issuer.User{Name: "alice", FullName: "Alice Example", Email: "alice@example.com",
		Groups: []string{"engineers", "oncall"}}, alicePassword)
	w.start()
	return w
}

func (w *world) setUser(u issuer.User, password string) {
	w.t.Helper()
	var err error
	if u.Password, err = issuer.HashPassword(password); err != nil {
		w.t.Fatal(err)
	}
	if err := issuer.SetUser(w.cfg.UsersFile, u); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) start() {
	w.t.Helper()
	iss, err := issuer.New(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.issuer, w.url = iss, iss.URL()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- iss.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	w.t.Cleanup(w.stop)
}

// restart brings the issuer back under the same name.
func (w *world) restart() {
	w.t.Helper()
	w.stop()
	http.DefaultClient.CloseIdleConnections() // they lead to the old one
	w.cfg.Listen = strings.TrimPrefix(w.url, "http://")
	w.start()
}

func (w *world) config(redirect string) oauth2.Config {
	return oauth2.Config{
		ClientID: "hoop", RedirectURL: redirect,
		Scopes: []string{"openid", "profile", "email", "groups", "offline_access"},
		Endpoint: oauth2.Endpoint{
			AuthURL: w.url + "/authorize", TokenURL: w.url + "/oauth/token",
			DeviceAuthURL: w.url + "/device_authorization", AuthStyle: oauth2.AuthStyleInParams,
		},
	}
}

const redirect = "http://127.0.0.1:4711/callback"

// code walks the browser through the sign-in and returns the code.
func (w *world) code(verifier string) string {
	w.t.Helper()
	b := newBrowser(w.t)
	conf := w.config(redirect)
	b.get(conf.AuthCodeURL("the-state", oidc.Nonce("the-nonce"), oauth2.S256ChallengeOption(verifier)))
	b.submit(url.Values{"login": {"alice"}, "password": {alicePassword}})
	if b.redirected == nil || b.redirected.Query().Get("state") != "the-state" {
		w.t.Fatalf("browser ended at %v with status %d: %s", b.at, b.status, b.body)
	}
	return b.redirected.Query().Get("code")
}

func (w *world) tokens() *oauth2.Token {
	w.t.Helper()
	verifier := oauth2.GenerateVerifier()
	conf := w.config(redirect)
	token, err := conf.Exchange(context.Background(), w.code(verifier), oauth2.VerifierOption(verifier))
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

func (w *world) refresh(token string) (*oauth2.Token, error) {
	conf := w.config(redirect)
	return conf.TokenSource(context.Background(), &oauth2.Token{RefreshToken: token}).Token()
}

// claims verifies the ID token with go-oidc and gives its claims.
func (w *world) claims(token *oauth2.Token) map[string]any {
	w.t.Helper()
	ctx := context.Background()
	provider, err := oidc.NewProvider(ctx, w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: "hoop"}).Verify(ctx, raw)
	if err != nil {
		w.t.Fatal(err)
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		w.t.Fatal(err)
	}
	return claims
}

// wantRefusal checks the OAuth error code of a token request.
func wantRefusal(t *testing.T, err error, code string) {
	t.Helper()
	refusal, ok := err.(*oauth2.RetrieveError)
	if !ok || refusal.ErrorCode != code {
		t.Fatalf("got %v, want the error %q", err, code)
	}
}

// browser is a person's browser: cookies, forms, redirects. It stops at the
// redirect to the client, where nobody listens in these tests.
type browser struct {
	t          *testing.T
	client     *http.Client
	at         *url.URL
	status     int
	header     http.Header
	body       string
	redirected *url.URL
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t}
	b.client = &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/callback" {
			b.redirected = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return b
}

func (b *browser) get(address string) {
	b.t.Helper()
	r, err := b.client.Get(address)
	b.take(r, err)
}

func (b *browser) take(r *http.Response, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.at, b.status, b.header, b.body = r.Request.URL, r.StatusCode, r.Header, string(body)
}

// hidden gives the hidden fields of the form on the page.
func (b *browser) hidden() url.Values {
	fields := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(b.body, -1) {
		fields.Set(m[1], m[2])
	}
	return fields
}

func (b *browser) submit(fields url.Values) {
	b.t.Helper()
	form := b.hidden()
	for name, values := range fields {
		form[name] = values
	}
	r, err := b.client.PostForm(b.at.String(), form)
	b.take(r, err)
}

func TestCodeFlowGivesVerifiedClaims(t *testing.T) {
	w := newWorld(t)
	before := time.Now().Add(-2 * time.Second).Unix()
	token := w.tokens()
	claims := w.claims(token)
	want := map[string]any{
		"iss": w.url, "sub": "alice", "azp": "hoop", "nonce": "the-nonce",
		"name": "Alice Example", "preferred_username": "alice",
		"email": "alice@example.com", "email_verified": true,
		"groups": []any{"engineers", "oncall"},
	}
	got := map[string]any{}
	for name := range want {
		got[name] = claims[name]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if at, _ := claims["auth_time"].(float64); int64(at) < before {
		t.Errorf("auth_time = %v, want about now", claims["auth_time"])
	}
	info := userinfo(t, w.url, token.AccessToken)
	if info["sub"] != "alice" || info["email"] != "alice@example.com" {
		t.Errorf("userinfo = %v", info)
	}
}

func userinfo(t *testing.T, base, access string) map[string]any {
	t.Helper()
	r, err := http.NewRequest("GET", base+"/userinfo", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+access)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	info := map[string]any{}
	if err := json.NewDecoder(resp.Body).Decode(&info); err != nil {
		t.Fatal(err)
	}
	return info
}

func TestPersonWithoutGroupsHasAnEmptyList(t *testing.T) {
	w := newWorld(t)
	w.setUser(issuer.User{Name: "alice"}, alicePassword)
	claims := w.claims(w.tokens())
	if diff := cmp.Diff([]any{}, claims["groups"]); diff != "" {
		t.Error(diff)
	}
}

func TestCodeUsedTwiceRevokesWhatItGave(t *testing.T) {
	w := newWorld(t)
	verifier := oauth2.GenerateVerifier()
	code, conf := w.code(verifier), w.config(redirect)
	token, err := conf.Exchange(context.Background(), code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	_, err = conf.Exchange(context.Background(), code, oauth2.VerifierOption(verifier))
	wantRefusal(t, err, "invalid_grant")
	_, err = w.refresh(token.RefreshToken)
	wantRefusal(t, err, "invalid_grant")
}

func TestWrongVerifierIsRefusedAndUsesTheCodeUp(t *testing.T) {
	w := newWorld(t)
	verifier := oauth2.GenerateVerifier()
	code, conf := w.code(verifier), w.config(redirect)
	_, err := conf.Exchange(context.Background(), code, oauth2.VerifierOption(oauth2.GenerateVerifier()))
	wantRefusal(t, err, "invalid_grant")
	_, err = conf.Exchange(context.Background(), code, oauth2.VerifierOption(verifier))
	wantRefusal(t, err, "invalid_grant")
}

func TestPKCEWithS256IsRequired(t *testing.T) {
	w := newWorld(t)
	conf := w.config(redirect)
	for name, options := range map[string][]oauth2.AuthCodeOption{
		"none": nil,
		"plain": {oauth2.SetAuthURLParam("code_challenge", strings.Repeat("a", 43)),
			oauth2.SetAuthURLParam("code_challenge_method", "plain")},
	} {
		b := newBrowser(t)
		b.get(conf.AuthCodeURL("s", options...))
		if b.redirected == nil || b.redirected.Query().Get("error") != "invalid_request" {
			t.Errorf("%s: ended at %v, status %d, want the redirect to carry invalid_request", name, b.at, b.status)
		}
	}
}

func TestWrongRedirectIsNeverFollowed(t *testing.T) {
	w := newWorld(t)
	for _, wrong := range []string{
		"http://evil.example/callback", "https://evil.example/callback", "http://127.0.0.1:99/elsewhere",
		"http://127.0.0.1.evil.example/callback", "http://127.0.0.1@evil.example/callback", "javascript:alert(1)",
	} {
		conf := w.config(wrong)
		b := newBrowser(t)
		b.get(conf.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
		if b.redirected != nil || b.status != http.StatusBadRequest {
			t.Errorf("%s: redirected to %v, status %d", wrong, b.redirected, b.status)
		}
	}
}

// A link to a sign-in that somebody else started is the way to steal a code:
// the browser that did not start it can neither sign in nor fetch the code.
func TestAnotherBrowserCannotGoOn(t *testing.T) {
	w := newWorld(t)
	conf := w.config(redirect)
	attacker, victim := newBrowser(t), newBrowser(t)
	attacker.get(conf.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
	victim.get(attacker.at.String())
	if victim.status != http.StatusBadRequest {
		t.Errorf("the sign-in page of another browser answered %d", victim.status)
	}

	victim.get(conf.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
	link := victim.at
	victim.submit(url.Values{"login": {"alice"}, "password": {alicePassword}})
	attacker.get(w.url + "/authorize/callback?id=" + link.Query().Get("id"))
	if attacker.redirected != nil || attacker.status != http.StatusBadRequest {
		t.Errorf("another browser fetched a code: %v, status %d", attacker.redirected, attacker.status)
	}
}

func TestFormsNeedTheirToken(t *testing.T) {
	w := newWorld(t)
	conf := w.config(redirect)
	b := newBrowser(t)
	b.get(conf.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
	form := b.hidden()
	form.Set("login", "alice")
	form.Set("password", alicePassword)

	other := newBrowser(t)
	other.get(w.url + "/device")
	for name, token := range map[string]string{"none": "", "made up": "x", "of another browser": other.hidden().Get("csrf")} {
		bad := url.Values{"id": form["id"], "login": form["login"], "password": form["password"], "csrf": {token}}
		r, err := b.client.PostForm(b.at.String(), bad)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusForbidden {
			t.Errorf("token %s: status %d, want 403", name, r.StatusCode)
		}
	}

	r, err := http.NewRequest("POST", b.at.String(), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("post from another site: status %d, want 403", resp.StatusCode)
	}

	// The same form, sent as it should be, signs in: the refusals above were
	// for the token and the origin alone.
	b.submit(url.Values{"login": {"alice"}, "password": {alicePassword}})
	if b.redirected == nil {
		t.Errorf("own form: status %d: %s", b.status, b.body)
	}
}

func TestPagesRunNoScriptAndCannotBeFramed(t *testing.T) {
	w := newWorld(t)
	conf := w.config(redirect)
	b := newBrowser(t)
	for _, address := range []string{
		conf.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())),
		w.url + `/device?user_code="><script>alert(1)</script>`, w.url + "/sign-in?id=x",
	} {
		b.get(address)
		csp := b.header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: policy %q lacks %q", b.at.Path, csp, want)
			}
		}
		if strings.Contains(b.body, "<script") || !strings.Contains(b.body, "<title>") {
			t.Errorf("%s: page is not plain:\n%s", b.at.Path, b.body)
		}
	}
}

func TestPasswordGuessesAreLimited(t *testing.T) {
	w := newWorld(t)
	conf := w.config(redirect)
	b := newBrowser(t)
	b.get(conf.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
	for i := range 5 {
		b.submit(url.Values{"login": {"alice"}, "password": {"guess"}})
		if b.status != http.StatusUnauthorized {
			t.Fatalf("guess %d: status %d, want 401", i, b.status)
		}
	}
	b.submit(url.Values{"login": {"alice"}, "password": {alicePassword}})
	if b.status != http.StatusTooManyRequests {
		t.Errorf("after five wrong guesses: status %d, want 429", b.status)
	}
}

func TestRefreshRotatesAndReuseRevokes(t *testing.T) {
	w := newWorld(t)
	first := w.tokens()
	second, err := w.refresh(first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if second.RefreshToken == first.RefreshToken {
		t.Fatal("the refresh token did not change")
	}
	if claims := w.claims(second); claims["sub"] != "alice" || claims["auth_time"] != w.claims(first)["auth_time"] {
		t.Errorf("claims after a refresh: %v", claims)
	}
	_, err = w.refresh(first.RefreshToken)
	wantRefusal(t, err, "invalid_grant")
	_, err = w.refresh(second.RefreshToken)
	wantRefusal(t, err, "invalid_grant")
}

func TestOneOfManyRefreshesWins(t *testing.T) {
	w := newWorld(t)
	token := w.tokens()
	results := make(chan error, 8)
	for range cap(results) {
		go func() {
			_, err := w.refresh(token.RefreshToken)
			results <- err
		}()
	}
	won := 0
	for range cap(results) {
		if <-results == nil {
			won++
		}
	}
	if won > 1 {
		t.Errorf("%d refreshes with one token succeeded", won)
	}
}

func TestRefreshSurvivesARestartAndFollowsTheUsersFile(t *testing.T) {
	w := newWorld(t)
	token := w.tokens()
	w.restart()
	token, err := w.refresh(token.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}

	users, err := issuer.ReadUsers(w.cfg.UsersFile)
	if err != nil {
		t.Fatal(err)
	}
	alice := users[0]
	alice.Groups = []string{"auditors"}
	if err := issuer.SetUser(w.cfg.UsersFile, alice); err != nil {
		t.Fatal(err)
	}
	if token, err = w.refresh(token.RefreshToken); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{"auditors"}, w.claims(token)["groups"]); diff != "" {
		t.Error(diff)
	}

	alice.Disabled = true
	if err := issuer.SetUser(w.cfg.UsersFile, alice); err != nil {
		t.Fatal(err)
	}
	_, err = w.refresh(token.RefreshToken)
	wantRefusal(t, err, "invalid_grant")

	alice.Disabled = false
	w.setUser(alice, "a new password")
	_, err = w.refresh(token.RefreshToken)
	wantRefusal(t, err, "invalid_grant")
}

func TestRevokedRefreshTokenIsRefused(t *testing.T) {
	w := newWorld(t)
	token := w.tokens()
	r, err := http.PostForm(w.url+"/revoke", url.Values{"client_id": {"hoop"}, "token": {token.RefreshToken}})
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Fatalf("revocation answered %d", r.StatusCode)
	}
	_, err = w.refresh(token.RefreshToken)
	wantRefusal(t, err, "invalid_grant")
}

func TestTokensOutliveAKeyRotation(t *testing.T) {
	w := newWorld(t)
	old := w.tokens()
	if err := w.issuer.RotateKey(); err != nil {
		t.Fatal(err)
	}
	w.claims(old)
	fresh := w.tokens()
	w.claims(fresh)
	if header(old) == header(fresh) {
		t.Error("both tokens name the same key")
	}
}

func header(t *oauth2.Token) string {
	raw, _ := t.Extra("id_token").(string)
	h, _, _ := strings.Cut(raw, ".")
	return h
}

func TestAnotherHostNameReachesNothing(t *testing.T) {
	w := newWorld(t)
	r, err := http.NewRequest("GET", w.url+"/device", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "rebound.example"
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("status %d, want 421", resp.StatusCode)
	}
}

func TestListensOnLoopbackOnly(t *testing.T) {
	for _, cfg := range []issuer.Config{
		{Listen: "0.0.0.0:0"}, {Listen: ":0"},
		{PublicURL: "http://login.example.com"}, {PublicURL: "http://127.0.0.1:80/path"}, {PublicURL: "login.example.com"},
	} {
		cfg.Dir = t.TempDir()
		if iss, err := issuer.New(cfg); err == nil {
			iss.Close()
			t.Errorf("New(%q, %q) was allowed", cfg.Listen, cfg.PublicURL)
		}
	}
	iss, err := issuer.New(issuer.Config{Listen: "0.0.0.0:0", Dir: t.TempDir(), AllowNonLoopback: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := iss.Close(); err != nil {
		t.Error(err)
	}
}
