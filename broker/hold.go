package broker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"hoop/broker/approval"
	"hoop/policy"
	"hoop/policy/mask"
	"hoop/recorder"
)

// Approver waits for people; *approval.Desk is one.
type Approver interface {
	Await(ctx context.Context, q *approval.Request, hold func(context.Context, *approval.Approval) error) (*approval.Permit, error)
	AddPreview(id string, v *approval.Preview)
	// Counts reports whether a grant has not ended.
	Counts(grant string) bool
}

// A Holder is an engine's part in waiting for people; see Session.SetHolder.
type Holder interface {
	// Hold shows the notice to the client and waits until ctx is done, which is
	// when there is an answer. It ends before that, with an error, where the
	// client leaves or gives up: ErrWithdrawn. It runs where Decide or Open was
	// called.
	Hold(ctx context.Context, notice string) error
	// Meaning tells what the target makes of an action at this moment. It is
	// asked for before people are, and again right before the action runs:
	// where the two differ it does not run.
	Meaning(ctx context.Context, a *Action) (approval.Meaning, error)
}

// A Previewer finds out, under limits of its own and without running it, what
// an action would do. It is an optional ability of a Holder. It ends when ctx
// is done.
type Previewer interface {
	Preview(ctx context.Context, a *Action) *approval.Preview
}

// ErrWithdrawn says that the client does not want the answer any more.
var ErrWithdrawn = errors.New("the requester cancelled it")

// SetHolder says who waits with the client where an action brings no holder of
// its own. A session without one waits in silence, until its context is done.
// Not to be called while Open or Decide run.
func (s *Session) SetHolder(h Holder) { s.holder = h }

// holds says who waits with the client for one action.
func (s *Session) holds(a *Action) Holder {
	if a.Holder != nil {
		return a.Holder
	}
	return s.holder
}

// Grant is the grant that the session lives under, "" for none.
func (s *Session) Grant() string {
	if g := s.grant.Load(); g != nil {
		return *g
	}
	return ""
}

// settled is what came of a verdict that asked for an approval.
type settled struct {
	record *recorder.Approval
	grant  string
}

// await waits for people, and asks policy and target again before it lets the
// action go on: an approval is for what was shown, under the rules in force
// when it runs.
func (s *Session) await(ctx context.Context, a *Action, v *policy.Verdict, d *mask.Detectors) (settled, *Denial) {
	if s.deps.Approvals == nil {
		v.Effect = policy.Deny
		return settled{}, &Denial{Code: CodeApprovalRequired, Rule: v.Rule,
			Message: "this needs an approval, and approvals are not configured",
			Hint:    "ask the broker's administrator to configure approvals, or for a rule that allows it"}
	}
	q, err := s.request(ctx, a, v, d)
	var permit *approval.Permit
	if err == nil {
		permit, err = s.deps.Approvals.Await(ctx, q, func(ctx context.Context, p *approval.Approval) error { return s.hold(ctx, a, p) })
	}
	if err != nil {
		v.Effect = policy.Deny
		return refusedRecord(err), refused(err, a, v)
	}
	out := settled{grant: permit.Grant, record: &recorder.Approval{ID: permit.Approval, Grant: permit.Grant, State: approval.Approved,
		Approvers: permit.Approvers, WaitedMS: permit.Waited.Milliseconds()}}
	if permit.BreakGlass {
		out.record.State = "break_glass"
	}
	denial := s.again(ctx, a, v, permit)
	return out, denial
}

// again decides under the policy in force now, and compares what was approved
// with what would run.
func (s *Session) again(ctx context.Context, a *Action, v *policy.Verdict, permit *approval.Permit) *Denial {
	now := s.evaluate(a)
	if now.Effect == policy.RequireApproval {
		spec, ok := s.deps.Policy().Approval(now.Rule)
		if !ok || !permit.Satisfies(&spec) {
			now.Effect = policy.Deny
			*v = now
			return &Denial{Code: CodeDenied, Rule: now.Rule, Message: "the policy changed while this waited, and the answer does not count under it",
				Hint: "run it again to ask again"}
		}
	}
	*v = now
	if now.Effect == policy.Deny {
		d := deniedBy(&now)
		d.Message = "approved, but the policy in force now denies it: " + now.Reason
		return d
	}
	v.Effect = policy.Allow
	holder := s.holds(a)
	if permit.Covered || holder == nil {
		return nil // its meaning was asked for a moment ago
	}
	fresh := *permit.Request
	var err error
	if fresh.Meaning, err = holder.Meaning(ctx, a); err != nil {
		v.Effect = policy.Deny
		return asDenial(err, v.Rule)
	}
	if !bytes.Equal(fresh.Digest(), permit.Digest) {
		v.Effect = policy.Deny
		return &Denial{Code: CodeDenied, Rule: v.Rule, Message: "what was approved is not what would run now: " + difference(&permit.Request.Meaning, &fresh.Meaning),
			Hint: "run it again to ask again"}
	}
	return nil
}

