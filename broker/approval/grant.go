package approval

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"hoop/policy"
	"hoop/recorder"
)

// Grant is permission for a time: to run the same statement again, or to open
// a connection. It holds for one principal through one chain.
type Grant struct {
	ID          string           `json:"id"`
	Kind        string           `json:"kind"`
	Connection  string           `json:"connection"`
	Protocol    string           `json:"protocol"`
	Principal   policy.Principal `json:"principal"`
	Chain       policy.Chain     `json:"chain"`
	Text        string           `json:"text,omitempty"`
	Fingerprint []byte           `json:"fingerprint,omitempty"` // of a statement
	Rule        string           `json:"rule"`
	Approval    string           `json:"approval,omitempty"` // that it came from
	Answers     []Answer         `json:"answers,omitempty"`
	BreakGlass  bool             `json:"break_glass,omitempty"`
	Reason      string           `json:"reason,omitempty"`
	Ticket      string           `json:"ticket,omitempty"`
	Created     time.Time        `json:"created"`
	Expires     time.Time        `json:"expires"`
	Ended       string           `json:"ended,omitempty"` // why, once it has
	Uses        int              `json:"-"`               // since the broker started

	timer *time.Timer
}

// Approvers names who gave it.
func (g *Grant) Approvers() []string {
	return (&Approval{Answers: g.Answers}).Approvers()
}

// covered gives the permit of a grant that fits a request, under the policy in
// force; nil where none does.
func (d *Desk) covered(q *Request) *Permit {
	spec, ok := d.policy().Approval(q.Rule)
	if !ok {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	g, p := d.covering(q, &spec)
	if g != nil {
		g.Uses++
	}
	return p
}

// Opens reports whether a grant lets somebody open a connection that a rule
// asks an approval for.
func (d *Desk) Opens(rule, connection string, p *policy.Principal, chain policy.Chain) bool {
	spec, ok := d.policy().Approval(rule)
	if !ok {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	g, _ := d.covering(&Request{Kind: KindSession, Connection: connection, Principal: *p, Chain: chain, Rule: rule}, &spec)
	return g != nil
}

// covering finds the grant that fits a request; d.mu is held.
func (d *Desk) covering(q *Request, spec *policy.ApprovalSpec) (*Grant, *Permit) {
	now, print := d.now(), ""
	for _, g := range d.grants {
		if g.Principal.ID != q.Principal.ID || g.Connection != q.Connection || !now.Before(g.Expires) || !slices.Equal(ids(g.Chain), ids(q.Chain)) {
			continue
		}
		if print == "" && g.Kind == KindStatement {
			print = q.fingerprint()
		}
		if !g.fits(q, print) {
			continue
		}
		p := &Permit{Approval: g.Approval, Grant: g.ID, Approvers: g.Approvers(), Covered: true, BreakGlass: g.BreakGlass, Digest: q.Digest(),
			Request: q, answers: g.Answers, principal: &q.Principal}
		if p.Satisfies(spec) {
			return g, p
		}
	}
	return nil, nil
}

// fits reports whether a grant is for such a request. Breaking the glass opens
// the connection and goes past the approvals behind it.
func (g *Grant) fits(q *Request, print string) bool {
	if g.BreakGlass {
		return true
	}
	return g.Kind == q.Kind && (g.Kind == KindSession || string(g.Fingerprint) == print)
}

func ids(c policy.Chain) []string {
	out := make([]string, len(c))
	for i := range c {
		out[i] = c[i].ID
	}
	return out
}

// grantLeft is the grant that an approved request leaves, nil for none: for the
// shortest time that an approver gave, and no longer than was asked for.
func grantLeft(a *Approval) *Grant {
	seconds := int64(MaxGrant / time.Second)
	for i := range a.Answers {
		given := a.Answers[i].ForSec
		if given == 0 {
			given = a.ForSec
		}
		seconds = min(seconds, given)
	}
	if a.ForSec > 0 {
		seconds = min(seconds, a.ForSec)
	}
	if seconds == 0 {
		return nil
	}
	g := grantOf(&a.Request, a.Ended, time.Duration(seconds)*time.Second)
	g.Approval, g.Answers = a.ID, a.Answers
	return g
}

func grantOf(q *Request, now time.Time, d time.Duration) *Grant {
	g := &Grant{ID: newID(), Kind: q.Kind, Connection: q.Connection, Protocol: q.Protocol, Principal: q.Principal, Chain: q.Chain,
		Rule: q.Rule, Reason: q.Reason, Ticket: q.Ticket, Created: now, Expires: now.Add(d)}
	if q.Kind == KindStatement {
		q := *q
		q.ForSec = 0
		g.Text, g.Fingerprint = q.Text, []byte(q.fingerprint())
	}
	return g
}

// addGrant records a grant, keeps it, and only then lets it count.
func (d *Desk) addGrant(ctx context.Context, g *Grant, t recorder.Type) error {
	if err := d.recordGrant(t, g, ""); err != nil {
		return err
	}
	if err := d.saveGrant(ctx, g); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return errClosed
	}
	d.watchGrant(g)
	return nil
}

// watchGrant lets a grant count until its end; d.mu is held.
func (d *Desk) watchGrant(g *Grant) {
	d.grants[g.ID] = g
	g.timer = time.AfterFunc(g.Expires.Sub(d.now()), func() {
		_ = d.endGrant(context.Background(), g.ID, "it has expired")
	})
}

func (d *Desk) saveGrant(ctx context.Context, g *Grant) error {
	value, err := json.Marshal(g)
	if err == nil {
		err = d.state.Put(context.WithoutCancel(ctx), grantBucket, g.ID, value, g.Expires.Add(keep))
	}
	if err != nil {
		return errorf("keep grant", g.ID, err)
	}
	return nil
}

func (d *Desk) loadGrants(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state.ForEach(ctx, grantBucket, func(id string, value []byte) error {
		var g Grant
		if err := json.Unmarshal(value, &g); err != nil {
			return errorf("read grant", id, err)
		}
		if g.Ended == "" && d.now().Before(g.Expires) {
			d.watchGrant(&g)
		}
		return nil
	})
}

// Grants lists those that count, the newest first.
func (d *Desk) Grants() []Grant {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]Grant, 0, len(d.grants))
	for _, g := range d.grants {
		if d.now().Before(g.Expires) {
			out = append(out, *g)
		}
	}
	slices.SortFunc(out, func(a, b Grant) int { return b.Created.Compare(a.Created) })
	return out
}

