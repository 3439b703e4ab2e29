package approval

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"hoop/policy"
	"hoop/recorder"
)

// State keeps approvals and grants across a restart. broker/store has it. Get
// answers with fs.ErrNotExist where there is nothing.
type State interface {
	Get(ctx context.Context, bucket, key string) ([]byte, error)
	Put(ctx context.Context, bucket, key string, value []byte, until time.Time) error
	ForEach(ctx context.Context, bucket string, fn func(key string, value []byte) error) error
}

// Recorder keeps events durably before it returns.
type Recorder interface {
	Append(ev *recorder.Event, d recorder.Durability) error
}

// Config is what a Desk stands on. State, Recorder and Policy are required.
type Config struct {
	State    State
	Recorder Recorder
	Policy   func() *policy.Policy // the one in force
	// GrantEnded is told of every grant that ends, to end what lives under it.
	GrantEnded func(id, reason string)
	// Announce is told of what people outside should hear of. It must not block
	// for long.
	Announce func(Event)
	// Link leads to where an approval can be answered in a browser; nil where
	// there is no such page.
	Link func(id string) string
	Log  *slog.Logger // nothing is logged where nil
	Now  func() time.Time
}

// Desk is where approvals are asked for, answered and kept. Its methods may be
// called from several goroutines.
type Desk struct {
	state    State
	recorder Recorder
	policy   func() *policy.Policy
	ended    func(id, reason string)
	announce func(Event)
	link     func(id string) string
	log      *slog.Logger
	now      func() time.Time

	mu      sync.Mutex
	pending map[string]*pending
	grants  map[string]*Grant
	watched map[*Watcher]struct{}
	closed  bool
}

// pending is an approval that is not settled.
type pending struct {
	mu    sync.Mutex
	a     Approval // State tells whether it still is
	timer *time.Timer
	done  context.CancelCauseFunc // wakes who waits; nil where nobody does
}

// Errors of a Desk.
var (
	ErrNotFound = errors.New("there is no such approval")
	ErrNoGrant  = errors.New("there is no such grant")
	ErrDigest   = errors.New("the answer is for something else than what waits now")
	ErrFull     = errors.New("too many approvals wait already")
	ErrTooLong  = errors.New("the statement is too long for a person to approve")
	ErrReason   = errors.New("breaking the glass needs a reason")
	errClosed   = errors.New("the broker is shutting down")
)

// EndedError says that an approval was settled before.
type EndedError struct{ State, ID string }

func (e *EndedError) Error() string { return fmt.Sprintf("approval %s is %s already", e.ID, e.State) }

// Bounds.
const (
	maxPending = 20_000
	maxText    = 1 << 20 // bytes of a statement with its parameters
	// DefaultExpiry is how long an approval waits.
	DefaultExpiry = 15 * time.Minute
	// requestExpiry is how long one waits that nobody is held by.
	requestExpiry = 24 * time.Hour
	// keep is how long what is settled stays in the store.
	keep = 30 * 24 * time.Hour
)

// New picks up what the store has. Approvals that were pending when the broker
// ended are cancelled, as their sessions are gone, and that is recorded.
func New(ctx context.Context, c Config) (*Desk, error) {
	d := &Desk{state: c.State, recorder: c.Recorder, policy: c.Policy, ended: c.GrantEnded, announce: c.Announce, link: c.Link, log: c.Log, now: c.Now,
		pending: map[string]*pending{}, grants: map[string]*Grant{}, watched: map[*Watcher]struct{}{}}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.ended == nil {
		d.ended = func(string, string) {}
	}
	if d.link == nil {
		d.link = func(string) string { return "" }
	}
	if d.announce == nil {
		d.announce = func(Event) {}
	}
	if err := d.cancelStale(ctx); err != nil {
		return nil, fmt.Errorf("pick up approvals: %w", err)
	}
	if err := d.loadGrants(ctx); err != nil {
		return nil, fmt.Errorf("pick up grants: %w", err)
	}
	return d, nil
}

func (d *Desk) cancelStale(ctx context.Context) error {
	stale, err := d.stored(ctx, func(a *Approval) bool { return a.State == Pending })
	if err != nil {
		return err
	}
	for i := range stale {
		a := &stale[i]
		a.State, a.Why, a.Ended = Cancelled, "the broker was restarted", d.now()
		if err := d.record(recorder.ApprovalEnded, a, nil); err != nil {
			return err
		}
		if err := d.save(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// Close cancels what is pending. Grants stay in the store.
func (d *Desk) Close() {
	d.mu.Lock()
	d.closed = true
	var open []*pending
	for _, p := range d.pending {
		open = append(open, p)
	}
	for _, g := range d.grants {
		g.timer.Stop()
	}
	d.mu.Unlock()
	for _, p := range open {
		d.settle(p, Cancelled, errClosed.Error())
	}
}

// newID makes 50 random bits as ten lower-case letters and digits.
func newID() string {
	var b [7]byte
	_, _ = rand.Read(b[:]) // never fails
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))[:10]
}
