package cli

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// loginEvent is what login -o json tells on standard error.
type loginEvent struct {
	Event       string `json:"event"`
	UserCode    string `json:"user_code"`
	URL         string `json:"url"`
	URLComplete string `json:"url_complete"`
}

func startLogin(t testing.TB, env []string, event string, args ...string) (*process, loginEvent) {
	t.Helper()
	w := world(t)
	p := start(t, hoopCommand(t, env, append([]string{"login", w.BrokerURL(), "--ca-file", w.CAFile(), "-o", "json"}, args...)...))
	var e loginEvent
	if err := json.Unmarshal([]byte(p.shows(`(\{.*"event":"(?:`+event+`)".*\})`)), &e); err != nil {
		t.Fatal(err)
	}
	return p, e
}

func TestDeviceLogin(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]int{"yes": 0, "no": 4} {
		env := clientEnv(t.TempDir())
		p, e := startLogin(t, env, "device_code", "--device")
		b := newBrowser(t)
		b.get(e.URLComplete)
		b.submit(url.Values{"user_code": {e.UserCode}})
		b.submit(url.Values{"login": {"alice"}, "password": {password(t, "alice")}})
		b.submit(url.Values{"answer": {answer}})
		if code := p.wait(); code != want {
			t.Fatalf("answered %s: exit code %d, want %d: %s", answer, code, want, p.err.String())
		}
		if want != 0 {
			hoop(t, env, "whoami").must(t, 4)
			continue
		}
		var me struct {
			Principal struct{ Name string }
		}
		if err := json.Unmarshal([]byte(p.out.String()), &me); err != nil || me.Principal.Name != "alice@demo.example" {
			t.Errorf("signed in as %+v (%v)", me, err)
		}
		hoop(t, env, "connect", "demo-pg", "--", "true").must(t, 0)
	}
}

// TestBrowserLogin finds the system's browser where pkg/browser looks for it,
// and does without one where told so.
func TestBrowserLogin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := "#!/bin/sh\nprintf '%s' \"$1\" > " + dir + "/opened.new && mv " + dir + "/opened.new " + dir + "/opened\n"
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	for flag, event := range map[string]string{"--browser": "browser", "--no-browser": "open_browser"} {
		env := clientEnv(t.TempDir(), "PATH="+dir+":"+os.Getenv("PATH"), "DISPLAY=:0")
		args := []string{flag}
		if flag == "--no-browser" {
			args = append(args, "--browser") // not the device flow
		}
		p, e := startLogin(t, env, event, args...)
		opened := filepath.Join(dir, "opened")
		if flag == "--browser" {
			waitFor(t, "the browser", func() bool { got, err := os.ReadFile(opened); return err == nil && string(got) == e.URL })
			_ = os.Remove(opened)
		} else if _, err := os.Stat(opened); err == nil {
			t.Error("--no-browser opened one")
		}
		b := newBrowser(t)
		b.get(e.URL)
		b.submit(url.Values{"login": {"alice"}, "password": {password(t, "alice")}})
		if code := p.wait(); code != 0 {
			t.Fatalf("%s: exit code %d: %s", flag, code, p.err.String())
		}
		hoop(t, env, "whoami").must(t, 0)
	}
}

func TestLoginGivesUpInTime(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--device", "--browser"} {
		p, _ := startLogin(t, clientEnv(t.TempDir()), "device_code|browser|open_browser", flag, "--no-browser", "--timeout", "2s")
		if code := p.wait(); code != 124 {
			t.Errorf("%s: exit code %d, want 124: %s", flag, code, p.err.String())
		}
	}
}

