package broker

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hoop/policy"
	"hoop/policy/mask"
	"hoop/recorder"
	"hoop/recorder/recording"
)

// Connection is a registered endpoint with what only the broker may know.
type Connection struct {
	policy.Connection
	Target     Target
	Credential string // name of the credential; "" where the target asks for none
}

// State is the part of the configuration that a reload replaces.
type State struct {
	Connections map[string]*Connection
	Policy      *policy.Policy
	Patterns    *mask.Rules // the policy's own detector classes, by DetectorPatterns
}

// Options is what a broker is made of. Engines has one entry a protocol.
type Options struct {
	Engines  map[string]Engine
	Recorder Recorder
	// Secret fetches the credential with a name, each time it is needed.
	Secret func(ctx context.Context, credential string) (*Secret, error)
	// MaskKey is the root of the keys for hash masks; 32 bytes.
	MaskKey   []byte
	Approvals Approver
	// Recordings is where sessions with a terminal are recorded; nil where no
	// engine needs it.
	Recordings *recording.Store
	Logger     *slog.Logger
	Now        func() time.Time
	// Strict makes every event wait for the disk, reads included.
	Strict bool
	// MaxSessions is how many may be open at once; 10,000 where zero.
	MaxSessions int
}

// Broker admits principals to connections and keeps track of live sessions.
type Broker struct {
	opts  Options
	state atomic.Pointer[State]

	stats stats

	mu       sync.Mutex
	live     map[string]*live
	draining bool
	wg       sync.WaitGroup
}

type live struct {
	LiveSession
	session *Session
	cancel  context.CancelCauseFunc
}

// LiveSession is a session that is open now.
type LiveSession struct {
	ID          string       `json:"id"`
	Principal   string       `json:"principal"` // its name
	PrincipalID string       `json:"principal_id"`
	Chain       policy.Chain `json:"chain"`
	Connection  string       `json:"connection"`
	Client      string       `json:"client"`
	Started     time.Time    `json:"started"`
}

// Caller is a verified principal at the broker's door.
type Caller struct {
	Principal *policy.Principal
	Chain     policy.Chain
	Client    string // remote address
	Binding   string // how possession of the key was proved
	// Reason and Ticket say what the session is for, in the caller's words.
	Reason, Ticket string
	// Ended is done when the caller's right to be here ends; its cause says why.
	Ended context.Context
}

// Errors of Lookup and Serve.
var (
	ErrNoConnection = errors.New("no such connection")
	ErrDraining     = errors.New("the broker is shutting down")
	ErrRevoked      = errors.New("the session was revoked")
	ErrFull         = errors.New("the broker has as many sessions open as it may")
	ErrUnrecorded   = errors.New("the session cannot be recorded any more")
)

// New makes a broker with no connections; give it some with Reload.
func New(opts Options) *Broker {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.MaxSessions == 0 {
		opts.MaxSessions = 10_000
	}
	if opts.Strict {
		opts.Recorder = strictRecorder{opts.Recorder}
	}
	b := &Broker{opts: opts, live: map[string]*live{}}
	b.state.Store(&State{Policy: &policy.Policy{}})
	return b
}

// Reload puts connections and policy in force, at once and for live sessions
// too. Sessions on a connection that is gone, or that the new policy would not
// open, are ended.
func (b *Broker) Reload(st *State) {
	b.state.Store(st)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.live {
		if _, ok := st.Connections[l.Connection]; !ok {
			l.cancel(fmt.Errorf("%w: connection %s is no longer registered", ErrRevoked, l.Connection))
		}
	}
}

// Lookup finds a connection by name.
func (b *Broker) Lookup(name string) (*Connection, error) {
	c, ok := b.state.Load().Connections[name]
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrNoConnection, name)
	}
	return c, nil
}

// Policy is the policy in force.
func (b *Broker) Policy() *policy.Policy { return b.state.Load().Policy }

// Listed is a connection and whether its caller may open it now.
type Listed struct {
	Connection *Connection
	Verdict    policy.Verdict
}

// List gives the connections that the caller may open, or open with an
// approval, by name.
func (b *Broker) List(c *Caller) []Listed {
	st := b.state.Load()
	var out []Listed
	for _, conn := range st.Connections {
		v := st.Policy.Evaluate(&policy.Input{
			Principal: c.Principal, Chain: c.Chain, Connection: &conn.Connection,
			Action: &policy.Action{Verb: "session.open", Text: conn.Target.Database}, Now: b.opts.Now(),
		})
		if v.Effect != policy.Deny {
			out = append(out, Listed{conn, v})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Connection.Name < out[j].Connection.Name })
	return out
}

// Serve runs one session to its end. It closes client. The engine tells the
// client of refusals in its own protocol; the error is for the log.
func (b *Broker) Serve(ctx context.Context, client net.Conn, who *Caller, conn *Connection) error {
	engine, ok := b.opts.Engines[conn.Protocol]
	if !ok {
		_ = client.Close()
		return fmt.Errorf("connection %s: no engine for protocol %q", conn.Name, conn.Protocol)
	}
	id := newID()
	s := NewSession(b.deps(conn, id), id, &Admission{
		Principal: who.Principal, Chain: who.Chain, Connection: &conn.Connection,
		Target: &conn.Target, Client: who.Client, Binding: who.Binding,
		Reason: who.Reason, Ticket: who.Ticket,
	})
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if who.Ended != nil {
		defer context.AfterFunc(who.Ended, func() { cancel(context.Cause(who.Ended)) })()
	}
	if err := b.enter(s, cancel); err != nil {
		return errors.Join(err, engine.Refuse(client, &Denial{Code: CodeUnavailable, Message: err.Error(), Hint: "connect again in a moment"}))
	}
	defer b.leave(id)
	err := engine.Serve(ctx, client, s)
	s.Close(closeReason(ctx, err))
	return err
}

