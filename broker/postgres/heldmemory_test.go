package postgres

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hoop/broker/approval"
	"hoop/recorder"
)

// A session that is held costs little more than an idle one, and once it is
// answered its statement is on its way.
func TestHeldSessionsAreSmall(t *testing.T) {
	h := newHolding(t, asking(deletes()))
	orders(t)
	h.engine.idle = 20 * time.Millisecond
	const n = 200
	all := h.openMany(n)
	h.analysed(n)
	h.holdOne(all[0], 0)
	h.approve(h.waiting()) // what is made once is made now
	talk(t, all[0], nil, 1)
	time.Sleep(100 * time.Millisecond)
	h.events.forget() // the broker's own recorder has written them
	idle := memory()
	for i, c := range all {
		h.holdOne(c, i)
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
	for _, a := range h.waitingFor(n) {
		h.approve(a)
	}
	for _, c := range all {
		if got := string(talk(t, c, nil, 1)); !strings.Contains(got, "DELETE 0") {
			t.Errorf("got %q", got)
		}
	}
}

// BenchmarkHeld holds 500 sessions at once, each with a statement of its own, on
// a real audit log and a real store, and answers one after the other. It reports
// what a held one takes in memory beyond an idle one; how long it is from an
// answer's arrival until its session is awake (what the answer is recorded and
// kept in is in that), and from there until the client has the result of its
// statement. Run it with -benchtime 1x.
func BenchmarkHeld(b *testing.B) {
	const n = 500
	for b.Loop() {
		log, err := recorder.Open(b.TempDir(), recorder.Options{})
		if err != nil {
			b.Fatal(err)
		}
		h := holdingOn(b, relayWorld(b, asking(deletes())), log)
		b.Cleanup(func() { _ = log.Close() })
		h.engine.idle = 20 * time.Millisecond
		orders(b)
		all := h.openMany(n)
		h.analysed(n)
		h.holdOne(all[0], 0)
		h.approve(h.waiting())
		talk(b, all[0], nil, 1)
		time.Sleep(time.Second)
		idle := memory()
		for i, c := range all {
			h.holdOne(c, i)
		}
		for _, a := range h.waitingFor(n) {
			h.previewed(a)
		}
		time.Sleep(time.Second)
		b.ReportMetric(float64(memory()-idle)/n, "B/held")
		waits := map[string]approval.Approval{}
		for _, a := range h.waitingFor(n) {
			waits[a.Text] = a
		}
		var woken, ran []time.Duration
		for i, c := range all {
			a := waits[deleteOf(i)]
			start := time.Now()
			h.approve(a)
			awake := time.Now()
			if got := string(talk(b, c, nil, 1)); !strings.Contains(got, "DELETE 0") {
				b.Fatalf("got %q", got)
			}
			woken, ran = append(woken, awake.Sub(start)), append(ran, time.Since(awake))
		}
		reportTimes(b, woken, "wake")
		reportTimes(b, ran, "run")
	}
}

func deleteOf(i int) string { return fmt.Sprintf("delete from orders where id = %d", 10_000+i) }

func reportTimes(b *testing.B, took []time.Duration, what string) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-"+what+"-p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-"+what+"-p99")
}

// openMany opens sessions that have run one statement.
func (h *holding) openMany(n int) []net.Conn {
	h.t.Helper()
	dir, port := h.listen()
	var all []net.Conn
	for range n {
		c, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL."+port))
		if err != nil {
			h.t.Fatal(err)
		}
		h.t.Cleanup(func() { c.Close() })
		rawStartup(h.t, c, protocol30, "user", "x")
		talk(h.t, c, []byte(simple("select 1")), 1)
		all = append(all, c)
	}
	return all
}

// analysed lets the analyser know what will be held: what it keeps of a text is
// the broker's, within bounds, and no session's.
func (h *holding) analysed(n int) {
	h.t.Helper()
	for i := range n {
		if st := h.engine.analyzer.Statements(h.t.Context(), deleteOf(i)); len(st) != 1 {
			h.t.Fatalf("%d statements", len(st))
		}
	}
}

func (h *holding) holdOne(c net.Conn, i int) {
	h.t.Helper()
	if _, err := c.Write([]byte(simple(deleteOf(i)))); err != nil {
		h.t.Fatal(err)
	}
}
