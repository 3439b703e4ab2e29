package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgproto3/v2"

	"hoop/broker"
)

// farewell is how long a client has to take the last error of its session.
const farewell = 500 * time.Millisecond

// relay stands between a client and its target once both are ready for
// queries. Each direction has one goroutine; what they share is the queue of
// answers that the target owes and the right to write to the client.
type relay struct {
	e       *Engine
	session *broker.Session
	client  net.Conn
	up      *upstream
	absent  string // the name of a prepared statement that never exists

	queue   *queue
	stopped atomic.Bool
	in      requests  // client → target
	out     responses // target → client

	// writing guards what reaches the client: the responses' flow, and notices
	// from elsewhere, which fit only between two frames.
	writing sync.Mutex
	notices []byte // waiting for the end of a frame
}

func newRelay(e *Engine, s *broker.Session, client net.Conn, up *upstream) *relay {
	r := &relay{e: e, session: s, client: client, up: up, absent: "hoop refused this " + rand.Text()}
	r.queue = newQueue(func(t *ticket) { r.finish(t, outcome("skipped", "")) })
	r.in = requests{relay: r, flow: flow{src: client, dst: up.conn, lender: &e.buffers, size: clientBuffer, idle: e.idle, stopped: &r.stopped}}
	r.out = responses{relay: r, flow: flow{src: up.conn, dst: client, lender: &e.buffers, size: targetBuffer, idle: e.idle, stopped: &r.stopped},
		bulk: newBulk(up.raw)}
	s.SetHolder(&r.in)
	return r
}

// run relays until either side ends or ctx is done, and tells the client why
// where it did not end itself.
func (r *relay) run(parent context.Context) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	defer context.AfterFunc(ctx, r.interrupt)()
	done := make(chan error, 1)
	go func() {
		err := r.e.guard(r.session, func() error { return r.out.run(ctx) })
		r.queue.locked(func() { r.queue.ended = true })
		cancel(err)
		done <- err
	}()
	err := r.e.guard(r.session, func() error { return r.in.run(ctx) })
	cancel(err)
	if served := <-done; err == nil || errors.Is(err, errStopped) || errors.Is(err, context.Canceled) {
		err = served
	}
	r.in.flow.release()
	r.out.flow.release()
	if parent.Err() != nil && r.queue.first() != nil {
		r.cancelStatement()
	}
	r.abandon()
	return r.part(parent, err)
}

// interrupt ends both directions: reads at once, a write to the client as soon
// as it had a moment to end at a frame's boundary.
func (r *relay) interrupt() {
	r.stopped.Store(true)
	_ = r.client.SetReadDeadline(longAgo)
	_ = r.client.SetWriteDeadline(time.Now().Add(farewell))
	_ = r.up.conn.SetReadDeadline(longAgo)
	_ = r.up.conn.SetWriteDeadline(time.Now().Add(farewell))
	r.queue.locked(func() {})
}

// abandon ends what was under way.
func (r *relay) abandon() {
	for e := r.queue.first(); e != nil; e = r.queue.first() {
		for _, t := range e.tickets {
			r.finish(t, outcome("lost", ""))
		}
		r.queue.pop(false)
	}
	for _, p := range r.queue.names.portals {
		r.finish(p.ticket, outcome("lost", ""))
	}
}

// part says the last word to both sides. The error it gives is for the log.
func (r *relay) part(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
	case err == nil, errors.Is(err, errStopped), errors.Is(err, errClientGone):
		return nil
	case errors.Is(err, errTargetGone):
		if r.out.fatal { // the client has read the target's own words
			return nil
		}
		err = &refusal{sqlstate: "08006", message: "the target closed the connection", err: err}
	}
	frame := fatalOf(ctx, err)
	if frame == nil {
		frame = fatalFrame("XX000", "the session failed inside hoop", "the broker's log says more")
	}
	if r.out.flow.skip == 0 && !r.out.torn {
		_ = r.client.SetWriteDeadline(time.Now().Add(farewell))
		if _, werr := r.client.Write(frame); werr != nil {
			r.e.log.Debug("the client left before it could be told", "session", r.session.ID, "err", werr)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// cancelStatement stops what the target still runs for a session that is
// revoked: closing alone would let it go on.
func (r *relay) cancelStatement() {
	ctx, stop := context.WithTimeout(context.Background(), farewell)
	defer stop()
	if err := r.e.cancelUpstream(ctx, &cancellable{session: r.session, up: r.up}); err != nil {
		r.e.log.Warn("a revoked session's statement could not be cancelled", "session", r.session.ID, "err", err)
	}
}

// finish ends a ticket once. Rows, bytes and masked values are the ticket's.
// The queue's lock is held for a ticket that a portal has.
func (r *relay) finish(t *ticket, o broker.Outcome) {
	if t == nil || t.finished {
		return
	}
	t.finished = true
	o.Rows, o.Bytes, o.Masked = t.rows, t.bytes, t.masked
	r.session.Finish(t.Ticket, o)
}

// notice shows a text to the client as a NoticeResponse, at once where no frame
// is under way.
func (r *relay) notice(text string) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.notices = encode(r.notices, noticeOf(text))
	if r.out.held {
		return nil
	}
	return r.flushNotices()
}

func noticeOf(text string) *pgproto3.NoticeResponse {
	return &pgproto3.NoticeResponse{Severity: "NOTICE", SeverityUnlocalized: "NOTICE", Code: "00000",
		Message: strings.ReplaceAll(text, "\x00", "")}
}

// flushNotices writes the notices that wait; r.writing is held.
func (r *relay) flushNotices() error {
	if len(r.notices) == 0 {
		return nil
	}
	_, err := r.client.Write(r.notices)
	r.notices = nil
	return err
}

// errTargetGone says that the target ended the connection.
var errTargetGone = errors.New("the target closed the connection")

// gone words the end of one side's bytes.
func gone(err, who error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed) || isReset(err) {
		return fmt.Errorf("%w: %w", who, err)
	}
	return err
}

func outcome(result, code string) broker.Outcome { return broker.Outcome{Result: result, Code: code} }
