package cli

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
)

// terminal is a program on a terminal of its own.
type terminal struct {
	t    testing.TB
	cmd  *exec.Cmd
	file *os.File

	mu     sync.Mutex
	screen strings.Builder
	vt     *screen // what it makes of that
	seen   int     // up to where wait has looked
	grew   chan struct{}
	done   chan struct{}
}

func onTerminal(t testing.TB, c *exec.Cmd) *terminal {
	t.Helper()
	return onTerminalOf(t, c, 200, 50)
}

func onTerminalOf(t testing.TB, c *exec.Cmd, width, height uint16) *terminal {
	t.Helper()
	f, err := pty.StartWithSize(c, &pty.Winsize{Rows: height, Cols: width})
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{t: t, cmd: c, file: f, vt: newScreen(int(width), int(height)), grew: make(chan struct{}, 1), done: make(chan struct{})}
	go x.read()
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = f.Close()
		<-x.done
	})
	return x
}

func (x *terminal) read() {
	defer close(x.done)
	buf := make([]byte, 4096)
	for {
		n, err := x.file.Read(buf)
		x.mu.Lock()
		x.screen.Write(buf[:n])
		_, _ = x.vt.Write(buf[:n])
		x.mu.Unlock()
		select {
		case x.grew <- struct{}{}:
		default:
		}
		if err != nil { // EIO once the program is gone
			return
		}
	}
}

// wait waits until text appears after what was waited for before.
func (x *terminal) wait(text string) {
	x.t.Helper()
	deadline := time.After(limit)
	for {
		x.mu.Lock()
		all := x.screen.String()
		at := strings.Index(all[x.seen:], text)
		if at >= 0 {
			x.seen += at + len(text)
		}
		x.mu.Unlock()
		if at >= 0 {
			return
		}
		select {
		case <-x.grew:
		case <-x.done:
			if !strings.Contains(x.text(), text) {
				x.t.Fatalf("the program ended without %q; the terminal shows:\n%s", text, x.text())
			}
		case <-deadline:
			x.t.Fatalf("%q does not appear; the terminal shows:\n%s", text, x.text())
		}
	}
}

func (x *terminal) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.screen.String()
}

func (x *terminal) type_(text string) {
	x.t.Helper()
	if _, err := io.WriteString(x.file, text); err != nil {
		x.t.Fatal(err)
	}
}

// end waits for the program and gives its exit code, 128+n for a signal.
func (x *terminal) end() int {
	x.t.Helper()
	err := x.cmd.Wait()
	<-x.done
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		x.t.Fatal(err)
	}
	if ws, ok := x.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return x.cmd.ProcessState.ExitCode()
}

// tty is the verb of scripts.
func tty(ts *testscript.TestScript, _ bool, args []string) {
	t, ok := ts.Value("t").(testing.TB)
	if !ok {
		ts.Fatalf("the script has no test")
	}
	path, err := exec.LookPath(args[0])
	ts.Check(err)
	c := exec.Command(path, args[1:]...)
	for _, name := range []string{"PATH", "HOOP_CONFIG_DIR", "HOOP_KEYRING", "NO_COLOR", "XDG_RUNTIME_DIR"} {
		c.Env = append(c.Env, name+"="+ts.Getenv(name))
	}
	c.Env = append(c.Env, "TERM=xterm-256color")
	x := onTerminal(t, c)
	code := x.end()
	if _, err := io.WriteString(ts.Stdout(), x.text()); err != nil {
		ts.Fatalf("%v", err)
	}
	if code != 0 {
		ts.Fatalf("%s ended with %d:\n%s", strings.Join(args, " "), code, x.text())
	}
}

func TestCtrlCCancelsTheQueryAndTheSessionGoesOn(t *testing.T) {
	t.Parallel()
	x := onTerminal(t, hoopCommand(t, asAlice(t), "connect", "demo-pg"))
	x.wait("shop=>")
	x.type_("SELECT pg_sleep(100);\r")
	x.wait("pg_sleep(100)")
	waitFor(t, "the query to run", func() bool {
		out, err := world(t).Postgres.Exec(t.Context(), "shop", "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep(100)%'")
		return err == nil && strings.TrimSpace(out) == "1"
	})
	x.type_("\x03")
	x.wait("canceling statement due to user request")
	x.type_("SELECT 'still ' || 'here';\r")
	x.wait("still here")
	x.type_("\\conninfo\r")
	x.wait("via socket")
	x.type_("\\q\r")
	if code := x.end(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestCtrlCEndsAListenerInOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	x := onTerminal(t, hoopCommand(t, asAlice(t), "connect", "demo-pg", "--listen", "--port", freePort(t), "--socket-dir", dir+"/s"))
	x.wait("Ctrl-C")
	x.type_("\x03")
	if code := x.end(); code != 0 {
		t.Errorf("exit code %d, want 0: to be interrupted is a listener's ordinary end", code)
	}
	if left, _ := os.ReadDir(dir + "/s"); len(left) > 0 {
		t.Errorf("%v stayed behind", left)
	}
}

// TestCtrlCAtAPromptEndsIt: the terminal is left with its echo on.
func TestCtrlCAtAPromptEndsIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hoop(t, clientEnv(dir), "broker", "init", dir+"/b").must(t, 0)
	x := onTerminal(t, hoopCommand(t, clientEnv(dir), "credential", "set", "db", "--config", dir+"/b/hoop.yaml"))
	x.wait("Secret for db: ")
	waitFor(t, "the echo to be off", func() bool { return !echoes(t, x.file) })
	x.type_("\x03")
	if code := x.end(); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
}

// waitFor asks again and again until a condition holds.
func waitFor(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("waited in vain for %s", what)
}
