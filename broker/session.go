package broker

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"hoop/policy"
	"hoop/policy/mask"
	"hoop/recorder"
	"hoop/recorder/recording"
)

// Session is one principal's use of one connection, from admission to close.
// An engine gets everything that it may know or do through it. Its methods may
// be called from several goroutines.
type Session struct {
	ID         string
	Principal  *policy.Principal
	Chain      policy.Chain
	Connection *policy.Connection
	Target     *Target
	Client     string // remote address of the client
	Binding    string // how the client proved its key: exporter or nonce
	Reason     string // what it is for, in its user's words; for who answers approvals
	Ticket     string

	deps    Deps
	actions atomic.Uint64
	opened  atomic.Bool
	closed  atomic.Bool
	started time.Time

	detectors atomic.Pointer[cachedDetectors]
	holder    Holder
	grant     atomic.Pointer[string]

	recordings recordings
}

// NewSession makes a session that is not open yet. who says whose it is and
// where it leads.
func NewSession(deps Deps, id string, who *Admission) *Session {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	return &Session{
		ID: id, Principal: who.Principal, Chain: who.Chain, Connection: who.Connection,
		Target: who.Target, Client: who.Client, Binding: who.Binding, Reason: who.Reason, Ticket: who.Ticket,
		deps: deps, started: deps.Now(),
	}
}

// Admission is who asks for what, verified.
type Admission struct {
	Principal  *policy.Principal
	Chain      policy.Chain
	Connection *policy.Connection
	Target     *Target
	Client     string
	Binding    string
	Reason     string
	Ticket     string
}

// Deps is what a session stands on. The broker fills it; each call reads the
// policy in force at that moment.
type Deps struct {
	Policy func() *policy.Policy
	// Patterns gives what DetectorPatterns made of that policy; nil where it has
	// no detector classes of its own.
	Patterns func() *mask.Rules
	Recorder Recorder
	Dial     func(ctx context.Context, t *Target) (net.Conn, error)
	Secret   func(ctx context.Context, connection string) (*Secret, error)
	// MaskKey keys hash masks: the same for one connection, another for each.
	MaskKey func(connection string) []byte
	// Approvals answers require_approval; nil denies.
	Approvals Approver
	// Recordings is where recordings are kept; nil denies what must be recorded.
	Recordings *recording.Store
	// Fail ends the session, because it cannot be recorded any more. It may be
	// nil where whoever serves the session looks at every error.
	Fail func(err error)
	Now  func() time.Time

	stats *stats // the broker's; nil in a session that stands alone
}

// Recorder keeps events. Append returns once the event is as durable as asked;
// Later returns at once and may coalesce. After one failure both fail for ever.
type Recorder interface {
	Append(ev *recorder.Event, d recorder.Durability) error
	Later(ev *recorder.Event) error
}

// Action is what an engine asks a verdict for: the policy's action and what
// the record needs besides.
type Action struct {
	policy.Action
	Params []recorder.Param
	// Exact is what the digest covers where that is more than Text, such as
	// text and encoded parameters together. Nil means Text.
	Exact []byte
	// Floor tells what labels demand under the verdict that the rules give, nil
	// for nothing: no rule makes it milder. It is asked each time they are.
	Floor func(v *policy.Verdict) *Floor
	// Holder waits with the client where several actions can wait at once; the
	// session's where nil.
	Holder Holder
}

// Ticket is an action that was allowed and recorded. The engine ends each one
// with Session.Finish, once.
type Ticket struct {
	Number  uint64
	Verb    string
	Verdict policy.Verdict
	Started time.Time
	// Approved is true where people had to let it pass, now or by a grant.
	Approved bool
}

// Outcome is how a forwarded action ended.
type Outcome struct {
	Result string // ok, error, cancelled or lost (the session ended before the answer)
	Code   string // the protocol's code where Result is error: an SQLSTATE
	Rows   int64
	Bytes  int64          // sent to the client for this action
	Masked map[string]int // label or detector class → values masked; nil where none
	SHA256 string         // of what was transferred, in hexadecimal, where somebody looked
	Reason string         // what else there is to say
}