// TestLoginsAreRenewedSilently: a login lasts seconds, a session goes on, and a
// command long after is signed in still; logging out ends it all at once.
func TestLoginsAreRenewedSilently(t *testing.T) {
	t.Parallel()
	const ttl = 6 * time.Second
	b := newBroker(t, brokerOptions{identity: "login_ttl: 6s"})
	env := b.ann(t)
	s := openPSQL(t, env, "shop")
	time.Sleep(2*ttl + ttl/2)
	s.sends("SELECT 'after ' || 'two lives';")
	s.shows("after two lives")
	hoop(t, env, "whoami").must(t, 0)
	if text := s.err.String(); text != "" {
		t.Errorf("it was not silent: %s", text)
	}
	hoop(t, env, "logout").must(t, 0)
	waitFor(t, "the session's end", func() bool { return liveSessions(t, b) == "0" })
	s.sends("SELECT 1;")
	s.shows("FATAL:  ")
	hoop(t, env, "whoami").must(t, 4)
}

// ciIssuer makes tokens as a CI system does.
type ciIssuer struct {
	key  ed25519.PrivateKey
	file string
}

func newCI(t testing.TB) *ciIssuer {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	ci := &ciIssuer{key, filepath.Join(t.TempDir(), "jwks.json")}
	set := fmt.Sprintf(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","alg":"EdDSA","use":"sig","x":"%s"}]}`, base64.RawURLEncoding.EncodeToString(pub))
	if err := os.WriteFile(ci.file, []byte(set), 0o600); err != nil {
		t.Fatal(err)
	}
	return ci
}

func (ci *ciIssuer) token(t testing.TB, repository string, age time.Duration) string {
	t.Helper()
	now := time.Now().Add(-age)
	claims, err := json.Marshal(map[string]any{"iss": "https://ci.example", "sub": "repo:" + repository, "aud": "hoop", "repository": repository,
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "jti": now.String()})
	if err != nil {
		t.Fatal(err)
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","kid":"k","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(ci.key, []byte(signed)))
}

// TestWorkloadToken: a CI job brings a token in a file and signs in with it for
// one command; a token counts once, in time, and for the right repository.
func TestWorkloadToken(t *testing.T) {
	t.Parallel()
	ci := newCI(t)
	b := newBroker(t, brokerOptions{identity: `issuers: [{url: "https://ci.example", jwks_file: "` + ci.file + `"}], workloads: [{name: shop-ci, issuer: "https://ci.example", ` +
		`audience: hoop, claims: {repository: acme/shop}, principal: "ci/{repository}", groups: [engineer]}]`})
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	env := clientEnv(dir, "HOOP_BROKER="+b.url(), "HOOP_CA_FILE="+b.ca(), "HOOP_TOKEN_FILE="+file)
	bring := func(token string) {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bring(ci.token(t, "acme/shop", 0))
	if r := hoop(t, env, "connect", "shop", "--", "psql", "-XAtc", "SELECT 'from ci'").must(t, 0); r.stdout != "from ci\n" {
		t.Errorf("%+v", r)
	}
	if r := hoop(t, env, "whoami").must(t, 4); !strings.Contains(r.stderr, "has logged in before") {
		t.Errorf("a second use: %s", r.stderr)
	}
	bring(ci.token(t, "acme/shop", time.Second))
	if r := hoop(t, env, "whoami").must(t, 0); !strings.Contains(r.stdout, "ci/acme/shop") {
		t.Errorf("whoami: %s", r.stdout)
	}
	for what, token := range map[string]string{"old": ci.token(t, "acme/shop", time.Hour), "foreign": ci.token(t, "evil/shop", 0),
		"forged": newCI(t).token(t, "acme/shop", 0)} {
		bring(token)
		if r := hoop(t, env, "whoami"); r.code != 4 {
			t.Errorf("a token that is %s: %+v", what, r)
		}
	}
	// The same over standard input and with a flag, kept as a login.
	plain := clientEnv(dir)
	hoopIn(t, plain, ci.token(t, "acme/shop", 2*time.Second), "login", b.url(), "--ca-file", b.ca(), "--token-stdin").must(t, 0)
	hoop(t, plain, "whoami").must(t, 0)
	hoop(t, plain, "logout").must(t, 0)
	bring(ci.token(t, "acme/shop", 3*time.Second))
	hoop(t, plain, "login", b.url(), "--ca-file", b.ca(), "--token-file", file).must(t, 0)
	hoop(t, plain, "whoami").must(t, 0)
}
