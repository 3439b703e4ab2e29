package ssh

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hoop/policy"
	"hoop/recorder"
)

// echoServer answers each conn with what it gets, after a greeting, until the
// client's end of file.
func echoServer(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.WriteString(c, "hello ")
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// talk sends a text, ends its half and reads the rest.
func talk(t *testing.T, network, address, text string) string {
	t.Helper()
	var c net.Conn
	var err error
	for range 100 {
		if c, err = net.Dial(network, address); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, text)
	_ = c.(interface{ CloseWrite() error }).CloseWrite()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	got, err := io.ReadAll(c)
	if err != nil {
		t.Error(err)
	}
	return string(got)
}

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// background runs ssh until the test ends.
func (w *world) background(args ...string) {
	w.t.Helper()
	cmd := exec.Command("ssh", args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

func TestForwards(t *testing.T) {
	w := newWorld(t)
	config := w.listen()
	echo, local, remote := echoServer(t), freePort(t), freePort(t)
	socket := filepath.Join(t.TempDir(), "s")
	w.background("-F", config, "-N", "-o", "ExitOnForwardFailure=yes", "-L", fmt.Sprintf("%d:127.0.0.1:%d", local, echo),
		"-R", fmt.Sprintf("%d:127.0.0.1:%d", remote, echo), "-R", fmt.Sprintf("%s:127.0.0.1:%d", socket, echo), "web-1.hoop")
	if got := talk(t, "tcp", fmt.Sprintf("127.0.0.1:%d", local), "local"); got != "hello local" {
		t.Errorf("-L: %q", got)
	}
	if got := talk(t, "tcp", fmt.Sprintf("127.0.0.1:%d", remote), "remote"); got != "hello remote" {
		t.Errorf("-R: %q", got)
	}
	if got := talk(t, "unix", socket, "socket"); got != "hello socket" {
		t.Errorf("-R socket: %q", got)
	}
	if got := w.run([]byte("through"), "ssh", "-F", config, "-W", fmt.Sprintf("127.0.0.1:%d", echo), "web-1.hoop"); got.out != "hello through" {
		t.Errorf("-W: %+v", got)
	}
	want := int64(len("hello local") + len("hello through"))
	var bytes int64
	for range 100 { // the end of a forward is recorded after its client has read it
		bytes = 0
		for _, ev := range w.events.of(recorder.ActionFinished) {
			bytes += ev.Bytes
		}
		if bytes == want {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("recorded %d bytes of forwards, want %d", bytes, want)
}

func TestARefusedForwardSaysWhy(t *testing.T) {
	w := newWorld(t, policy.Document{Rules: []policy.RuleSpec{
		{Name: "open", Effect: "allow", Actions: []string{"session.open", "ssh.exec"}},
	}})
	config := w.listen()
	got := w.ssh(config, "-W", "127.0.0.1:22")
	got = w.run(nil, "ssh", "-F", config, "-W", "127.0.0.1:22", "web-1.hoop")
	if got.code != 255 || !strings.Contains(got.err, "administratively prohibited: hoop: denied by policy") {
		t.Errorf("-W: %+v", got)
	}
	got = w.run(nil, "ssh", "-F", config, "-R", fmt.Sprintf("%d:127.0.0.1:22", freePort(t)), "web-1.hoop", "sleep 1; echo on")
	if got.out != "on\n" || !strings.Contains(got.err, "remote port forwarding failed") {
		t.Errorf("-R: %+v", got)
	}
}

func TestAgentForwarding(t *testing.T) {
	w := newWorld(t)
	config := w.listen()
	agent := filepath.Join(t.TempDir(), "agent")
	cmd := exec.Command("ssh-agent", "-D", "-a", agent)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	t.Setenv("SSH_AUTH_SOCK", agent)
	for range 100 {
		if c, err := net.Dial("unix", agent); err == nil { // the file is there before anybody listens
			c.Close()
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if got := w.run(nil, "ssh-add", shared.server.ClientKey); got.code != 0 {
		t.Fatalf("ssh-add: %+v", got)
	}
	got := w.run(nil, "ssh", "-A", "-F", config, "web-1.hoop", "ssh-add -l")
	if got.code != 0 || !strings.Contains(got.out, "ED25519") {
		t.Errorf("-A: %+v", got)
	}
	w.rule(policy.Document{Rules: []policy.RuleSpec{{Name: "some", Effect: "allow", Actions: []string{"session.open", "ssh.exec"}}}})
	got = w.run(nil, "ssh", "-A", "-F", config, "web-1.hoop", "ssh-add -l")
	if got.code == 0 || !strings.Contains(got.err, "hoop: agent forwarding denied by policy") {
		t.Errorf("-A refused: %+v", got)
	}
}

func TestEnvironment(t *testing.T) {
	w := newWorld(t)
	config := w.listen()
	t.Setenv("HOOP_TEST_ONE", "1")
	t.Setenv("LC_TEST", "x")
	got := w.run(nil, "ssh", "-o", "SendEnv=HOOP_TEST_* LC_TEST", "-F", config, "web-1.hoop", "echo $HOOP_TEST_ONE$LC_TEST")
	if got.out != "1x\n" {
		t.Errorf("%+v", got)
	}
}

func TestManyCommandsOverOneConnection(t *testing.T) {
	w := newWorld(t)
	config := w.listen()
	w.master(config)
	for i := range 40 {
		code := i * 3
		if got := w.ssh(config, fmt.Sprintf("echo %d; exit %d", i, code)); got != (result{fmt.Sprintf("%d\n", i), "", code}) {
			t.Fatalf("run %d: %+v", i, got)
		}
	}
	if n := len(w.events.of(recorder.SessionOpened)); n != 1 {
		t.Errorf("%d sessions", n)
	}
}
