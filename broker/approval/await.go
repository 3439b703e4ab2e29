package approval

import (
	"context"
	"errors"
	"sync"
	"time"

	"hoop/policy"
	"hoop/recorder"
)

// Permit is what lets an action go on.
type Permit struct {
	Approval   string // its ID; "" under a grant
	Grant      string
	Approvers  []string
	Covered    bool // by a grant: nobody was waited for
	BreakGlass bool
	Waited     time.Duration
	Digest     []byte // of the request as it was approved
	Request    *Request

	answers   []Answer
	principal *policy.Principal
}

// Satisfies reports whether the permit is enough under spec: the same people
// may not be entitled any more by the time the action runs.
func (p *Permit) Satisfies(spec *policy.ApprovalSpec) bool {
	if p.BreakGlass {
		return mayBreakGlass(spec, p.principal)
	}
	return satisfied(p.answers, spec)
}

// RefusedError says how an approval ended that was not approved.
type RefusedError struct {
	ID      string
	State   string
	By      string // the approver who denied it
	Comment string
	Why     error // it was cancelled
}

func (e *RefusedError) Error() string {
	switch e.State {
	case Denied:
		text := e.By + " denied approval " + e.ID
		if e.Comment != "" {
			text += ": " + e.Comment
		}
		return text
	case Expired:
		return "nobody answered approval " + e.ID + " in time"
	default:
		text := "approval " + e.ID + " was cancelled"
		if e.Why != nil {
			text += ": " + e.Why.Error()
		}
		return text
	}
}

// Unwrap gives why it was cancelled.
func (e *RefusedError) Unwrap() error { return e.Why }

// Await gives a permit at once where a grant covers the request. Else it opens
// an approval and calls hold, which blocks until its context is done, and that
// is when there is an answer. An error of hold, or the end of ctx, cancels the
// approval. The error is a *RefusedError where it was not approved.
func (d *Desk) Await(ctx context.Context, q *Request, hold func(context.Context, *Approval) error) (*Permit, error) {
	if p := d.covered(q); p != nil {
		return p, nil
	}
	held, done := context.WithCancelCause(ctx)
	defer done(nil)
	p, err := d.openApart(ctx, q, done)
	if err != nil {
		return nil, err
	}
	err = hold(held, p.copied())
	if err == nil {
		err = context.Cause(ctx)
	}
	return d.outcome(p, err)
}

// openApart opens an approval on another stack: encoding and storing it would
// leave the waiting one several times as large, for as long as it waits.
func (d *Desk) openApart(ctx context.Context, q *Request, done context.CancelCauseFunc) (p *pending, err error) {
	var opening sync.WaitGroup
	opening.Go(func() { p, err = d.open(ctx, q, DefaultExpiry, done) })
	opening.Wait()
	return p, err
}

// outcome tells how an approval ended for who waited. gave is why they gave
// up, nil where they did not.
func (d *Desk) outcome(p *pending, gave error) (*Permit, error) {
	why := "nobody waits for it any more"
	if gave != nil {
		why = gave.Error()
	}
	d.settle(p, Cancelled, why)
	a := p.snapshot()
	if a.State == Approved && gave == nil {
		return &Permit{Approval: a.ID, Grant: a.Grant, Approvers: a.Approvers(), Waited: a.Ended.Sub(a.Created), Digest: a.Signs,
			Request: &a.Request, answers: a.Answers, principal: &a.Principal}, nil
	}
	refused := &RefusedError{ID: a.ID, State: a.State, Why: gave}
	if n := a.Denial(); n != nil {
		refused.By, refused.Comment = n.Approver.Name, n.Comment
	}
	if a.State == Approved {
		refused.State = Cancelled
	}
	return nil, refused
}

// Open asks for an approval that nobody is held by, such as for a session
// grant.
func (d *Desk) Open(ctx context.Context, q *Request) (*Approval, error) {
	p, err := d.open(ctx, q, requestExpiry, nil)
	if err != nil {
		return nil, err
	}
	a := p.snapshot()
	return &a, nil
}

func (d *Desk) open(ctx context.Context, q *Request, expiry time.Duration, done context.CancelCauseFunc) (*pending, error) {
	spec, ok := d.policy().Approval(q.Rule)
	if !ok {
		return nil, forbidden("rule %q asks for an approval and names nobody who could give it", q.Rule)
	}
	if size(q) > maxText {
		return nil, ErrTooLong
	}
	if e, err := time.ParseDuration(spec.Expires); err == nil && e > 0 {
		expiry = e
	}
	now := d.now()
	p := &pending{done: done, a: Approval{ID: newID(), State: Pending, Request: *q, Signs: q.Digest(), Created: now, Expires: now.Add(expiry), Asked: spec}}
	p.a.Link = d.link(p.a.ID)
	if err := d.begin(ctx, p, expiry); err != nil {
		if errors.Is(err, errClosed) || errors.Is(err, ErrFull) {
			return nil, err
		}
		d.settle(p, Cancelled, err.Error())
		return nil, err
	}
	d.publish(Opened, p.snapshot())
	return p, nil
}

// begin records and keeps an approval before anybody can answer it: they may
// see it already, and then wait for p.mu.
func (d *Desk) begin(ctx context.Context, p *pending, expiry time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := d.enter(p, expiry); err != nil {
		return err
	}
	if err := d.record(recorder.ApprovalRequested, &p.a, nil); err != nil {
		return err
	}
	return d.save(ctx, &p.a)
}

func size(q *Request) int {
	n := len(q.Text)
	for i := range q.Params {
		n += len(q.Params[i].Value)
	}
	return n
}

func (d *Desk) enter(p *pending, expiry time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return errClosed
	case len(d.pending) >= maxPending:
		return ErrFull
	}
	d.pending[p.a.ID] = p
	p.timer = time.AfterFunc(expiry, func() { d.settle(p, Expired, "") })
	return nil
}

func (p *pending) copied() *Approval {
	a := p.snapshot()
	return &a
}

func (p *pending) snapshot() Approval {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.a
}
