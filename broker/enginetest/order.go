package enginetest

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hoop/policy"
	"hoop/recorder"
)

// testOrder: an event is on file, with verdict and text, while the target has
// nothing of its action yet.
func testOrder(t *testing.T, w *suite) {
	s := newStage(t, w, rules())
	k := s.sit()
	k.measure()
	var watchedFor atomic.Int64
	s.rec.watch(nil, func(ev *recorder.Event) {
		mark := markIn(ev)
		if mark == "" {
			return
		}
		watchedFor.Add(1)
		if n := len(s.decided(mark)); n != 1 {
			t.Errorf("%d events are on file for %q before it is forwarded", n, ev.Text)
		}
		time.Sleep(w.grace)
		s.notYet(ev.Text, mark)
	})
	for range 3 {
		mark := newMark("ordered")
		text := w.Actions.Print(mark)
		out, err := k.do(text)
		if err != nil || !strings.Contains(out, mark) {
			t.Errorf("%s gave %q, %v", text, out, err)
		}
		s.ranOnce(text, mark)
		ev := s.decided(mark)[0]
		if ev.Text != text || ev.Verdict.Effect != policy.Allow || ev.Verdict.Rule != "all" {
			t.Errorf("the event of %q has text %q and verdict %+v", text, ev.Text, ev.Verdict)
		}
	}
	if n := watchedFor.Load(); n != 3 {
		t.Errorf("%d decisions were recorded for 3 actions", n)
	}
	before := s.wire.conns.Load()
	s.rec.watch(func(ev *recorder.Event) error {
		if ev.Type == recorder.SessionOpened && s.wire.conns.Load() != before {
			t.Error("the target was dialled before the opening was on file")
		}
		return nil
	}, nil)
	s.sit().works()
}

// measure finds out how long an action takes to show at the target.
func (k *seat) measure() {
	k.stage.t.Helper()
	k.works() // what an engine starts for its first action is no measure
	var most time.Duration
	for range 3 {
		began := time.Now()
		k.works()
		most = max(most, time.Since(began))
	}
	k.stage.world.grace = 20*time.Millisecond + 3*most
}

// markIn finds the mark of an action that is decided, of the kind ordered.
func markIn(ev *recorder.Event) string {
	_, rest, ok := strings.Cut(ev.Text, "ordered-")
	if !ok || ev.Type != recorder.ActionDecided {
		return ""
	}
	return "ordered-" + rest[:10]
}

// ranOnce wants the target to have run exactly this text, once.
func (s *stage) ranOnce(text, mark string) {
	s.t.Helper()
	if got := s.ran(mark); len(got) != 1 || got[0] != text {
		s.t.Errorf("the target ran %q, want %q once", got, text)
	}
}

// denies makes an action that must be refused in the protocol's frame, with
// the words of all parts.
func (k *seat) denies(text, mark string, parts ...string) {
	k.stage.t.Helper()
	out, err := k.do(text)
	var refusal *RefusedError
	if !errors.As(err, &refusal) {
		k.stage.t.Errorf("%q gave %q, %v: want a refusal in the protocol's frame", text, out, err)
	} else if !contains(refusal.Text, parts...) {
		k.stage.t.Errorf("the refusal of %q reads %q, want %q in it", text, refusal.Text, parts)
	}
	k.stage.never(text, mark)
}
