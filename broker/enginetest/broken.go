package enginetest

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"hoop/broker"
	"hoop/policy"
	"hoop/recorder"
)

// testBrokenRecorder: what cannot be recorded does not happen, and after that
// nothing does, in no session.
func testBrokenRecorder(t *testing.T, w *suite) {
	t.Run("at the opening", func(t *testing.T) {
		s := newStage(t, w, rules())
		s.rec.watch(func(*recorder.Event) error { return errDiskGone }, nil)
		if _, text := s.refused(); !contains(text, "audit log") {
			t.Errorf("the client read %q", text)
		}
		if s.wire.conns.Load() != 0 {
			t.Error("the target was dialled")
		}
	})
	t.Run("at the third action", func(t *testing.T) { testThirdActionBreaks(t, w) })
	t.Run("while one waits", func(t *testing.T) {
		s := newStage(t, w, rules())
		k := s.sit()
		mark := newMark("ask")
		h := k.hold(context.Background(), w.Actions.Print(mark), mark)
		s.rec.watch(func(ev *recorder.Event) error {
			if ev.Type == recorder.ActionDecided {
				return errDiskGone
			}
			return nil
		}, nil)
		s.approve(h.approval)
		if err := <-h.ended; !isRefusal(err) {
			t.Errorf("the action gave %v", err)
		}
		s.never(h.text, mark)
	})
}

func testThirdActionBreaks(t *testing.T, w *suite) {
	s := newStage(t, w, rules())
	k, other := s.sit(), s.sit()
	k.works()
	k.works()
	s.rec.watch(func(ev *recorder.Event) error {
		if ev.Type == recorder.ActionDecided {
			return errDiskGone
		}
		return nil
	}, nil)
	k.blocked("audit log")
	k.blocked("audit log")
	other.blocked("audit log")
	if _, text := s.refused(); !contains(text, "audit log") {
		t.Errorf("who came after that read %q", text)
	}
}

// blocked makes an action that must not reach the target, for a reason; an
// engine may have ended the session because of it.
func (k *seat) blocked(why string) {
	k.stage.t.Helper()
	mark := newMark("fine")
	text := k.stage.world.Actions.Print(mark)
	if out, err := k.do(text); err == nil || strings.Contains(out, mark) {
		k.stage.t.Errorf("%q gave %q, %v", text, out, err)
	}
	if !contains(k.told.String(), why) {
		k.stage.t.Errorf("the client read %q, want %q in it", k.told.String(), why)
	}
	k.stage.never(text, mark)
}

func isRefusal(err error) bool {
	var refusal *RefusedError
	return errors.As(err, &refusal)
}

// testBrokenParts: a policy, a detector, a credential or a target that cannot
// be used denies.
func testBrokenParts(t *testing.T, w *suite) {
	t.Run("policy", func(t *testing.T) {
		s := newStage(t, w, first(policy.RuleSpec{Name: "riddle", When: `action.verb != "session.open" && int(action.text) > 3`, Effect: "allow"}, rules()))
		mark := newMark("fine")
		s.sit().denies(w.Actions.Print(mark), mark, "riddle", "cannot be computed")
	})
	t.Run("policy at the opening", func(t *testing.T) {
		s := newStage(t, w, first(policy.RuleSpec{Name: "riddle", When: `int(action.verb) > 3`, Effect: "allow"}, rules()))
		if _, text := s.refused(); !contains(text, "riddle", "cannot be computed") {
			t.Errorf("the client read %q", text)
		}
	})
	t.Run("detectors", func(t *testing.T) { testBrokenDetectors(t, w) })
	t.Run("credential", func(t *testing.T) {
		s := newStage(t, w, rules())
		s.give(func() (*broker.Secret, error) { return nil, errors.New("the vault is sealed") })
		s.shutThenServed("the vault is sealed")
	})
	t.Run("target refuses the credential", func(t *testing.T) {
		s := newStage(t, w, rules())
		s.give(func() (*broker.Secret, error) { wrong := w.Target.Wrong; return &wrong, nil })
		s.shutThenServed("target")
	})
	if w.Records {
		t.Run("recordings", func(t *testing.T) { testBrokenRecordings(t, w) })
	}
	t.Run("no target", func(t *testing.T) { testNoTarget(t, w) })
}

// testBrokenDetectors puts a class in force that nobody knows, under a session
// that is open.
func testBrokenDetectors(t *testing.T, w *suite) {
	s := newStage(t, w, rules())
	k := s.sit()
	k.works()
	doc := rules()
	doc.Detectors = []policy.DetectorSpec{{Classes: []string{"no_such_class"}}}
	s.reload(doc)
	mark := newMark("fine")
	k.denies(w.Actions.Print(mark), mark, "masking")
}

// testBrokenRecordings: what cannot be recorded is not begun, and is again once
// it can.
func testBrokenRecordings(t *testing.T, w *suite) {
	s := newStage(t, w, rules())
	k := s.sit()
	k.works()
	if err := os.Rename(s.casts, s.casts+".gone"); err != nil {
		t.Fatal(err)
	}
	mark := newMark("fine")
	k.denies(w.Actions.Print(mark), mark, "recording")
	if err := os.Rename(s.casts+".gone", s.casts); err != nil {
		t.Fatal(err)
	}
	s.sit().works()
}

// shut wants alice to read some words in place of an answer: an engine may
// reach the target while it lets her in, and tell her at her first action.
func (s *stage) shut(words string) {
	s.t.Helper()
	ctx, cancel := contextFor(patience)
	defer cancel()
	mark := newMark("fine")
	k, err := s.connect(ctx, alice())
	if err == nil {
		_, err = k.do(s.world.Actions.Print(mark))
	}
	if !isRefusal(err) || !contains(err.Error(), words) {
		s.t.Errorf("the client read %v, want %q in it", err, words)
	}
	s.never(s.world.Actions.Print(mark), mark)
	if k != nil && k.client != nil {
		_ = k.client.Close()
	}
}

// shutThenServed wants a refusal with some words now, and a session once the
// credential is right again.
func (s *stage) shutThenServed(words string) {
	s.t.Helper()
	s.shut(words)
	s.give(func() (*broker.Secret, error) { right := s.world.Target.Secret; return &right, nil })
	s.sit().works()
}

func testNoTarget(t *testing.T, w *suite) {
	s := newStage(t, w, rules())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := *s.conn
	gone.Target.Port = l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	there := s.conn
	s.conn = &gone
	s.shut("target")
	s.conn = there
	s.sit().works()
}
