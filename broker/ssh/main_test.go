package ssh

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hoop/broker"
	"hoop/broker/ssh/ca"
	"hoop/cli/demo/sshd"
	"hoop/policy"
	"hoop/recorder"
	"hoop/recorder/recording"
)

// shared is the real OpenSSH server that the tests of this package use.
var shared struct {
	server    *sshd.Server
	authority *ca.Authority
	dir       string
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if shared.dir, err = os.MkdirTemp("", "hoop-test-"); err != nil {
		return fail(err)
	}
	defer os.RemoveAll(shared.dir)
	if shared.authority, err = ca.Open(filepath.Join(shared.dir, "ssh")); err != nil {
		return fail(err)
	}
	shared.server, err = sshd.Start(context.Background(), sshd.Options{UserCAs: []string{shared.authority.UserCA()},
		Settings: []string{"SetEnv HOME=" + shared.dir}}) // without what the account's own profile does
	if err != nil {
		return fail(err)
	}
	code := m.Run()
	if err := shared.server.Stop(); err != nil {
		return fail(err)
	}
	return code
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// world is an engine and everything around it that a test may change before it
// listens.
type world struct {
	t      testing.TB
	engine *Engine
	policy atomic.Pointer[policy.Policy]
	target atomic.Pointer[broker.Target]
	secret atomic.Pointer[broker.Secret]
	deps   broker.Deps
	events events
	log    lockedBuilder
	end    context.CancelCauseFunc // of every session
}

// newWorld makes an engine that leads to the shared server, under the given
// policy documents, or one that allows all.
func newWorld(t testing.TB, docs ...policy.Document) *world {
	t.Helper()
	w := &world{t: t}
	w.rule(docs...)
	server := shared.server
	key, err := os.ReadFile(server.ClientKey)
	if err != nil {
		t.Fatal(err)
	}
	w.secret.Store(&broker.Secret{User: server.User, Kind: broker.SSHKey, PrivateKey: key})
	w.target.Store(&broker.Target{Host: server.Host, Port: server.Port, SSH: broker.TargetSSH{HostKeys: []string{server.HostKey}}})
	w.deps = broker.Deps{
		Policy:   func() *policy.Policy { return w.policy.Load() },
		Recorder: &w.events,
		Dial: func(ctx context.Context, tg *broker.Target) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", tg.Address())
		},
		Secret:  func(context.Context, string) (*broker.Secret, error) { return w.secret.Load(), nil },
		MaskKey: func(string) []byte { return make([]byte, 32) },
	}
	if w.deps.Recordings, err = recording.Open(t.TempDir(), recording.Options{}); err != nil {
		t.Fatal(err)
	}
	w.engine = New(Options{CA: shared.authority, Logger: slog.New(slog.NewTextHandler(&w.log, nil))})
	return w
}

// holds changes what the broker holds for the next login.
func (w *world) holds(f func(*broker.Secret)) {
	s := *w.secret.Load()
	f(&s)
	w.secret.Store(&s)
}

// leads changes where the next sessions lead.
func (w *world) leads(f func(*broker.Target)) {
	t := *w.target.Load()
	f(&t)
	w.target.Store(&t)
}

// rule puts a policy in force.
func (w *world) rule(docs ...policy.Document) {
	w.t.Helper()
	if len(docs) == 0 {
		docs = []policy.Document{{Rules: []policy.RuleSpec{{Name: "all", Effect: "allow"}}}}
	}
	p, err := policy.Compile(docs)
	if err != nil {
		w.t.Fatal(err)
	}
	w.policy.Store(p)
}

func (w *world) session(person string) *broker.Session {
	return broker.NewSession(w.deps, rand.Text(), &broker.Admission{
		Principal: &policy.Principal{ID: "test|" + person, Name: person, Kind: policy.Person},
		Chain: policy.Chain{{ID: "test|" + person, Name: person, Kind: policy.Person},
			{ID: "test|" + person + "-bot", Name: "bot", Kind: policy.Agent}},
		Connection: &policy.Connection{Name: "web-1", Protocol: "ssh"},
		Target:     w.target.Load(), Client: "test",
	})
}

// listen serves sessions of alice until the test ends, and gives an ssh_config
// that leads there.
func (w *world) listen() string {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	w.end = cancel
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				s := w.session("alice")
				err := w.engine.Serve(ctx, c, s)
				s.Close(fmt.Sprint(err))
			})
		}
	})
	w.t.Cleanup(func() {
		l.Close()
		cancel(errors.New("the test is over"))
		wg.Wait()
		if strings.Contains(w.log.String(), "panicked") {
			w.t.Error(w.log.String())
		}
	})
	return w.config(l.Addr().(*net.TCPAddr).Port)
}

func (w *world) config(port int) string {
	dir := w.t.TempDir()
	known := filepath.Join(dir, "known_hosts")
	config := filepath.Join(dir, "config")
	text := fmt.Sprintf(`Host web-1.hoop
  HostName 127.0.0.1
  Port %d
  HostKeyAlias web-1.hoop
Host *
  User hoop
  UserKnownHostsFile %s
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  PreferredAuthentications none
  IdentityFile /dev/null
  ControlPath %s/control
`, port, known, dir)
	if err := errors.Join(os.WriteFile(known, []byte("@cert-authority *.hoop "+shared.authority.HostCA()+"\n"), 0o600),
		os.WriteFile(config, []byte(text), 0o600)); err != nil {
		w.t.Fatal(err)
	}
	return config
}

// result is what a program did.
type result struct {
	out, err string
	code     int
}

// ssh runs the real client.
func (w *world) ssh(config string, args ...string) result {
	w.t.Helper()
	return w.run(nil, "ssh", append([]string{"-F", config, "web-1.hoop"}, args...)...)
}

func (w *world) run(stdin []byte, name string, args ...string) result {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatalf("%s %v: %v\n%s", name, args, err, errs.String())
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// events is a recorder that keeps what it is given.
type events struct {
	mu   sync.Mutex
	all  []recorder.Event
	fail error // returned by Append once set
}

func (e *events) Append(ev *recorder.Event, _ recorder.Durability) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != nil {
		return e.fail
	}
	e.all = append(e.all, *ev)
	return nil
}

func (e *events) Later(ev *recorder.Event) error { return e.Append(ev, recorder.Written) }

// of gives the events of a type so far.
func (e *events) of(typ recorder.Type) []recorder.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []recorder.Event
	for _, ev := range e.all {
		if ev.Type == typ {
			out = append(out, ev)
		}
	}
	return out
}

// lockedBuilder collects a log.
type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
