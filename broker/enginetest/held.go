package enginetest

import (
	"context"
	"crypto/ed25519"

	"hoop/broker/approval"
	"hoop/policy"
)

// held is an action that waits for people.
type held struct {
	text     string
	approval approval.Approval
	ended    <-chan error
}

// hold makes an action that must wait, and checks that it does.
func (k *seat) hold(ctx context.Context, text, mark string) *held {
	k.stage.t.Helper()
	ended := make(chan error, 1)
	go func() { _, err := k.doUntil(ctx, text); ended <- err }()
	h := &held{text: text, approval: k.stage.waiting(), ended: ended}
	if h.approval.Text != text || h.approval.Rule != askRule || h.approval.RuleReason != askReason || h.approval.Chain.String() != alice().Chain.String() {
		k.stage.t.Errorf("people are asked for %+v", h.approval.Request)
	}
	k.stage.until("the client reads what it waits for", func() bool { return contains(k.told.String(), askRule, askReason, h.approval.ID) })
	k.stage.notYet(text, mark)
	return h
}

// waiting gives the only approval that somebody waits for.
func (s *stage) waiting() (a approval.Approval) {
	s.t.Helper()
	s.until("an approval is asked for", func() bool {
		all, err := s.desk.List(context.Background(), approval.Pending)
		if err == nil && len(all) == 1 {
			a = all[0]
		}
		return a.ID != ""
	})
	return a
}

// settled waits until an approval is, and gives how.
func (s *stage) settled(id string) (state string) {
	s.t.Helper()
	s.until("the approval is settled", func() bool {
		a, err := s.desk.Get(context.Background(), id)
		if err == nil {
			state = a.State
		}
		return err == nil && state != approval.Pending
	})
	return state
}

// answer answers as a person, who signs with a key of their own.
func (s *stage) answer(a approval.Approval, p policy.Principal, decision string) error {
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	said := approval.Answer{Decision: decision, Comment: "seen"}
	said.Signature = ed25519.Sign(key, said.Message(a.ID, a.Signs))
	who := &approval.Approver{Principal: p, Chain: policy.Chain{{ID: p.ID, Name: p.Name, Kind: p.Kind}}, Key: pub}
	_, err = s.desk.Answer(context.Background(), a.ID, a.Signs, who, said)
	return err
}

func bob() policy.Principal {
	return policy.Principal{ID: "test|bob", Name: "bob", Kind: policy.Person, Groups: []string{"approver"}}
}

func (s *stage) approve(a approval.Approval) {
	s.t.Helper()
	if err := s.answer(a, bob(), approval.Approve); err != nil {
		s.t.Errorf("bob cannot approve: %v", err)
	}
}
