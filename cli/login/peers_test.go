package login_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"hoop/broker/issuer"
	"hoop/cli/login"
)

const password = "correct horse battery"

// eachIssuer runs the test against the embedded issuer and against dex: two
// implementations that share no code.
func eachIssuer(t *testing.T, test func(t *testing.T, base string)) {
	t.Run("embedded", func(t *testing.T) { test(t, startEmbedded(t)) })
	t.Run("dex", func(t *testing.T) { test(t, startDex(t)) })
}

func startEmbedded(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	users := filepath.Join(dir, "users.yaml")
	hash, err := issuer.HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []issuer.User{
		{Name: "alice", FullName: "Alice Example", Email: "alice@example.com", Groups: []string{"engineers", "oncall"}},
		{Name: "mallory", Email: "mallory@example.com"},
	} {
		u.Password = hash
		if err := issuer.SetUser(users, u); err != nil {
			t.Fatal(err)
		}
	}
	iss, err := issuer.New(issuer.Config{Dir: dir, PollInterval: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- iss.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("issuer: %v", err)
		}
	})
	return iss.URL()
}

// startDex runs dex in its own process; it ends with its standard input.
func startDex(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(dexBinary(t), "-listen", "127.0.0.1:0", "-password", password)
	var said bytes.Buffer
	cmd.Stderr = &said
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("dex: %v", err)
		}
		if t.Failed() {
			t.Logf("dex said:\n%s", &said)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if err != nil || !ok {
		t.Fatalf("dex said %q, %v", line, err)
	}
	return address
}

// dexBinary builds dex once for its sources; the first build takes a minute or
// two of processor time.
func dexBinary(t *testing.T) string {
	t.Helper()
	path, err := buildDex()
	if err != nil {
		t.Fatalf("dex, the second issuer of these tests, cannot be built: %v", err)
	}
	return path
}

var buildDex = sync.OnceValues(func() (string, error) {
	source := filepath.Join("..", "..", "testdata", "dex")
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, name := range []string{"main.go", "go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return "", err
		}
		sum.Write(text)
	}
	cache, err := filepath.Abs(filepath.Join("..", "..", "testdata", "cache"))
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "dex-"+hex.EncodeToString(sum.Sum(nil)[:8]))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	half := fmt.Sprintf("%s.%d", path, os.Getpid())
	build := exec.Command("go", "build", "-trimpath", "-o", half, ".")
	build.Dir = source
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, os.Rename(half, path)
})

func discover(t *testing.T, base string) *login.Provider {
	t.Helper()
	p, err := login.Discover(t.Context(), login.Config{Issuer: base, ClientID: "hoop"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// person is somebody at a browser: they fill the forms of real pages until no
// form is left.
type person struct {
	email, password string
	answer          string // to "is this you?", where an issuer asks
	client          *http.Client
	seen            []string // the pages, for failures
}

func newPerson(email string) *person {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // documented never to happen
	}
	return &person{email: email, password: password, answer: "yes", client: &http.Client{Jar: jar, Timeout: 20 * time.Second}}
}

func formTag() *regexp.Regexp  { return regexp.MustCompile(`(?s)<form([^>]*)>(.*?)</form>`) }
func inputTag() *regexp.Regexp { return regexp.MustCompile(`<input[^>]*>`) }

func attribute(tag, name string) string {
	m := regexp.MustCompile(`\s` + name + `="([^"]*)"`).FindStringSubmatch(tag)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

// visit opens the address and goes through its forms. It returns the last page.
func (p *person) visit(address string) (string, error) {
	r, err := p.client.Get(address)
	for range 6 {
		if err != nil {
			return "", err
		}
		body, readErr := io.ReadAll(r.Body)
		r.Body.Close()
		if readErr != nil {
			return "", readErr
		}
		page := string(body)
		p.seen = append(p.seen, fmt.Sprintf("%s %d", r.Request.URL.Path, r.StatusCode))
		form := formTag().FindStringSubmatch(page)
		if form == nil {
			return page, nil
		}
		if r.StatusCode != http.StatusOK {
			return page, fmt.Errorf("%s answered %d", r.Request.URL.Path, r.StatusCode)
		}
		target, parseErr := r.Request.URL.Parse(attribute(form[1], "action"))
		if parseErr != nil {
			return "", parseErr
		}
		r, err = p.client.PostForm(target.String(), p.fill(form[2]))
	}
	return "", fmt.Errorf("forms without end: %v", p.seen)
}

func (p *person) fill(form string) url.Values {
	fields := url.Values{}
	for _, tag := range inputTag().FindAllString(form, -1) {
		value := attribute(tag, "value")
		switch name := attribute(tag, "name"); name {
		case "login":
			fields.Set(name, p.email)
		case "password":
			fields.Set(name, p.password)
		case "":
		default:
			fields.Set(name, value)
		}
	}
	if strings.Contains(form, `name="answer"`) {
		fields.Set("answer", p.answer)
	}
	return fields
}