// Counts reports whether a grant has not ended.
func (d *Desk) Counts(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.grants[id]
	return g != nil && d.now().Before(g.Expires)
}

// Revoke ends a grant and the sessions that live under it.
func (d *Desk) Revoke(ctx context.Context, id, by string) error {
	return d.endGrant(ctx, id, by+" revoked it")
}

// endGrant takes a grant out first: it must not count even where the rest
// fails, which is then the error.
func (d *Desk) endGrant(ctx context.Context, id, why string) error {
	d.mu.Lock()
	g := d.grants[id]
	if g == nil || d.closed {
		d.mu.Unlock()
		return ErrNoGrant
	}
	delete(d.grants, id)
	g.timer.Stop()
	g.Ended = why
	d.mu.Unlock()
	d.ended(id, fmt.Sprintf("the grant %s has ended: %s", id, why))
	if err := d.saveGrant(ctx, g); err != nil {
		d.log.Error("the end of a grant is not kept", "grant", id, "error", err)
		return err
	}
	return d.recordGrant(recorder.GrantEnded, g, why)
}

func (d *Desk) recordGrant(t recorder.Type, g *Grant, why string) error {
	ev := &recorder.Event{Type: t, Connection: g.Connection, Protocol: g.Protocol, Principal: &g.Principal, Chain: g.Chain, Reason: why,
		Approval: &recorder.Approval{ID: g.Approval, Grant: g.ID, Expires: g.Expires, Approvers: g.Approvers(), Reason: g.Reason, Ticket: g.Ticket,
			ForSec: int64(g.Expires.Sub(g.Created) / time.Second)},
		Verdict: &policy.Verdict{Effect: policy.RequireApproval, Rule: g.Rule}}
	return d.append(ev)
}