// Open decides whether the session may exist, as verb "session.open", and
// records the answer. An engine calls it once it knows what the client asks
// for and before it reaches the target. Target details that rules may read go
// into text: for PostgreSQL the database name. The error is a *Denial.
func (s *Session) Open(ctx context.Context, text string) error {
	ev := s.event(recorder.SessionOpened)
	ev.Reason = strings.TrimSpace(s.Reason + " " + s.Ticket)
	a := &Action{Action: policy.Action{Verb: verbOpen, Text: text}}
	v := s.evaluate(a)
	ev.Verb, ev.Text, ev.Verdict = a.Verb, text, &v
	got, err := s.settle(ctx, a, &v, nil)
	ev.Approval = got.record
	if err == nil {
		err = s.under(got.grant)
	}
	if err != nil {
		if s.deps.stats != nil {
			s.deps.stats.sessions.Add(1)
		}
		ev.Type, ev.Outcome, ev.Reason = recorder.SessionRefused, "denied", err.Error()
		if rerr := s.deps.Recorder.Append(ev, recorder.Synced); rerr != nil {
			return unavailable("the audit log", rerr)
		}
		return err
	}
	if err := s.deps.Recorder.Append(ev, recorder.Synced); err != nil {
		return unavailable("the audit log", err)
	}
	s.opened.Store(true)
	if s.deps.stats != nil {
		s.deps.stats.sessions.Add(1)
	}
	return nil
}

// verbOpen is the action of opening a session.
const verbOpen = "session.open"

// under ties the session to a grant, which may have ended this moment.
func (s *Session) under(grant string) *Denial {
	if grant == "" {
		return nil
	}
	s.grant.Store(&grant)
	if !s.deps.Approvals.Counts(grant) {
		return &Denial{Code: CodeDenied, Message: "the grant to open " + s.Connection.Name + " was revoked"}
	}
	return nil
}

// Close records the end of the session, once; reason is for people.
func (s *Session) Close(reason string) {
	if !s.opened.Load() || s.closed.Swap(true) {
		return
	}
	s.recordings.close(reason)
	ev := s.event(recorder.SessionClosed)
	ev.Reason = reason
	ev.DurationUS = s.deps.Now().Sub(s.started).Microseconds()
	// Not later: until it can be read the session, which is live no more, would
	// pass for one that was lost. A broken log is reported by the next Append.
	_ = s.deps.Recorder.Append(ev, recorder.Written)
}

// Decide evaluates one action, awaits an approval where a rule asks for one,
// records the verdict, and only then returns. With a nil error the action may
// be forwarded; the error is a *Denial and means: do not forward.
func (s *Session) Decide(ctx context.Context, a *Action) (*Ticket, error) {
	now := s.deps.Now()
	detectors, err := s.Detectors()
	if err != nil {
		return nil, unavailable("masking", err)
	}
	v := s.evaluate(a)
	got, denial := s.settle(ctx, a, &v, detectors)
	if got.record != nil {
		now = s.deps.Now()
	}
	ev := s.described(recorder.ActionDecided, a, &v, detectors)
	ev.Time, ev.Action, ev.Approval = now, s.actions.Add(1), got.record
	durability := recorder.Synced
	if !a.Durable() {
		durability = recorder.Written
	}
	if denial != nil {
		ev.Outcome, ev.Reason = "denied", denial.Error()
		durability = recorder.Written
	}
	if err := s.deps.Recorder.Append(ev, durability); err != nil {
		return nil, unavailable("the audit log", err)
	}
	s.count(denial == nil)
	if denial != nil {
		return nil, denial
	}
	return &Ticket{Number: ev.Action, Verb: a.Verb, Verdict: v, Started: now, Approved: got.record != nil}, nil
}

// Analyse records that the target is given a text to parse, of which nothing
// runs before Decide. It does not wait for people: what they have to approve is
// what runs. The error is a *Denial and means: do not forward.
func (s *Session) Analyse(a *Action) error {
	detectors, err := s.Detectors()
	if err != nil {
		return unavailable("masking", err)
	}
	v := s.evaluate(a)
	ev := s.described(recorder.ActionAnalysed, a, &v, detectors)
	var denial *Denial
	switch {
	case v.Untraced:
		v.Reason = "a rule asks for the labels it reads, which the target is asked for"
	case v.Effect == policy.Deny:
		denial = deniedBy(&v)
		ev.Type, ev.Action = recorder.ActionDecided, s.actions.Add(1)
		ev.Outcome, ev.Reason = "denied", denial.Error()
		s.count(false)
	}
	if err := s.deps.Recorder.Append(ev, recorder.Written); err != nil {
		return unavailable("the audit log", err)
	}
	if denial != nil {
		return denial
	}
	return nil
}

