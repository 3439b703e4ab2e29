package enginetest

import (
	"testing"
	"time"

	"hoop/broker/approval"
	"hoop/recorder"
)

// testApprovalToOpen: nothing reaches the target before a session may be.
func testApprovalToOpen(t *testing.T, w *suite) {
	s := newStage(t, w, first(toOpen("require_approval"), rules()))
	k, err := s.connectAnswered(approval.Approve)
	if err != nil {
		t.Fatalf("approved, connecting gave %v", err)
	}
	k.works()
	_ = k.client.Close()
	_ = k.left()
	before := s.wire.conns.Load()
	if _, err := s.connectAnswered(approval.Deny); !isRefusal(err) || !contains(err.Error(), "bob denied") || s.wire.conns.Load() != before {
		t.Errorf("denied, connecting gave %v and %d connections to the target", err, s.wire.conns.Load()-before)
	}
	states := map[recorder.Type]int{}
	for _, ev := range s.events() {
		states[ev.Type]++
	}
	if states[recorder.SessionOpened] != 1 || states[recorder.SessionRefused] != 1 || states[recorder.ApprovalEnded] != 2 {
		t.Errorf("the record has %v", states)
	}
}

// connectAnswered connects alice, who waits until bob has answered.
func (s *stage) connectAnswered(decision string) (k *seat, err error) {
	s.t.Helper()
	before := s.wire.conns.Load()
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx, cancel := contextFor(patience)
		defer cancel()
		k, err = s.connect(ctx, alice())
	}()
	a := s.waiting()
	time.Sleep(20 * time.Millisecond) // for an engine that would be too early
	if s.wire.conns.Load() != before {
		s.t.Error("the target was dialled before the answer")
	}
	if err := s.answer(a, bob(), decision); err != nil {
		s.t.Error(err)
	}
	<-done
	return k, err
}
