package enginetest

import (
	"context"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// testNothingIsLeft: sessions leave no goroutine and no connection to the
// target, however they end.
func testNothingIsLeft(t *testing.T, w *suite) {
	s := newStage(t, w, first(toOpenFor("mallory"), rules()))
	s.sessions() // whatever an engine keeps for all sessions is there by now
	before := goroutines()
	for range 2 {
		s.sessions()
	}
	var left []string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		left = left[:0]
		for id, stack := range goroutines() {
			if _, ok := before[id]; !ok {
				left = append(left, stack)
			}
		}
		if len(left) == 0 && s.wire.idle() {
			return
		}
	}
	t.Errorf("%d goroutines are left, connections to the target: %v\n%s", len(left), !s.wire.idle(), strings.Join(left, "\n\n"))
}

// sessions runs one session for each way in which one can end.
func (s *stage) sessions() {
	s.t.Helper()
	var all []*seat
	sit := func() *seat { k := s.sit(); all = append(all, k); return k }
	work := func(k *seat) <-chan error {
		mark := newMark("fine")
		return k.begun(context.Background(), s.world.Actions.Wait(mark), mark)
	}
	k := sit()
	k.works()
	_ = k.client.Close()

	k = sit()
	ended := work(k) // the client goes while the target works
	_ = k.first.Close()
	<-ended

	k = sit()
	ended = work(k) // revoked while the target works
	for _, l := range s.broker.Live() {
		s.broker.End(l.ID, "all of you")
	}
	<-ended

	k = sit()
	mark := newMark("ask") // the client goes while something waits
	h := k.hold(context.Background(), s.world.Actions.Print(mark), mark)
	_ = k.first.Close()
	<-h.ended

	k = sit()
	ended = work(k) // the target dies
	s.wire.cut()
	<-ended

	who := alice()
	who.Principal.Groups = append(who.Principal.Groups, "mallory")
	if k, err := s.connect(s.t.Context(), who); err == nil {
		s.t.Error("who is denied got in")
	} else if k != nil {
		_ = k.first.Close()
		_ = k.left()
	}
	for _, k := range all {
		_ = k.left()
		_ = k.client.Close()
	}
}

var goroutineID = regexp.MustCompile(`^goroutine (\d+) `)

// goroutines gives the stacks of those that run, by their number.
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	all := map[string]string{}
	for _, stack := range strings.Split(string(buf), "\n\n") {
		if m := goroutineID.FindStringSubmatch(stack); m != nil {
			all[m[1]] = stack
		}
	}
	return all
}