// described is an event of an action, with what detectors find left out.
func (s *Session) described(t recorder.Type, a *Action, v *policy.Verdict, d *mask.Detectors) *recorder.Event {
	ev := s.event(t)
	ev.Verb, ev.SQL, ev.SSH, ev.Verdict = a.Verb, a.SQL, cleanSSH(d, a.SSH), v
	ev.Text, ev.Params = cleanText(d, a.Text), cleanParams(d, a.Params)
	if ev.Exact = a.Exact; ev.Exact == nil {
		ev.Exact = []byte(a.Text)
	}
	return ev
}

func (s *Session) count(allowed bool) {
	switch {
	case s.deps.stats == nil:
	case allowed:
		s.deps.stats.allowed.Add(1)
	default:
		s.deps.stats.denied.Add(1)
	}
}

// Finish records how an allowed action ended.
func (s *Session) Finish(t *Ticket, o Outcome) {
	ev := s.event(recorder.ActionFinished)
	ev.Action, ev.Verb = t.Number, t.Verb
	ev.Outcome, ev.Code, ev.Rows, ev.Bytes, ev.Masked = o.Result, o.Code, o.Rows, o.Bytes, o.Masked
	ev.SHA256, ev.Reason = o.SHA256, o.Reason
	ev.Time = s.deps.Now()
	ev.DurationUS = ev.Time.Sub(t.Started).Microseconds()
	_ = s.deps.Recorder.Later(ev) // a broken log is reported by the next Append
}

// Record keeps an event that is neither a decision nor its outcome, such as a
// cancel request; identity and connection are filled in.
func (s *Session) Record(t recorder.Type, reason string, action uint64) error {
	ev := s.event(t)
	ev.Reason, ev.Action = reason, action
	return s.deps.Recorder.Append(ev, recorder.Written)
}

// Dial opens a network connection to the target.
func (s *Session) Dial(ctx context.Context) (net.Conn, error) {
	c, err := s.deps.Dial(ctx, s.Target)
	if err != nil {
		return nil, unavailable("the target", err)
	}
	return c, nil
}

// Credential fetches the secret to present to the target. Nothing of it may be
// written toward the client, into an event or into a log.
func (s *Session) Credential(ctx context.Context) (*Secret, error) {
	sec, err := s.deps.Secret(ctx, s.Connection.Name)
	if err != nil {
		return nil, unavailable("the credential", err)
	}
	return sec, nil
}

// Labels lists the column labels of this connection under the policy in force.
func (s *Session) Labels() []policy.ColumnLabel { return s.deps.Policy().Labels(s.Connection) }

// PolicyDigest identifies the policy in force: what was derived from Labels or
// Mask under another digest is stale.
func (s *Session) PolicyDigest() string { return s.deps.Policy().Digest() }

// Mask gives the method that replaces values of a label or detector class.
func (s *Session) Mask(label string) (*mask.Method, error) {
	return mask.NewMethod(s.deps.Policy().Mask(label), s.maskKey())
}

// Detectors gives the value detectors of this connection under the policy in
// force, nil where none are switched on.
func (s *Session) Detectors() (*mask.Detectors, error) {
	p := s.deps.Policy()
	if c := s.detectors.Load(); c != nil && c.policy == p {
		return c.detectors, nil
	}
	c := &cachedDetectors{policy: p}
	if classes := p.Detectors(s.Connection); len(classes) > 0 {
		var err error
		var patterns *mask.Rules
		if s.deps.Patterns != nil {
			patterns = s.deps.Patterns()
		}
		c.detectors, err = patterns.NewDetectors(classes, func(class string) (*mask.Method, error) {
			return mask.NewMethod(p.Mask(class), s.maskKey())
		})
		if err != nil {
			return nil, fmt.Errorf("make the detectors: %w", err)
		}
	}
	s.detectors.Store(c)
	return c.detectors, nil
}

