package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"hoop/broker"
	"hoop/broker/approval"
)

// stillWaiting is how often a client that waits is told so: some give up on a
// silent server.
const stillWaiting = 5 * time.Minute

// maxEarly is how much of what a waiting client sends is taken in, in bytes;
// beyond it its leaving shows only once it is answered.
const maxEarly = 64 << 10

var _ broker.Holder = (*requests)(nil)

// Hold waits with the client for people. The message that waits stays where it
// is, before everything behind it; the target goes on answering what came
// before it.
func (c *requests) Hold(ctx context.Context, notice string) error {
	if err := c.relay.notice(notice); err != nil {
		return gone(err, errClientGone)
	}
	c.flow.shelve()
	defer c.flow.unshelve()
	err := c.flow.listen(ctx, c.wanted, func() error { return c.relay.notice("hoop: still waiting for an answer; Ctrl-C withdraws it") })
	if c.wanted.is() && ctx.Err() == nil {
		return broker.ErrWithdrawn
	}
	return gone(err, errClientGone)
}

// withdrawal is a cancel request for what is held. A context would cost a held
// session more than anything else that it has.
type withdrawal struct {
	mu    sync.Mutex
	given bool
	wake  func() // interrupts who waits; nil where nobody does
}

func (w *withdrawal) give() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.given = true
	if w.wake != nil {
		w.wake()
	}
}

func (w *withdrawal) is() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.given
}

// wakes says how to interrupt who waits from now on. Once it is nil nothing of
// what it was before runs any more.
func (w *withdrawal) wakes(wake func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wake = wake
}

// want takes cancel requests from now on, until unwant: one that comes before
// anybody waits must not be lost.
func (c *requests) want() {
	if c.up.held.Load() != nil {
		return
	}
	c.wanted = &withdrawal{}
	c.up.held.Store(c.wanted)
}

// unwant leaves cancel requests to the target again.
func (c *requests) unwant() {
	c.up.held.Store(nil)
	c.wanted = nil
}

// shelve keeps what was not looked at in as little memory as it needs. All that
// comes before it must have been flushed.
func (f *flow) shelve() {
	rest := append(make([]byte, 0, f.end-f.pos), f.buf[f.pos:f.end]...)
	f.lender.put(f.buf)
	f.buf, f.out = rest, nil
	f.from, f.pos, f.end = 0, 0, len(rest)
}

// unshelve goes on with a buffer of ordinary size.
func (f *flow) unshelve() {
	buf := f.lender.get(f.size)
	if f.end > len(buf) {
		buf = make([]byte, f.end)
	}
	copy(buf, f.buf[:f.end])
	f.buf, f.armed = buf, time.Time{}
}

// listen reads on, so that it shows when the client leaves, until ctx is done
// or the client withdraws what it waits for. It calls again at every
// stillWaiting.
func (f *flow) listen(ctx context.Context, w *withdrawal, again func() error) error {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		_ = f.src.SetReadDeadline(longAgo)
	})
	defer func() {
		if !stop() {
			<-interrupted // or it would end a later read
		}
	}()
	w.wakes(func() { _ = f.src.SetReadDeadline(longAgo) })
	defer w.wakes(nil)
	over := func() bool { return ctx.Err() != nil || w.is() }
	for !over() {
		if f.stopped.Load() {
			return errStopped
		}
		err := f.early(ctx, w)
		if errors.Is(err, os.ErrDeadlineExceeded) && !over() && !f.stopped.Load() {
			err = again()
		}
		if err != nil && !over() {
			return err
		}
	}
	return nil
}

// early takes in what the client sends while it waits, for stillWaiting at
// most.
func (f *flow) early(ctx context.Context, w *withdrawal) error {
	if f.end >= maxEarly {
		return w.pause(ctx)
	}
	if err := f.src.SetReadDeadline(time.Now().Add(stillWaiting)); err != nil {
		return err
	}
	if ctx.Err() != nil || w.is() { // the deadline that its end set is lost
		return nil
	}
	n, err := f.src.Read(f.few[:])
	f.buf = append(f.buf, f.few[:n]...)
	f.end = len(f.buf)
	if n > 0 {
		return nil
	}
	return err
}

// pause waits until ctx is done, or stillWaiting is over, which is
// os.ErrDeadlineExceeded. A client that withdraws is noticed now and then: it
// has sent a lot, and is nobody who types.
func (w *withdrawal) pause(ctx context.Context) error {
	for end := time.Now().Add(stillWaiting); time.Now().Before(end); {
		if err := pause(ctx, 200*time.Millisecond); err == nil || w.is() {
			return nil
		}
	}
	return os.ErrDeadlineExceeded
}

// pause waits until ctx is done, or the time is over, which is
// os.ErrDeadlineExceeded.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return os.ErrDeadlineExceeded
	case <-ctx.Done():
		return nil
	}
}

// lobby is where a client waits before its session is open.
type lobby struct {
	client   net.Conn
	packet   *startupPacket
	timeout  time.Duration // of a write
	admitted bool          // it has been told that it is authenticated
}

// Hold tells the client that it is who it is, and then why it waits: clients
// show notices only after AuthenticationOk. That it leaves ends ctx: see watch.
func (l *lobby) Hold(ctx context.Context, notice string) error {
	for {
		if err := l.say(notice); err != nil {
			return fmt.Errorf("%w: %w", errClientGone, err)
		}
		if err := pause(ctx, stillWaiting); err == nil {
			return nil
		}
	}
}

func (l *lobby) say(notice string) error {
	buf := l.welcome(nil)
	buf = encode(buf, noticeOf(notice))
	if err := l.client.SetWriteDeadline(time.Now().Add(l.timeout)); err != nil {
		return err
	}
	if _, err := l.client.Write(buf); err != nil {
		return err
	}
	return l.client.SetWriteDeadline(time.Time{})
}

// Meaning is nothing before there is a session at the target.
func (l *lobby) Meaning(context.Context, *broker.Action) (approval.Meaning, error) {
	return approval.Meaning{}, nil
}
