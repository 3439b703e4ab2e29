package cli

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// TestACutNetworkLosesNothing cuts the TCP path again and again in the middle
// of one result.
func TestACutNetworkLosesNothing(t *testing.T) {
	t.Parallel()
	b := newBroker(t, brokerOptions{})
	cut := newCutter(t, b.listen)
	dir := signInThrough(t, b, cut)
	const rows = 300000
	p := start(t, hoopCommand(t, clientEnv(dir), "connect", "shop", "--", "psql", "-XAtc",
		fmt.Sprintf("SELECT i, md5(i::text) FROM generate_series(1, %d) i", rows)))
	cuts := 0
	for n := 1; n <= 4; n++ {
		waitFor(t, "a part of the result", func() bool {
			select {
			case <-p.ended:
				return true
			default:
				return strings.Count(p.out.String(), "\n") > n*rows/6
			}
		})
		if cut.cut() > 0 {
			cuts++
		}
	}
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d: %s", code, p.err.String())
	}
	lines := strings.Split(strings.TrimSpace(p.out.String()), "\n")
	if len(lines) != rows {
		t.Fatalf("%d rows arrived, want %d (after %d cuts)", len(lines), rows, cuts)
	}
	for i, l := range lines {
		if !strings.HasPrefix(l, itoa(i+1)+"|") {
			t.Fatalf("row %d is %q", i+1, l)
		}
	}
	if cuts == 0 || !strings.Contains(p.err.String(), "reconnected") {
		t.Errorf("%d cuts, and hoop told: %s", cuts, p.err.String())
	}
}

// TestAKilledBrokerIsTold: the broker comes back and does not know the session.
// psql prints what really happened.
func TestAKilledBrokerIsTold(t *testing.T) {
	t.Parallel()
	b := newBroker(t, brokerOptions{})
	s := openPSQL(t, b.ann(t), "shop")
	_ = b.cmd.Process.Signal(syscall.SIGKILL)
	<-b.ended
	b.run(t)
	s.shows("hoop: shop: lost: ")
	s.sends("SELECT 1;")
	_ = s.in.Close()
	if code := s.wait(); code != 2 {
		t.Errorf("psql ended with %d, want 2", code)
	}
	if text := s.err.String(); !strings.Contains(text, "FATAL:  hoop: the session ended: ") {
		t.Errorf("psql was not told why: %s", text)
	}
}
