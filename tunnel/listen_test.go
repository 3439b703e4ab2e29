package tunnel

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
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
	self, err := os.ReadFile("/proc/self/exe")
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

func TestTCPListenerServesOnlyItsOwner(t *testing.T) {
	for _, host := range []string{"127.0.0.1:0", "[::1]:0"} {
		ln, err := ListenTCP(host, func(c net.Conn, uid int) { fmt.Fprintf(c, "not for uid %d", uid) })
		if err != nil {
			t.Fatal(err)
		}
		serve(t, ln)
		addr := ln.Addr().String()
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(c); string(got) != "welcome" {
			t.Errorf("%s: the owner read %q", host, got)
		}
		if os.Geteuid() != 0 {
			continue // TestOtherUserIsRecognised proves what can be proved then
		}
		if got := connectAs(t, 65534, addr); got != `read "not for uid 65534"` {
			t.Errorf("%s: another user: %s", host, got)
		}
	}
}

// Any socket of another user that is connected on this machine will do, and
// where there is none the rule itself is checked.
func TestOtherUserIsRecognised(t *testing.T) {
	for _, c := range []struct {
		peer, owner int
		want        bool
	}{{1000, 1000, true}, {0, 0, true}, {0, 1000, false}, {1000, 0, false}, {-1, 0, false}, {-1, -1, false}} {
		if got := mayUse(c.peer, c.owner); got != c.want {
			t.Errorf("mayUse(%d, %d) = %v", c.peer, c.owner, got)
		}
	}
}

// The kernel reports the socket of a process that has closed it with uid 0.
// That must not pass for root.
func TestClosedPeerIsNotRoot(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	peer := c.LocalAddr().(*net.TCPAddr)
	ask := map[string]func(src, dst netip.AddrPort) (int, error){"netlink or proc": socketOwner, "proc": procOwner}
	for name, f := range ask {
		if uid, err := f(unmapped(peer), unmapped(s.LocalAddr().(*net.TCPAddr))); uid != os.Geteuid() || err != nil {
			t.Errorf("%s: open peer: uid %d, %v", name, uid, err)
		}
	}
	_ = c.Close()
	for name, f := range ask {
		if uid, err := f(unmapped(peer), unmapped(s.LocalAddr().(*net.TCPAddr))); uid != -1 || err == nil {
			t.Errorf("%s: closed peer: uid %d, %v", name, uid, err)
		}
	}
}

func TestRefusalDoesNotHoldUpAccept(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("needs a second uid; the rule is in TestOtherUserIsRecognised")
		return
	}
	hold := make(chan struct{})
	ln, err := ListenTCP("127.0.0.1:0", func(c net.Conn, _ int) { <-hold; _, _ = c.Write([]byte("no")) })
	if err != nil {
		t.Fatal(err)
	}
	serve(t, ln)
	answer := make(chan string, 1)
	go func() { answer <- connectAs(t, 65534, ln.Addr().String()) }()
	for len(ln.(*tcpListener).slots) == 0 {
		time.Sleep(time.Millisecond)
	}
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(c); string(got) != "welcome" {
		t.Errorf("the owner read %q while another was refused", got)
	}
	close(hold)
	if got := <-answer; got != `read "no"` {
		t.Errorf("refused: %s", got)
	}
}

func TestListenTCPRefusesOtherAddresses(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", "192.0.2.1:0", "localhost:0", "[::ffff:127.0.0.1]:0", ":0"} {
		if ln, err := ListenTCP(addr, nil); err == nil {
			_ = ln.Close()
			t.Errorf("%s was accepted", addr)
		}
	}
}

func TestTakenPortNamesItsOwner(t *testing.T) {
	ln, err := ListenTCP("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = ListenTCP(ln.Addr().String(), nil)
	var e *InUseError
	if !errors.As(err, &e) || e.PID != os.Getpid() || e.Program == "" {
		t.Errorf("got %v (%+v)", err, e)
	}
	if _, _, ok := PortOwner(1); ok {
		t.Error("port 1 has an owner")
	}
}

func TestStablePort(t *testing.T) {
	if got := StablePort("prod-db"); got != 23549 {
		t.Errorf("StablePort(prod-db) = %d: it may never change", got)
	}
	for _, name := range []string{"", "a", "b", "demo-pg"} {
		if p := StablePort(name); p < 20000 || p > 29999 {
			t.Errorf("%q: %d", name, p)
		}
	}
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
	if _, err := ListenUnix(dir, name); !errors.As(err, &e) || e.PID != os.Getpid() {
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