// difference names what changed between two meanings.
func difference(was, is *approval.Meaning) string {
	var changed []string
	for _, lists := range [][2][]string{{was.Objects, is.Objects}, {was.Settings, is.Settings}, {was.Labels, is.Labels}} {
		for _, x := range lists[1] {
			if !slices.Contains(lists[0], x) {
				changed = append(changed, x)
			}
		}
		for _, x := range lists[0] {
			if !slices.Contains(lists[1], x) {
				changed = append(changed, "no longer "+x)
			}
		}
	}
	return strings.Join(changed, "; ")
}

// request says all that an approver must know. It keeps nothing of the client's
// buffers.
func (s *Session) request(ctx context.Context, a *Action, v *policy.Verdict, d *mask.Detectors) (*approval.Request, error) {
	q := &approval.Request{
		Kind: approval.KindStatement, Session: s.ID, Connection: s.Connection.Name, Protocol: s.Connection.Protocol,
		Principal: *s.Principal, Chain: s.Chain, Client: s.Client, Binding: s.Binding, Reason: s.Reason, Ticket: s.Ticket,
		Verb: a.Verb, Text: a.Text, Params: a.Params, SQL: a.SQL, SSH: a.SSH, Rule: v.Rule, RuleReason: v.Reason,
	}
	if a.Verb == verbOpen {
		q.Kind = approval.KindSession
	}
	if a.Exact != nil {
		sum := sha256.Sum256(a.Exact)
		q.Exact = sum[:]
	}
	if clean := cleanText(d, a.Text); d != nil {
		q.Clean, q.CleanParams = clean, cleanParams(d, a.Params)
	}
	holder := s.holds(a)
	if holder == nil {
		return q, nil
	}
	var err error
	q.Meaning, err = holder.Meaning(ctx, a)
	return q, err
}

// hold waits with the client, and meanwhile finds out what would happen.
func (s *Session) hold(ctx context.Context, a *Action, p *approval.Approval) error {
	holder := s.holds(a)
	if holder == nil {
		<-ctx.Done()
		return nil
	}
	if v, ok := holder.(Previewer); ok && p.Kind == approval.KindStatement {
		id := p.ID
		var look lookout
		look.begin(ctx, func(ctx context.Context) {
			if seen := v.Preview(ctx, a); seen != nil {
				s.deps.Approvals.AddPreview(id, seen)
			}
		})
		defer look.end() // who gives up waits for no preview
	}
	return holder.Hold(ctx, notice(p))
}

// lookout is a preview under way. Once that has ended it is next to nothing,
// for as long as its session waits.
type lookout struct {
	running sync.WaitGroup
	mu      sync.Mutex
	cancel  context.CancelFunc // of the preview; nil before and after
	over    bool
}

func (l *lookout) begin(ctx context.Context, preview func(context.Context)) {
	l.running.Go(func() {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		if l.set(cancel) {
			preview(ctx)
		}
		l.set(nil)
	})
}

// set reports whether the preview is wanted still.
func (l *lookout) set(cancel context.CancelFunc) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancel = cancel
	return !l.over
}

func (l *lookout) end() {
	l.mu.Lock()
	l.over = true
	if l.cancel != nil {
		l.cancel()
	}
	l.mu.Unlock()
	l.running.Wait()
}

// notice tells who waits why, for whom, how long, and what to do.
func notice(p *approval.Approval) string {
	what := noun(p)
	text := fmt.Sprintf("hoop: %s waits for an approval: rule %q", what, p.Rule)
	if p.RuleReason != "" {
		text += ": " + p.RuleReason
	}
	text += fmt.Sprintf("\nhoop: %s may answer until %s UTC: hoop approve %s", approval.Names(&p.Asked), p.Expires.UTC().Format(time.DateTime), p.ID)
	if p.Link != "" {
		text += "\nhoop: or in a browser: " + p.Link
	}
	return text + "\nhoop: it goes on by itself; Ctrl-C withdraws it"
}

// noun is what waits, to its user.
func noun(p *approval.Approval) string {
	switch {
	case p.Kind == approval.KindSession:
		return "opening " + p.Connection
	case p.SQL != nil:
		return "this statement"
	case p.Verb == policy.SSHExec:
		return "this command"
	case strings.HasPrefix(p.Verb, policy.SSHSFTP):
		return "this file operation"
	}
	return "this"
}

func refusedRecord(err error) settled {
	var r *approval.RefusedError
	if !errors.As(err, &r) {
		return settled{}
	}
	return settled{record: &recorder.Approval{ID: r.ID, State: r.State, Comment: r.Comment}}
}

// refused words for the client how an approval ended.
func refused(err error, a *Action, v *policy.Verdict) *Denial {
	var r *approval.RefusedError
	if !errors.As(err, &r) {
		return asDenial(err, v.Rule)
	}
	d := &Denial{Code: CodeDenied, Rule: v.Rule, Message: r.Error(), Err: r.Why}
	switch {
	case r.State == approval.Denied:
		d.Hint = "talk to " + r.By + "; running it again asks again"
	case r.State == approval.Expired:
		d.Hint = "run it again to ask again, at a time when somebody can answer"
	case errors.Is(err, ErrWithdrawn):
		d.Code = CodeWithdrawn
		if a.SQL != nil {
			d.Message = "canceling statement due to user request: " + d.Message
		}
	}
	return d
}
