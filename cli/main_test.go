package cli

import (
	"bytes"
	"context"
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"hoop/cli/demo"
	"hoop/policy/sql"
)

// TestMain makes this binary the SQL worker of its own broker and, under the
// name hoop, the program under test: every command of a test is a process.
func TestMain(m *testing.M) {
	if sql.IsWorker(os.Args) {
		if err := sql.WorkerMain(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		return
	}
	testscript.Main(withWorld{m}, map[string]func(){"hoop": func() { os.Exit(Main(os.Args[1:])) }, "xprobe": xprobe})
}

// withWorld takes the world down after the tests.
type withWorld struct{ *testing.M }

func (w withWorld) Run() int {
	code := w.M.Run()
	if theWorld.up != nil {
		theWorld.up.Down()
	}
	return code
}

// theWorld is the one demo world that all tests share. A test must not log its
// people out, nor reload it.
var theWorld struct {
	once sync.Once
	up   *demo.World
	err  error
}

// overlay adds connections that lead nowhere, for what goes wrong.
const overlay = `
connections:
- {name: approval-pg, protocol: postgres, credential: app, target: {host: 127.0.0.1, port: 1, database: shop, tls: {mode: disable}}}
- {name: gone-pg, protocol: postgres, credential: app, target: {host: 127.0.0.1, port: 1, database: shop, tls: {mode: disable}}}
rules:
- {name: ssh, who: {groups: [engineer]}, connections: {names: [demo-ssh]}, actions: [session.open, "ssh.*"], effect: allow}
- {name: opening-needs-approval, who: {groups: [engineer]}, connections: {names: [approval-pg]}, actions: [session.open], effect: require_approval, approval: {groups: [approver]}}
- {name: bob-asks-to-open, who: {names: [bob@demo.example]}, connections: {names: [demo-pg-superuser]}, actions: [session.open], effect: require_approval, approval: {names: [alice@demo.example], break_glass: [approver]}}
- {name: bob-asks-to-delete, who: {names: [bob@demo.example]}, connections: {names: [demo-pg-superuser]}, sql: {kinds: [delete]}, effect: require_approval, approval: {names: [alice@demo.example]}}
- {name: bob-reads, who: {names: [bob@demo.example]}, connections: {names: [demo-pg-superuser]}, sql: {only_effects: [read]}, effect: allow}
- {name: gone-may-be-opened, who: {groups: [engineer]}, connections: {names: [gone-pg]}, actions: [session.open], effect: allow}
`

func world(t testing.TB) *demo.World {
	t.Helper()
	theWorld.once.Do(func() { theWorld.up, theWorld.err = startWorld() })
	if theWorld.err != nil {
		t.Fatal(theWorld.err)
	}
	return theWorld.up
}

func startWorld() (*demo.World, error) {
	f, err := os.CreateTemp("", "hoop-overlay-*.yaml")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if _, err := f.WriteString(overlay); err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	return demo.Up(context.Background(), demo.Options{Version: "test", Overlays: []string{f.Name()}, SignIn: (&App{}).demoSignIn})
}

// clientEnv is the environment of a person's commands, and nothing of the
// tester's own that would matter to them.
func clientEnv(dir string, more ...string) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + os.TempDir(), "HOOP_CONFIG_DIR=" + dir, "HOOP_KEYRING=file",
		"LANG=C.UTF-8", "PSQLRC=/dev/null", "PSQL_HISTORY=/dev/null", "TERM=xterm"}
	return append(env, more...)
}

func asAlice(t testing.TB, more ...string) []string {
	return clientEnv(filepath.Join(world(t).Dir, "alice"), more...)
}

// ran is what a command gave.
type ran struct {
	stdout, stderr string
	code           int
}

// limit bounds every command of a test.
const limit = 2 * time.Minute

// hoop runs one command to its end.
func hoop(t testing.TB, env []string, args ...string) ran {
	t.Helper()
	return hoopIn(t, env, "", args...)
}

func hoopIn(t testing.TB, env []string, stdin string, args ...string) ran {
	t.Helper()
	c := hoopCommand(t, env, args...)
	var out, errs bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ran{out.String(), errs.String(), c.ProcessState.ExitCode()}
}

func hoopCommand(t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	path, err := exec.LookPath("hoop")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(ctx, path, args...)
	c.Env = env
	c.WaitDelay = 5 * time.Second
	return c
}

// must fails the test where the command did not end with code.
func (r ran) must(t testing.TB, code int) ran {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit code %d, want %d\nstdout: %s\nstderr: %s", r.code, code, r.stdout, r.stderr)
	}
	return r
}

// browser is a person at the issuer's pages.
type browser struct {
	t      testing.TB
	client *http.Client
	at     string
	page   string
}

func newBrowser(t testing.TB) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, client: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
}

func (b *browser) get(address string) {
	b.t.Helper()
	b.take(b.client.Get(address))
}

// submit fills the form of the page, keeping what it hides.
func (b *browser) submit(values url.Values) {
	b.t.Helper()
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(b.page, -1) {
		values.Set(m[1], html.UnescapeString(m[2]))
	}
	b.take(b.client.PostForm(b.at, values))
}

func (b *browser) take(resp *http.Response, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Error(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Error(err)
	}
	b.page, b.at = string(page), resp.Request.URL.String()
}

// signIn signs a person of the world in to a new client folder.
func signIn(t testing.TB, name string) (dir string) {
	t.Helper()
	w := world(t)
	dir = filepath.Join(t.TempDir(), name)
	signInTo(t, dir, w.BrokerURL(), w.CAFile(), name, password(t, name))
	return dir
}

func signInTo(t testing.TB, dir, broker, ca, name, secret string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var visits sync.WaitGroup
	defer visits.Wait()
	err := (&App{}).demoSignIn(ctx, dir, broker, ca, func(address string) error {
		visits.Go(func() {
			b := newBrowser(t)
			b.get(address)
			b.submit(url.Values{"login": {name}, "password": {secret}})
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func password(t testing.TB, name string) string {
	t.Helper()
	for _, p := range world(t).People {
		if p.Name == name {
			return p.Password
		}
	}
	t.Fatalf("there is no %s in this world", name)
	return ""
}
