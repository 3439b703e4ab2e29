package enginetest

import (
	"testing"

	"hoop/policy"
	"hoop/recorder"
)

// testDenial: who is denied reads rule, reason and hint; the target has
// nothing of it, the record has, and the session goes on.
func testDenial(t *testing.T, w *suite) {
	t.Run("an action", func(t *testing.T) { testDeniedAction(t, w) })
	t.Run("the opening", func(t *testing.T) { testDeniedOpening(t, w) })
	t.Run("what no rule allows", func(t *testing.T) {
		s := newStage(t, w, policy.Document{Rules: []policy.RuleSpec{{Name: "open", Actions: []string{"session.open"}, Effect: "allow"}}})
		mark := newMark("fine")
		s.sit().denies(w.Actions.Print(mark), mark, "no rule allows this")
	})
}

func testDeniedAction(t *testing.T, w *suite) {
	s := newStage(t, w, rules())
	k := s.sit()
	for _, text := range []func(string) string{w.Actions.Print, w.Actions.Wait, w.Actions.Flood} {
		mark := newMark("deny")
		k.denies(text(mark), mark, denyRule, denyReason, denyHint)
		ev := s.decided(mark)
		if len(ev) != 1 || ev[0].Outcome != "denied" || ev[0].Verdict.Effect != policy.Deny || ev[0].Verdict.Rule != denyRule || ev[0].Text != text(mark) {
			t.Errorf("the record of %q is %+v", text(mark), ev)
		}
		k.works()
	}
	if p, ok := w.Actions.(Puzzler); ok {
		mark := newMark("fine")
		k.denies(p.Puzzle(mark), mark)
		if ev := s.decided(mark); len(ev) != 1 || ev[0].Outcome != "denied" {
			t.Errorf("the record of %q is %+v", p.Puzzle(mark), ev)
		}
		k.works()
	}
}

func testDeniedOpening(t *testing.T, w *suite) {
	s := newStage(t, w, first(toOpen("deny"), rules()))
	if _, text := s.refused(); !contains(text, "door", "the door is kept", "ring the bell") {
		t.Errorf("the client read %q", text)
	}
	if s.wire.conns.Load() != 0 {
		t.Error("the target was dialled")
	}
	events := s.events()
	if len(events) != 1 || events[0].Type != recorder.SessionRefused || events[0].Verdict.Rule != "door" {
		t.Errorf("the record is %+v", events)
	}
}
