package enginetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"hoop/broker/approval"
	"hoop/policy"
)

// testApproval: an action waits for people, and what they say is what happens.
func testApproval(t *testing.T, w *suite) {
	s := newStage(t, w, rules())
	k := s.sit()
	for _, c := range []struct {
		name string
		run  func(*stage, *seat)
	}{
		{"approved", (*stage).approvedOnce},
		{"denied", (*stage).deniedByPeople},
		{"expired", (*stage).expired},
		{"withdrawn", (*stage).withdrawn},
		{"not by who asks", (*stage).notByWhoAsks},
		{"policy changed", (*stage).policyChanged},
	} {
		if !t.Run(c.name, func(t *testing.T) { s.t = t; c.run(s, k); k.works() }) {
			break // what follows would tell of the same
		}
	}
	s.t = t
	s.clientGone(k)
	s.revokedWhileHeld()
	if w.Parallel {
		s.othersGoOn()
	}
}

// approvedOnce: it runs once, as it was shown; the same again asks again.
func (s *stage) approvedOnce(k *seat) {
	mark := newMark("ask")
	h := k.hold(context.Background(), s.world.Actions.Print(mark), mark)
	time.Sleep(s.world.grace)
	s.notYet(h.text, mark)
	s.approve(h.approval)
	if err := <-h.ended; err != nil {
		s.t.Errorf("approved, it gave %v", err)
	}
	s.ranOnce(h.text, mark)
	again := k.ask(h.text)
	if again.approval.ID == h.approval.ID {
		s.t.Error("the second time it did not ask again")
	}
	if err := s.answer(again.approval, bob(), approval.Deny); err != nil {
		s.t.Error(err)
	}
	if err := <-again.ended; !isRefusal(err) || !contains(err.Error(), "bob") {
		s.t.Errorf("denied, it gave %v", err)
	}
	s.ranOnce(h.text, mark)
	ev := s.decided(mark)
	if len(ev) != 2 || ev[0].Approval == nil || ev[0].Approval.ID != h.approval.ID || len(ev[0].Approval.Approvers) != 1 || ev[0].Approval.Approvers[0] != "bob" {
		s.t.Fatalf("the record is %+v", ev)
	}
	if ev[1].Outcome != "denied" || ev[1].Approval == nil || ev[1].Approval.State != approval.Denied {
		s.t.Errorf("the record of the second time is %+v", ev[1])
	}
}

// ask makes an action that must wait, of which something may have run before.
func (k *seat) ask(text string) *held {
	k.stage.t.Helper()
	ended := make(chan error, 1)
	go func() { _, err := k.do(text); ended <- err }()
	return &held{text: text, approval: k.stage.waiting(), ended: ended}
}

func (s *stage) deniedByPeople(k *seat) {
	mark := newMark("ask")
	h := k.hold(context.Background(), s.world.Actions.Print(mark), mark)
	if err := s.answer(h.approval, bob(), approval.Deny); err != nil {
		s.t.Error(err)
	}
	if err := <-h.ended; !isRefusal(err) || !contains(err.Error(), "bob denied", "seen") {
		s.t.Errorf("denied, it gave %v", err)
	}
	s.never(h.text, mark)
}

func (s *stage) expired(k *seat) {
	mark := newMark("hurry")
	text := s.world.Actions.Print(mark)
	if _, err := k.do(text); !isRefusal(err) || !contains(err.Error(), "soon-over", "again") {
		s.t.Errorf("expired, it gave %v", err)
	}
	s.never(text, mark)
}

// withdrawn: the client gives up with the means of its protocol.
func (s *stage) withdrawn(k *seat) {
	mark := newMark("ask")
	ctx, giveUp := context.WithCancel(context.Background())
	h := k.hold(ctx, s.world.Actions.Print(mark), mark)
	giveUp()
	if err := <-h.ended; err == nil {
		s.t.Error("withdrawn, it went through")
	}
	s.notAnswerable(h)
	s.never(h.text, mark)
}