func closeReason(ctx context.Context, err error) string {
	if cause := context.Cause(ctx); cause != nil {
		return cause.Error()
	}
	if err != nil {
		return err.Error()
	}
	return "closed by the client"
}

func (b *Broker) deps(conn *Connection, id string) Deps {
	return Deps{
		Policy:     b.Policy,
		Patterns:   func() *mask.Rules { return b.state.Load().Patterns },
		Recorder:   b.opts.Recorder,
		Dial:       dialTarget,
		Secret:     func(ctx context.Context, _ string) (*Secret, error) { return b.secret(ctx, conn) },
		MaskKey:    b.maskKey,
		Approvals:  b.opts.Approvals,
		Recordings: b.opts.Recordings,
		Fail:       func(err error) { b.end(id, fmt.Errorf("%w: %w", ErrUnrecorded, err)) },
		Now:        b.opts.Now,
		stats:      &b.stats,
	}
}

// Stats counts since the start.
type Stats struct {
	Sessions uint64 // opened or refused
	Allowed  uint64 // actions
	Denied   uint64 // actions
}

type stats struct{ sessions, allowed, denied atomic.Uint64 }

// Stats gives the counters.
func (b *Broker) Stats() Stats {
	return Stats{b.stats.sessions.Load(), b.stats.allowed.Load(), b.stats.denied.Load()}
}

func (b *Broker) secret(ctx context.Context, conn *Connection) (*Secret, error) {
	if conn.Credential == "" {
		return &Secret{}, nil
	}
	return b.opts.Secret(ctx, conn.Credential)
}

// maskKey derives the key of a connection, RFC 5869.
func (b *Broker) maskKey(connection string) []byte {
	key, err := hkdf.Key(sha256.New, b.opts.MaskKey, nil, "hoop mask "+connection, 32)
	if err != nil { // only for absurd lengths
		panic(err)
	}
	return key
}

func (b *Broker) enter(s *Session, cancel context.CancelCauseFunc) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.draining {
		return ErrDraining
	}
	if len(b.live) >= b.opts.MaxSessions {
		return ErrFull
	}
	b.live[s.ID] = &live{
		LiveSession: LiveSession{ID: s.ID, Principal: s.Principal.Name, PrincipalID: s.Principal.ID, Chain: s.Chain,
			Connection: s.Connection.Name, Client: s.Client, Started: s.started},
		session: s, cancel: cancel,
	}
	b.wg.Add(1)
	return nil
}

func (b *Broker) leave(id string) {
	b.mu.Lock()
	delete(b.live, id)
	b.mu.Unlock()
	b.wg.Done()
}

// Live lists the open sessions, the oldest first.
func (b *Broker) Live() []LiveSession {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]LiveSession, 0, len(b.live))
	for _, l := range b.live {
		out = append(out, l.LiveSession)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Started.Before(out[j].Started) })
	return out
}

// End ends a live session at once; the reason reaches its client. It reports
// whether there was one.
func (b *Broker) End(id, reason string) bool {
	return b.end(id, fmt.Errorf("%w: %s", ErrRevoked, reason))
}

func (b *Broker) end(id string, cause error) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	l, ok := b.live[id]
	if ok {
		l.cancel(cause)
	}
	return ok
}

// EndGrant ends the sessions that live under a grant.
func (b *Broker) EndGrant(grant, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.live {
		if l.session.Grant() == grant {
			l.cancel(fmt.Errorf("%w: %s", ErrRevoked, reason))
		}
	}
}

// Drain refuses new sessions, waits for the open ones until ctx is done, then
// ends them and waits for that.
func (b *Broker) Drain(ctx context.Context) {
	b.mu.Lock()
	b.draining = true
	b.mu.Unlock()
	idle := make(chan struct{})
	go func() { b.wg.Wait(); close(idle) }()
	select {
	case <-idle:
		return
	case <-ctx.Done():
	}
	b.mu.Lock()
	for _, l := range b.live {
		l.cancel(ErrDraining)
	}
	b.mu.Unlock()
	<-idle
}

// dialTarget opens a TCP or unix connection within DialTimeout.
func dialTarget(ctx context.Context, t *Target) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, DialTimeout)
	defer cancel()
	d := net.Dialer{KeepAlive: 30 * time.Second}
	if t.Socket != "" {
		return d.DialContext(ctx, "unix", t.Socket)
	}
	return d.DialContext(ctx, "tcp", t.Address())
}

// DialTimeout bounds connecting to a target.
const DialTimeout = 10 * time.Second

// newID makes 80 random bits as 16 lower-case letters and digits.
func newID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

type strictRecorder struct{ Recorder }

func (r strictRecorder) Append(ev *recorder.Event, _ recorder.Durability) error {
	return r.Recorder.Append(ev, recorder.Synced)
}
