package approval

import (
	"context"
	"crypto/subtle"
	"fmt"

	"hoop/recorder"
)

// Answer takes one approver's answer to a pending approval: digest is what they
// saw and signed. It gives the approval as it is then. Of several answers at
// once one settles it, and the others get an *EndedError.
func (d *Desk) Answer(ctx context.Context, id string, digest []byte, who *Approver, said Answer) (*Approval, error) {
	p := d.find(id)
	if p == nil {
		return nil, d.whyNot(ctx, id)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.a.State != Pending {
		return nil, &EndedError{State: p.a.State, ID: id}
	}
	said.Approver, said.Key, said.Via, said.Time = who.Principal, who.Key, who.Via, d.now()
	if err := d.accept(&p.a, digest, who, &said); err != nil {
		return nil, err
	}
	if err := d.recordAnswer(&p.a, who, &said); err != nil {
		return nil, err
	}
	// A new array: snapshots share the old one.
	p.a.Answers = append(p.a.Answers[:len(p.a.Answers):len(p.a.Answers)], said)
	if err := d.conclude(ctx, p, who); err != nil {
		return nil, err
	}
	a := p.a
	return &a, nil
}

// accept refuses an answer that must not count.
func (d *Desk) accept(a *Approval, digest []byte, who *Approver, said *Answer) error {
	if err := said.check(); err != nil {
		return forbidden("%v", err)
	}
	if subtle.ConstantTimeCompare(digest, a.Signs) != 1 {
		return ErrDigest
	}
	if err := said.verify(a.ID, a.Signs); err != nil {
		return forbidden("%v", err)
	}
	if err := d.MayAnswer(a, who); err != nil {
		return err
	}
	return nil
}

// conclude settles an approval where its answers do; p.mu is held.
func (d *Desk) conclude(ctx context.Context, p *pending, who *Approver) error {
	spec, ok := d.policy().Approval(p.a.Rule)
	state := Pending
	switch {
	case p.a.Denial() != nil:
		state = Denied
	case ok && satisfied(p.a.Answers, &spec):
		state = Approved
	}
	if state == Pending {
		err := d.save(ctx, &p.a)
		if err == nil {
			d.publish(Answered, p.a)
		}
		return err
	}
	settled := p.a
	settled.State, settled.Ended = state, d.now()
	var g *Grant
	if state == Approved {
		if g = grantLeft(&settled); g != nil {
			settled.Grant = g.ID
		}
	}
	if err := d.record(recorder.ApprovalEnded, &settled, who); err != nil {
		return err
	}
	if err := d.save(ctx, &settled); err != nil {
		return err
	}
	if g != nil {
		if err := d.addGrant(ctx, g, recorder.GrantCreated); err != nil {
			d.log.Error("an approval left no grant", "approval", p.a.ID, "error", err)
			settled.Grant = ""
		}
	}
	p.a = settled
	d.leave(p)
	return nil
}

// settle ends an approval that got no answer; one that is settled stays so.
func (d *Desk) settle(p *pending, state, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.a.State != Pending {
		return
	}
	p.a.State, p.a.Why, p.a.Ended = state, why, d.now()
	if err := d.record(recorder.ApprovalEnded, &p.a, nil); err != nil {
		d.log.Error("the end of an approval is not recorded", "approval", p.a.ID, "error", err)
	}
	if err := d.save(context.Background(), &p.a); err != nil {
		d.log.Error("the end of an approval is not kept", "approval", p.a.ID, "error", err)
	}
	d.leave(p)
}

// leave forgets a settled approval and wakes who waits; p.mu is held.
func (d *Desk) leave(p *pending) {
	d.mu.Lock()
	delete(d.pending, p.a.ID)
	p.timer.Stop()
	d.mu.Unlock()
	if p.done != nil {
		p.done(nil)
	}
	d.publish(Ended, p.a)
}

// Cancel withdraws a pending approval.
func (d *Desk) Cancel(ctx context.Context, id, why string) error {
	p := d.find(id)
	if p == nil {
		return d.whyNot(ctx, id)
	}
	d.settle(p, Cancelled, why)
	return nil
}

func (d *Desk) find(id string) *pending {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pending[id]
}

// whyNot words why an approval is not pending.
func (d *Desk) whyNot(ctx context.Context, id string) error {
	a, err := d.Get(ctx, id)
	if err != nil {
		return err
	}
	return &EndedError{State: a.State, ID: id}
}

// AddPreview puts what was found out beside a pending approval.
func (d *Desk) AddPreview(id string, v *Preview) {
	p := d.find(id)
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.a.State != Pending {
		return
	}
	p.a.Preview = v
	if err := d.save(context.Background(), &p.a); err != nil {
		d.log.Warn("a preview is not kept", "approval", id, "error", err)
	}
	d.publish(Changed, p.a)
}

func errorf(what, id string, err error) error { return fmt.Errorf("%s %s: %w", what, id, err) }