// notAnswerable wants an approval that its client left to be over.
func (s *stage) notAnswerable(h *held) {
	s.t.Helper()
	if state := s.settled(h.approval.ID); state != approval.Cancelled {
		s.t.Errorf("the approval is %s", state)
	}
	var ended *approval.EndedError
	if err := s.answer(h.approval, bob(), approval.Approve); !errors.As(err, &ended) && !errors.Is(err, approval.ErrNotFound) {
		s.t.Errorf("an answer that comes too late gave %v", err)
	}
}

// notByWhoAsks: neither the requester nor anybody in the chain answers, nor
// who is no approver.
func (s *stage) notByWhoAsks(k *seat) {
	mark := newMark("ask")
	h := k.hold(context.Background(), s.world.Actions.Print(mark), mark)
	people := map[string]policy.Principal{
		"the requester":             *alice().Principal,
		"the requester, elsewhere":  {ID: "other|1", Name: "ALICE", Kind: policy.Person, Groups: []string{"approver"}},
		"who is no approver":        {ID: "test|mallory", Name: "mallory", Kind: policy.Person},
		"an agent":                  {ID: "test|robot", Name: "robot", Kind: policy.Agent, Groups: []string{"approver"}},
		"the requester, by address": {ID: "other|2", Name: "a", Email: "alice@example.com", Kind: policy.Person, Groups: []string{"approver"}},
	}
	for _, a := range alice().Chain {
		people["the chain's "+a.Name] = policy.Principal{ID: a.ID, Name: a.Name, Kind: policy.Person, Groups: []string{"approver"}}
	}
	for who, p := range people {
		var forbidden *approval.ForbiddenError
		if err := s.answer(h.approval, p, approval.Approve); !errors.As(err, &forbidden) {
			s.t.Errorf("%s answered: %v", who, err)
		}
	}
	s.notYet(h.text, mark)
	s.approve(h.approval)
	if err := <-h.ended; err != nil {
		s.t.Errorf("approved by who may, it gave %v", err)
	}
	s.ranOnce(h.text, mark)
}

// policyChanged: what is denied by now does not run for having been approved.
func (s *stage) policyChanged(k *seat) {
	mark := newMark("ask")
	h := k.hold(context.Background(), s.world.Actions.Print(mark), mark)
	s.reload(first(policy.RuleSpec{Name: "frozen", When: `action.text.contains("ask-")`, Effect: "deny", Reason: "nothing moves today"}, rules()))
	defer s.reload(rules())
	s.approve(h.approval)
	if err := <-h.ended; !isRefusal(err) || !contains(err.Error(), "frozen", "nothing moves today") {
		s.t.Errorf("approved under a policy that is gone, it gave %v", err)
	}
	s.never(h.text, mark)
}

// clientGone: a client that is no more takes what waits for it along.
func (s *stage) clientGone(k *seat) {
	mark := newMark("ask")
	h := k.hold(context.Background(), s.world.Actions.Print(mark), mark)
	_ = k.first.Close()
	_ = k.left()
	<-h.ended
	s.notAnswerable(h)
	s.never(h.text, mark)
}

func (s *stage) revokedWhileHeld() {
	k := s.sit()
	mark := newMark("ask")
	h := k.hold(context.Background(), s.world.Actions.Print(mark), mark)
	s.broker.End(s.broker.Live()[0].ID, "off you go")
	_ = k.left()
	if err := <-h.ended; err == nil {
		s.t.Error("an action went through in a session that was revoked")
	}
	s.notAnswerable(h)
	s.never(h.text, mark)
}

// othersGoOn: what waits keeps nothing else of its session waiting.
func (s *stage) othersGoOn() {
	k := s.sit()
	mark := newMark("ask")
	h := k.hold(context.Background(), s.world.Actions.Print(mark), mark)
	k.works()
	denied := newMark("deny")
	k.denies(s.world.Actions.Print(denied), denied, denyRule)
	s.approve(h.approval)
	if err := <-h.ended; err != nil {
		s.t.Errorf("approved, it gave %v", err)
	}
	s.ranOnce(h.text, mark)
}
