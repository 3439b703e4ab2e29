package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/template"
	"time"

	"hoop/broker/config"
	"hoop/cli/demo/sshd"
	"hoop/cli/serve"
	"hoop/cli/setup"
)

// program builds the program once for all tests of this package.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hoop-binary-")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "hoop"), "hoop/cmd/hoop").CombinedOutput() //nolint:gosec // fixed words
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return filepath.Join(dir, "hoop"), nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

func hoop(t testing.TB) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// apart is a world whose broker and clients are processes of their own, as in
// production: what happens to one of them happens to it alone.
type apart struct {
	*World
	t      testing.TB
	port   int
	broker *exec.Cmd
}

// upApart starts PostgreSQL and the broker, and signs alice in. rules come
// before the demo's.
func upApart(t testing.TB, rules string) *apart {
	t.Helper()
	return upApartWith(t, rules, nil)
}

// upApartWith has an SSH server too, where there is one.
func upApartWith(t testing.TB, rules string, ssh *sshd.Server) *apart {
	t.Helper()
	w := &apart{World: &World{Dir: t.TempDir(), SSH: ssh}, t: t, port: freeTCPPort(t)}
	if err := w.startPostgres(t.Context(), &Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Postgres.Stop() })
	if err := w.configure(rules); err != nil {
		t.Fatal(err)
	}
	w.trust()
	w.start()
	t.Cleanup(w.kill)
	w.signIn("alice")
	return w
}

func freeTCPPort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// configure writes the demo's configuration with ports that stay.
func (w *apart) configure(rules string) error {
	var cfg bytes.Buffer
	if err := template.Must(template.New("").Parse(configTemplate)).Execute(&cfg, map[string]any{"Port": w.Postgres.Port, "SSH": w.SSH}); err != nil {
		return err
	}
	text := strings.NewReplacer(
		"\nlisten: 127.0.0.1:0", fmt.Sprintf("\nlisten: 127.0.0.1:%d", w.port),
		`embedded_issuer: {listen: "127.0.0.1:0"`, fmt.Sprintf(`embedded_issuer: {listen: "127.0.0.1:%d"`, freeTCPPort(w.t)),
		"include: [policy.yaml]", "include: [first.yaml, policy.yaml]").Replace(cfg.String())
	cert, err := setup.NewCertificate([]string{"127.0.0.1"})
	return errors.Join(err, w.write("hoop.yaml", []byte(text)), w.write("policy.yaml", policyYAML), w.write("first.yaml", []byte(rules)),
		w.write("tls/ca.pem", cert.CA), w.write("tls/broker.pem", cert.Cert), w.write("tls/broker-key.pem", cert.Key), w.writeUsers())
}

// trust has the SSH server trust the broker's certificates.
func (w *apart) trust() {
	w.t.Helper()
	if w.SSH == nil {
		return
	}
	cfg, err := config.Load(w.path("hoop.yaml"))
	if err != nil {
		w.t.Fatal(err)
	}
	_, user, err := serve.SSHAuthorities(cfg)
	if err == nil {
		err = w.SSH.TrustUserCA(user)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// start runs the broker and waits until it serves.
func (w *apart) start() {
	w.t.Helper()
	log, err := os.OpenFile(w.path("broker.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	w.broker = exec.Command(hoop(w.t), "broker", "run", "--config", w.path("hoop.yaml")) //nolint:gosec // the program under test
	w.broker.Stderr = log
	if err := w.broker.Start(); err != nil {
		w.t.Fatal(err)
	}
	for range 600 {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", w.port))
		if err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	said, _ := os.ReadFile(w.path("broker.log"))
	w.t.Fatalf("the broker does not serve: %s", said)
}

// kill ends the broker as a crash would.
func (w *apart) kill() {
	_ = w.broker.Process.Signal(syscall.SIGKILL)
	_ = w.broker.Wait()
}

// command is hoop, run by one of the people.
func (w *apart) command(person string, args ...string) *exec.Cmd {
	cmd := exec.Command(hoop(w.t), args...) //nolint:gosec // the program under test
	cmd.Env = append(os.Environ(), "HOOP_CONFIG_DIR="+w.path(person), "HOOP_KEYRING=file", "PATH="+filepath.Dir(hoop(w.t))+":"+os.Getenv("PATH"))
	return cmd
}

// signIn logs a person in, as one who opens the printed address would.
func (w *apart) signIn(name string) {
	w.t.Helper()
	cmd := w.command(name, "login", fmt.Sprintf("https://127.0.0.1:%d", w.port), "--ca-file", w.path("tls/ca.pem"), "--no-browser", "--browser")
	said, err := cmd.StderrPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	var all strings.Builder
	address := regexp.MustCompile(`https?://\S+authorize\S+`)
	for lines := bufio.NewScanner(said); lines.Scan(); {
		all.WriteString(lines.Text() + "\n")
		if at := address.FindString(lines.Text()); at != "" {
			if err := visit(w.t.Context(), at, name, w.password(name)); err != nil {
				w.t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		w.t.Fatalf("login: %v: %s", err, all.String())
	}
}

func (w *apart) password(name string) string {
	for _, p := range w.People {
		if p.Name == name {
			return p.Password
		}
	}
	return ""
}

// door is a listener that hoop connect keeps.
type door struct {
	cmd  *exec.Cmd
	Host string
	Port int
}

// listen keeps a listener to a connection until the test ends.
func (w *apart) listen(person, connection string) *door {
	w.t.Helper()
	dir, err := os.MkdirTemp("", "door-") // paths of sockets are short
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := w.command(person, "connect", connection, "--listen", "--format", "json", "--port", fmt.Sprint(freeTCPPort(w.t)), "--socket-dir", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	read := make(chan struct{})
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	d := &door{cmd: cmd}
	ready := make(chan bool, 1)
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var ev struct {
				Event, Host string
				Port        int
			}
			if json.Unmarshal(lines.Bytes(), &ev) == nil && ev.Event == "ready" {
				d.Host, d.Port = ev.Host, ev.Port
				ready <- true
			}
		}
		close(ready)
	}()
	if !<-ready {
		w.t.Fatalf("connect --listen: %s", said.String())
	}
	return d
}

func (d *door) String() string {
	return fmt.Sprintf("host=%s port=%d user=app dbname=shop sslmode=disable", d.Host, d.Port)
}

// within runs a command that must end well, and gives what it printed.
func within(t testing.TB, limit time.Duration, cmd *exec.Cmd) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}