// DetectorPatterns compiles and measures the detector classes that a policy
// adds. A pattern that would slow sessions down is an error, with the figure.
func DetectorPatterns(p *policy.Policy) (*mask.Rules, error) {
	patterns := p.Patterns()
	rules := make([]mask.Rule, 0, len(patterns))
	for _, class := range slices.Sorted(maps.Keys(patterns)) {
		rules = append(rules, mask.Rule{Class: class, Pattern: patterns[class]})
	}
	return mask.CompileRules(rules)
}

// CheckDetectors reports a class that a policy switches on for a connection and
// nobody knows, or a mask of one that cannot be made.
func CheckDetectors(p *policy.Policy, patterns *mask.Rules, c *policy.Connection) error {
	_, err := patterns.NewDetectors(p.Detectors(c), func(class string) (*mask.Method, error) {
		return mask.NewMethod(p.Mask(class), make([]byte, 32))
	})
	return err
}

type cachedDetectors struct {
	policy    *policy.Policy
	detectors *mask.Detectors
}

// cleanText masks, for the record, what the detectors find in a text.
func cleanText(d *mask.Detectors, text string) string {
	if d == nil || text == "" {
		return text
	}
	out, changed := d.MaskText(nil, []byte(text), mask.Context{}, func(string) {})
	if !changed {
		return text
	}
	return string(out)
}

func cleanParams(d *mask.Detectors, params []recorder.Param) []recorder.Param {
	if d == nil || len(params) == 0 {
		return params
	}
	out := make([]recorder.Param, len(params))
	for i, p := range params {
		p.Value = cleanText(d, p.Value)
		out[i] = p
	}
	return out
}

// cleanSSH leaves out what detectors find in the facts, and the words of a
// command, which its text tells.
func cleanSSH(d *mask.Detectors, f *policy.SSH) *policy.SSH {
	if f == nil {
		return nil
	}
	clean := *f
	clean.Words = nil
	if d == nil {
		return &clean
	}
	for _, s := range []*string{&clean.Path, &clean.NewPath, &clean.Host, &clean.Name} {
		*s = cleanText(d, *s)
	}
	clean.Programs = slices.Clone(f.Programs)
	for i, p := range f.Programs {
		clean.Programs[i] = cleanText(d, p)
	}
	return &clean
}

func (s *Session) maskKey() []byte { return s.deps.MaskKey(s.Connection.Name) }

func (s *Session) evaluate(a *Action) policy.Verdict {
	v := s.deps.Policy().Evaluate(&policy.Input{
		Principal: s.Principal, Chain: s.Chain, Connection: s.Connection,
		Action: &a.Action, Now: s.deps.Now(),
	})
	if a.Floor != nil {
		a.Floor(&v).raise(&v)
	}
	return v
}

// settle turns a verdict into nil or a denial, waiting for people if it must.
func (s *Session) settle(ctx context.Context, a *Action, v *policy.Verdict, d *mask.Detectors) (settled, *Denial) {
	switch v.Effect {
	case policy.Allow:
		return settled{}, nil
	case policy.RequireApproval:
		return s.await(ctx, a, v, d)
	default:
		return settled{}, deniedBy(v)
	}
}

func deniedBy(v *policy.Verdict) *Denial {
	d := &Denial{Code: CodeDenied, Rule: v.Rule, Message: "denied by policy", Hint: v.Hint}
	if v.Reason != "" {
		d.Message += ": " + v.Reason
	}
	return d
}

func (s *Session) event(t recorder.Type) *recorder.Event {
	return &recorder.Event{
		Type: t, Session: s.ID, Connection: s.Connection.Name, Protocol: s.Connection.Protocol,
		Principal: s.Principal, Chain: s.Chain, Client: s.Client, Binding: s.Binding,
	}
}

func unavailable(what string, err error) *Denial {
	return &Denial{Code: CodeUnavailable, Message: fmt.Sprintf("%s is unavailable: %v", what, err),
		Hint: "nothing was forwarded; the broker's log says more"}
}
