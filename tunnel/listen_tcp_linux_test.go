package tunnel

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
)

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

func BenchmarkSocketOwner(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	src, dst := unmapped(c.LocalAddr().(*net.TCPAddr)), unmapped(c.RemoteAddr().(*net.TCPAddr))
	for b.Loop() {
		if _, err := socketOwner(src, dst); err != nil {
			b.Fatal(err)
		}
	}
}
