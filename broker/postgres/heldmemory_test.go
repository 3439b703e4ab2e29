package postgres

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hoop/broker/approval"
)

// A session that is held costs little more than an idle one, and once it is
// answered its statement is on its way.
func TestHeldSessionsAreSmall(t *testing.T) {
	h := newHolding(t, asking(deletes()))
	orders(t)
	h.engine.idle = 20 * time.Millisecond
	dir, port := h.listen()
	const n = 120
	open := func() net.Conn {
		c, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL."+port))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		rawStartup(t, c, protocol30, "user", "x")
		talk(t, c, []byte(simple("select 1")), 1)
		return c
	}
	var all []net.Conn
	for range n {
		all = append(all, open())
	}
	hold := func(c net.Conn) {
		if _, err := c.Write([]byte(simple("delete from orders where id = 12345"))); err != nil {
			t.Fatal(err)
		}
	}
	hold(all[0])
	h.approve(h.waiting()) // what is made once is made now
	talk(t, all[0], nil, 1)
	time.Sleep(100 * time.Millisecond)
	h.events.forget() // the broker's own recorder has written them
	idle := memory()
	for _, c := range all {
		hold(c)
	}
	waits := h.waitingFor(n)
	for _, a := range waits { // looking ahead is over
		h.previewed(a)
	}
	waits = nil
	time.Sleep(100 * time.Millisecond)
	h.events.forget()
	each := (memory() - idle) / n
	t.Logf("%d bytes more for a held session than for an idle one", each)
	if each > 4<<10 {
		t.Errorf("a held session holds %d bytes more than an idle one", each)
	}
	var took []time.Duration
	waits = h.waitingFor(n)
	for range n {
		at := time.Now()
		h.approve(waits[len(took)])
		answered := time.Now()
		took = append(took, answered.Sub(at))
	}
	for _, c := range all {
		if got := string(talk(t, c, nil, 1)); !strings.Contains(got, "DELETE 0") {
			t.Errorf("got %q", got)
		}
	}
	slices.Sort(took)
	t.Logf("an answer took %v at the median", took[n/2])
}

// BenchmarkRelease measures from the answer to the statement's own result:
// signing, recording and keeping the answer are in it.
func BenchmarkRelease(b *testing.B) {
	h := newHolding(b, asking(deletes()))
	orders(b)
	dir, port := h.listen()
	c, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL."+port))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	rawStartup(b, c, protocol30, "user", "x")
	for b.Loop() {
		b.StopTimer()
		if _, err := c.Write([]byte(simple("delete from orders where id = 12345"))); err != nil {
			b.Fatal(err)
		}
		a := h.waiting()
		time.Sleep(5 * time.Millisecond)
		b.StartTimer()
		if err := h.answer(a, approval.Answer{Decision: approval.Approve}); err != nil {
			b.Fatal(err)
		}
		talk(b, c, nil, 1)
	}
}
