package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// freePort gives a TCP port that nobody listens on.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return portOf(t, l.Addr())
}

func portOf(t testing.TB, addr net.Addr) string {
	t.Helper()
	a, ok := addr.(*net.TCPAddr)
	if !ok {
		t.Fatalf("%v is no TCP address", addr)
	}
	return strconv.Itoa(a.Port)
}

// text is what a process writes, read while it runs.
type text struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (x *text) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.buf.Write(p)
}

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.buf.String()
}

// process is a command that runs beside the test.
type process struct {
	t        testing.TB
	cmd      *exec.Cmd
	out, err text
	ended    chan struct{}
}

func start(t testing.TB, c *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: c, ended: make(chan struct{})}
	c.Stdout, c.Stderr = &p.out, &p.err
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(p.ended); _ = c.Wait() }()
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(20 * time.Second):
			_ = c.Process.Kill()
			<-p.ended
		}
	})
	return p
}

// shows waits until the process has written what a pattern finds, and gives its
// first group.
func (p *process) shows(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	found := ""
	defer func() {
		if found == "" {
			p.t.Logf("the process wrote:\n%s%s", p.out.String(), p.err.String())
		}
	}()
	waitFor(p.t, pattern, func() bool {
		m := re.FindStringSubmatch(p.out.String() + p.err.String())
		if m != nil {
			found = m[len(m)-1]
			return true
		}
		select {
		case <-p.ended:
			p.t.Fatalf("the process ended without %q:\n%s%s", pattern, p.out.String(), p.err.String())
		default:
		}
		return false
	})
	return found
}

// wait waits for the end and gives the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(limit):
		p.t.Fatalf("the process does not end:\n%s%s", p.out.String(), p.err.String())
	}
	return p.cmd.ProcessState.ExitCode()
}

// brokerProcess is a broker of the test's own, before the database of the world.
type brokerProcess struct {
	*process
	dir, listen, metrics, issuer string
}

const annsPassword = "a password of ann's own"

// brokerOptions are what differs between brokers. The strings are YAML.
type brokerOptions struct{ limits, identity, more string }

// newBroker makes a broker's folder with the connection shop and the person ann
// in the group engineer, and starts it.
func newBroker(t testing.TB, o brokerOptions) *brokerProcess {
	t.Helper()
	b := &brokerProcess{dir: filepath.Join(t.TempDir(), "b"), listen: "127.0.0.1:" + freePort(t),
		metrics: "127.0.0.1:" + freePort(t), issuer: "127.0.0.1:" + freePort(t)}
	env := clientEnv(b.dir)
	hoop(t, env, "broker", "init", b.dir, "--embedded-issuer", "--listen", b.listen).must(t, 0)
	b.configure(t, o)
	hoopIn(t, env, annsPassword, "issuer", "user", "add", "ann", "--group", "engineer", "--email", "ann@example.com", "--config", b.config()).must(t, 0)
	secret, err := os.ReadFile(filepath.Join(world(t).Dir, "secrets/app"))
	if err != nil {
		t.Fatal(err)
	}
	hoopIn(t, env, string(secret), "credential", "set", "app", "--config", b.config()).must(t, 0)
	b.run(t)
	return b
}

func (b *brokerProcess) config() string { return filepath.Join(b.dir, "hoop.yaml") }
func (b *brokerProcess) ca() string     { return filepath.Join(b.dir, "tls/ca.pem") }
func (b *brokerProcess) url() string    { return "https://" + b.listen }

func (b *brokerProcess) configure(t testing.TB, o brokerOptions) {
	t.Helper()
	b.write(t, fmt.Sprintf(`listen: %s
data_dir: data
tls: {cert_file: tls/broker.pem, key_file: tls/broker-key.pem}
metrics: {listen: "%s"}
limits: {%s}
identity: {%s}
embedded_issuer: {listen: "%s", users_file: users.yaml}
credential_store: {key_file: keys/credentials.age}
credentials: {app: {user: app, store: app}}
include: [shop.yaml]
%s`, b.listen, b.metrics, o.limits, o.identity, b.issuer, o.more))
	b.writeShop(t, `
connections:
- {name: shop, protocol: postgres, credential: app, target: {host: 127.0.0.1, port: PORT, database: shop, tls: {mode: require}}}
rules:
- {name: work, who: {groups: [engineer]}, effect: allow}
`)
}

func (b *brokerProcess) write(t testing.TB, text string) {
	t.Helper()
	if err := os.WriteFile(b.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeShop writes the included file; PORT stands for the database's.
func (b *brokerProcess) writeShop(t testing.TB, text string) {
	t.Helper()
	text = strings.ReplaceAll(text, "PORT", strconv.Itoa(world(t).Postgres.Port))
	if err := os.WriteFile(filepath.Join(b.dir, "shop.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (b *brokerProcess) run(t testing.TB) {
	t.Helper()
	b.process = start(t, hoopCommand(t, clientEnv(b.dir), "broker", "run", "--config", b.config()))
	b.shows("broker is ready")
}

func (b *brokerProcess) reload(t testing.TB, says string) {
	t.Helper()
	before := strings.Count(b.err.String(), says)
	if err := b.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, says, func() bool { return strings.Count(b.err.String(), says) > before })
}

// ann signs in and gives the environment of her commands.
func (b *brokerProcess) ann(t testing.TB, more ...string) []string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ann")
	signInTo(t, dir, b.url(), b.ca(), "ann", annsPassword)
	return clientEnv(dir, more...)
}

// psqlSession is a psql under hoop connect that a test talks to.
type psqlSession struct {
	*process
	in io.WriteCloser
}

func openPSQL(t testing.TB, env []string, connection string) *psqlSession {
	t.Helper()
	c := hoopCommand(t, env, "connect", connection, "--", "psql", "-XAtq")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &psqlSession{in: in, process: start(t, c)}
	s.sends("SELECT 'session ' || 'open';")
	s.shows("session open")
	return s
}

func (s *psqlSession) sends(line string) {
	s.t.Helper()
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		s.t.Fatal(err)
	}
}

// cutter carries TCP between clients and a broker, and cuts it on demand.
type cutter struct {
	net.Listener
	to    string
	mu    sync.Mutex
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

func newCutter(t testing.TB, to string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: l, to: to, conns: map[net.Conn]bool{}}
	c.wg.Go(c.serve)
	t.Cleanup(func() { _ = l.Close(); c.cut(); c.wg.Wait() })
	return c
}

func (c *cutter) serve() {
	for {
		in, err := c.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", c.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		c.mu.Lock()
		c.conns[in], c.conns[out] = true, true
		c.mu.Unlock()
		for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
			c.wg.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				_ = pair[0].Close()
			})
		}
	}
}

// cut breaks what is open and gives how many conns that were.
func (c *cutter) cut() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.conns)
	for conn := range c.conns {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
		delete(c.conns, conn)
	}
	return n
}

func background(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

func itoa(n int) string { return strconv.Itoa(n) }

// signInThrough signs ann in over a path that can be cut.
func signInThrough(t testing.TB, b *brokerProcess, c *cutter) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "ann")
	signInTo(t, dir, "https://"+c.Addr().String(), b.ca(), "ann", annsPassword)
	return dir
}
