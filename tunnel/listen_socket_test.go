//go:build unix

package tunnel

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain is also the child that connects to a listener as another user.
func TestMain(m *testing.M) {
	if addr := os.Getenv("TUNNEL_TEST_CONNECT"); addr != "" {
		connectAndReport(addr)
		return
	}
	os.Exit(m.Run())
}

func connectAndReport(addr string) {
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	c, err := net.Dial(network, addr)
	if err != nil {
		fmt.Println("dial failed:", errors.Is(err, syscall.EACCES))
		return
	}
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	got, _ := io.ReadAll(c)
	fmt.Printf("read %q\n", got)
}

// connectAs runs a child of this test binary under another uid.
func connectAs(t *testing.T, uid uint32, addr string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "child")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bin, self, 0o755); err != nil { // the original may lie where the other uid cannot look
		t.Fatal(err)
	}
	for dir := filepath.Dir(bin); len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(bin)
	cmd.Dir = "/"
	cmd.Env = []string{"TUNNEL_TEST_CONNECT=" + addr}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("child: %v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// serve greets whoever is accepted.
func serve(t *testing.T, ln net.Listener) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("welcome"))
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); <-done })
}

func TestUnixListener(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "prod-db")
	const name = ".s.PGSQL.5432"
	ln, err := ListenUnix(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, ln)
	path := filepath.Join(dir, name)
	for p, want := range map[string]os.FileMode{dir: 0o700, path: 0o600} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", p, info.Mode(), err, want)
		}
	}
	var e *InUseError
	if _, err := ListenUnix(dir, name); !errors.As(err, &e) || runtime.GOOS == "linux" && e.PID != os.Getpid() {
		t.Errorf("second listener: %v", err)
	}
	if os.Geteuid() == 0 {
		if got := connectAs(t, 65534, path); got != "dial failed: true" {
			t.Errorf("another user: %s", got)
		}
		for _, p := range []string{dir, path} { // even with open modes the peer is checked
			if err := os.Chmod(p, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		if got := connectAs(t, 65534, path); got != `read ""` && got != "dial failed: true" {
			t.Errorf("another user, open modes: %s", got)
		}
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(c); string(got) != "welcome" {
		t.Errorf("the owner read %q", got)
	}
}

func TestUnixListenerReplacesStaleSocketOnly(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	_ = stale.Close()
	ln, err := ListenUnix(dir, "s")
	if err != nil {
		t.Fatalf("stale socket: %v", err)
	}
	_ = ln.Close()
	if err := os.WriteFile(path, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ListenUnix(dir, "s"); err == nil {
		t.Error("an ordinary file was replaced")
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if _, err := ListenUnix(link, "t"); err == nil {
		t.Error("a symbolic link was followed")
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		if _, err := ListenUnix(dir, "t"); err == nil {
			t.Error("another user's directory was used")
		}
	}
	if _, err := ListenUnix(dir, "../s"); err == nil {
		t.Error("a path was taken for a name")
	}
}

func TestLongSocketPathIsShortened(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long-", 30))
	ln, err := ListenUnix(dir, ".s.PGSQL.5432")
	if err != nil {
		t.Fatal(err)
	}
	path := ln.Addr().String()
	t.Cleanup(func() { _ = ln.Close(); _ = os.Remove(filepath.Dir(path)) })
	if len(path) > maxSocketPath || filepath.Base(path) != ".s.PGSQL.5432" {
		t.Errorf("path %s", path)
	}
}
