package login_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoop/cli/login"
)

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// claims reads a token that Login has verified already.
func claims(t *testing.T, idToken string) map[string]any {
	t.Helper()
	parts := strings.Split(idToken, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts in the ID token", len(parts))
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func wantAlice(t *testing.T, base string, tokens login.Tokens) {
	t.Helper()
	got := claims(t, tokens.IDToken)
	want := map[string]any{"iss": base, "email": "alice@example.com", "name": "Alice Example",
		"groups": []any{"engineers", "oncall"}, "sub": tokens.Subject}
	for name := range got {
		if _, ok := want[name]; !ok {
			delete(got, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if tokens.RefreshToken == "" || tokens.Subject == "" || time.Until(tokens.Expiry) <= 0 {
		t.Errorf("tokens lack something: refresh %d bytes, subject %q, expiry %v", len(tokens.RefreshToken), tokens.Subject, tokens.Expiry)
	}
}

// browse is an Options.Open that lets a person act, and keeps the last page.
type browse struct {
	person *person
	page   chan string
}

func (b browse) open(address string) error {
	page, err := b.person.visit(address)
	b.page <- page
	return err
}

func signInByBrowser(t *testing.T, base string) login.Tokens {
	t.Helper()
	b := browse{newPerson("alice@example.com"), make(chan string, 1)}
	tokens, err := discover(t, base).Login(t.Context(), login.Options{Method: login.Loopback, Out: io.Discard, Open: b.open, Timeout: time.Minute})
	if err != nil {
		t.Fatalf("%v; pages: %v", err, b.person.seen)
	}
	if page := <-b.page; !strings.Contains(page, "You may close this window") {
		t.Errorf("last page: %s", page)
	}
	return tokens
}

func TestLoopbackLogin(t *testing.T) {
	eachIssuer(t, func(t *testing.T, base string) {
		tokens := signInByBrowser(t, base)
		wantAlice(t, base, tokens)
		if nonce := claims(t, tokens.IDToken)["nonce"]; tokens.Nonce == "" || nonce != tokens.Nonce {
			t.Errorf("nonce %v in the token, %q sent", nonce, tokens.Nonce)
		}
	})
}

// screen is what the person sees on the terminal.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
	news chan struct{}
}

func newScreen() *screen { return &screen{news: make(chan struct{}, 100)} }

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.news <- struct{}{} }()
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// deviceEvent is the line for scripts.
type deviceEvent struct {
	V           int    `json:"v"`
	Event       string `json:"event"`
	UserCode    string `json:"user_code"`
	URL         string `json:"url"`
	URLComplete string `json:"url_complete"`
	Expires     time.Time
}

func startDeviceLogin(t *testing.T, p *login.Provider) (deviceEvent, <-chan result) {
	t.Helper()
	out, done := newScreen(), make(chan result, 1)
	go func() {
		tokens, err := p.Login(t.Context(), login.Options{Method: login.Device, Out: out, JSON: true})
		done <- result{tokens, err}
	}()
	select {
	case <-out.news:
	case r := <-done:
		t.Fatal(r.err)
	}
	var e deviceEvent
	if err := json.Unmarshal([]byte(out.String()), &e); err != nil {
		t.Fatalf("%v: %q", err, out.String())
	}
	if e.V != 1 || e.Event != "device_code" || e.UserCode == "" || e.URL == "" || !e.Expires.After(time.Now()) {
		t.Fatalf("event %+v", e)
	}
	return e, done
}

type result struct {
	tokens login.Tokens
	err    error
}

func TestDeviceLogin(t *testing.T) {
	eachIssuer(t, func(t *testing.T, base string) {
		e, done := startDeviceLogin(t, discover(t, base))
		p := newPerson("alice@example.com")
		if page, err := p.visit(e.URLComplete); err != nil {
			t.Fatalf("%v; pages %v\n%s", err, p.seen, page)
		}
		r := <-done
		if r.err != nil {
			t.Fatalf("%v; pages: %v", r.err, p.seen)
		}
		wantAlice(t, base, r.tokens)
	})
}

func TestRefusedDeviceLogin(t *testing.T) {
	e, done := startDeviceLogin(t, discover(t, startEmbedded(t)))
	p := newPerson("alice@example.com")
	p.answer = "no"
	if _, err := p.visit(e.URLComplete); err != nil {
		t.Fatal(err)
	}
	if r := <-done; !errors.Is(r.err, login.ErrRefused) {
		t.Errorf("got %v, want ErrRefused", r.err)
	}
}

func TestRefreshRotates(t *testing.T) {
	eachIssuer(t, func(t *testing.T, base string) {
		first := signInByBrowser(t, base)
		p := discover(t, base)
		second, err := p.Refresh(t.Context(), first.RefreshToken)
		if err != nil {
			t.Fatal(err)
		}
		wantAlice(t, base, second)
		if second.Subject != first.Subject || second.RefreshToken == first.RefreshToken {
			t.Errorf("subject %q then %q; refresh token changed: %v", first.Subject, second.Subject, second.RefreshToken != first.RefreshToken)
		}
		if _, err := p.Refresh(t.Context(), first.RefreshToken); !errors.Is(err, login.ErrSignedOut) {
			t.Errorf("an old refresh token: %v, want ErrSignedOut", err)
		}
	})
}

func TestRevokedSignInCannotBeRefreshed(t *testing.T) {
	base := startEmbedded(t)
	tokens := signInByBrowser(t, base)
	p := discover(t, base)
	if err := p.Revoke(t.Context(), tokens.RefreshToken); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Refresh(t.Context(), tokens.RefreshToken); !errors.Is(err, login.ErrSignedOut) {
		t.Errorf("got %v, want ErrSignedOut", err)
	}
}

// Any page can send the browser to the port that waits. Only the answer with
// our state counts; the others neither end nor replace the sign-in.
func TestStrangersCannotDisturbTheLoopback(t *testing.T) {
	base := startEmbedded(t)
	alice := newPerson("alice@example.com")
	open := func(address string) error {
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		back, state := u.Query().Get("redirect_uri"), u.Query().Get("state")
		for _, bad := range []string{
			"?code=x", "?code=x&state=guess", "?error=access_denied", "?error=access_denied&state=",
			"?state=" + state, "?code=x&state=" + state + "&iss=https://evil.example",
		} {
			r, err := http.Get(back + bad)
			if err != nil {
				return err
			}
			r.Body.Close()
			if r.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: status %d, want 400", bad, r.StatusCode)
			}
		}
		rebound, err := http.NewRequest("GET", back+"?code=x&state="+state, nil)
		if err != nil {
			return err
		}
		rebound.Host = "rebound.example"
		r, err := http.DefaultClient.Do(rebound)
		if err != nil {
			return err
		}
		r.Body.Close()
		if r.StatusCode != http.StatusBadRequest {
			t.Errorf("another host name: status %d, want 400", r.StatusCode)
		}
		_, err = alice.visit(address)
		return err
	}
	tokens, err := discover(t, base).Login(t.Context(), login.Options{Method: login.Loopback, Out: io.Discard, Open: open, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	wantAlice(t, base, tokens)
}

func TestRefusalInTheBrowserEndsTheLogin(t *testing.T) {
	base := startEmbedded(t)
	open := func(address string) error {
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		answer := url.Values{"error": {"access_denied"}, "state": {u.Query().Get("state")}, "error_description": {"no \x1b[31mway"}}
		r, err := http.Get(u.Query().Get("redirect_uri") + "?" + answer.Encode())
		if err != nil {
			return err
		}
		return r.Body.Close()
	}
	_, err := discover(t, base).Login(t.Context(), login.Options{Method: login.Loopback, Out: io.Discard, Open: open, Timeout: time.Minute})
	if !errors.Is(err, login.ErrRefused) || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("got %q, want ErrRefused without escapes", err)
	}
}

func TestAbandonedLoginEnds(t *testing.T) {
	p := discover(t, startEmbedded(t))
	idle := func(string) error { return nil }
	for _, method := range []login.Method{login.Loopback, login.Device} {
		_, err := p.Login(t.Context(), login.Options{Method: method, Out: io.Discard, Open: idle, Timeout: 50 * time.Millisecond})
		if !errors.Is(err, login.ErrExpired) {
			t.Errorf("method %d: %v, want ErrExpired", method, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := p.Login(ctx, login.Options{Method: method, Out: io.Discard, Open: idle}); !errors.Is(err, context.Canceled) {
			t.Errorf("method %d after Ctrl-C: %v, want context.Canceled", method, err)
		}
	}
}

func TestBrowserThatCannotOpenIsSaid(t *testing.T) {
	base := startEmbedded(t)
	out := newScreen()
	alice := newPerson("alice@example.com")
	address := make(chan string, 1)
	done := make(chan error, 1)
	go func() {
		_, err := discover(t, base).Login(t.Context(), login.Options{Method: login.Loopback, Out: out, Timeout: time.Minute,
			Open: func(a string) error { address <- a; return errors.New("nothing to open with") }})
		done <- err
	}()
	<-out.news
	<-out.news
	if text := out.String(); !strings.Contains(text, "No browser could be opened") {
		t.Errorf("said %q", text)
	}
	a := <-address
	if !strings.Contains(out.String(), a) {
		t.Error("the address was not shown")
	}
	if _, err := alice.visit(a); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestIssuerMustBeSafe(t *testing.T) {
	for _, bad := range []string{"http://login.example.com", "ftp://127.0.0.1", "login.example.com", "", "https://"} {
		if _, err := login.Discover(t.Context(), login.Config{Issuer: bad, ClientID: "hoop"}); err == nil {
			t.Errorf("issuer %q was accepted", bad)
		}
	}
	_, err := login.Discover(t.Context(), login.Config{Issuer: "http://127.0.0.1:1", ClientID: "hoop"})
	if !errors.Is(err, login.ErrUnreachable) || login.Hint(err) == "" {
		t.Errorf("closed port: %v, hint %q", err, login.Hint(err))
	}
}

func TestUnknownClientIsTold(t *testing.T) {
	p, err := login.Discover(t.Context(), login.Config{Issuer: startEmbedded(t), ClientID: "stranger"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Login(t.Context(), login.Options{Method: login.Device, Out: io.Discard})
	if !errors.Is(err, login.ErrMethod) || !strings.Contains(login.Hint(err), "--browser") {
		t.Errorf("got %v, hint %q", err, login.Hint(err))
	}
}

func TestTextShowsCodeAndQR(t *testing.T) {
	p := discover(t, startEmbedded(t))
	for _, c := range []struct {
		width  int
		color  bool
		qr, es bool
	}{{0, false, false, false}, {30, true, false, false}, {100, false, true, false}, {100, true, true, true}} {
		out := newScreen()
		_, err := p.Login(t.Context(), login.Options{Method: login.Device, Out: out, Width: c.width, Color: c.color, Timeout: 300 * time.Millisecond})
		if !errors.Is(err, login.ErrExpired) {
			t.Fatal(err)
		}
		text := out.String()
		if !strings.Contains(text, "/device\n") || !strings.Contains(text, "enter the code") {
			t.Errorf("width %d: %q", c.width, text)
		}
		if strings.Contains(text, "█") != c.qr || strings.Contains(text, "\x1b") != c.es {
			t.Errorf("width %d, color %v: QR code or escapes are wrong:\n%s", c.width, c.color, text)
		}
	}
}
