package ssh

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
)

// relay stands between a client and its target. Every channel has goroutines
// of its own; what they share is here.
type relay struct {
	e      *Engine
	s      *broker.Session
	cancel context.CancelCauseFunc // ends the session
	group  sync.WaitGroup          // of every goroutine that is not a channel's

	login  string // the user at the target
	secret *broker.Secret
	front  *gossh.ServerConn
	below  *bulkConn // of front

	queued atomic.Int64 // bytes of requests that wait in its channels

	reached chan struct{} // closed once up or failed is set
	up      *upstream
	failed  error

	mu       sync.Mutex
	channels map[*channel]struct{} // those of sessions
	taken    int                   // channels of every sort that the client opened
	noMore   bool                  // the client will open no further sessions
	begun    bool                  // it opened one: that may overtake its saying so
	strange  map[string]bool       // unknown requests that were recorded
	remotes  remotes
	offers   offers
}

func newRelay(e *Engine, s *broker.Session, cancel context.CancelCauseFunc) *relay {
	return &relay{e: e, s: s, cancel: cancel, reached: make(chan struct{}),
		channels: map[*channel]struct{}{}, strange: map[string]bool{}, remotes: remotes{listening: map[listener]*standing{}}}
}

// spawn runs f under the guard. An error of it ends the session.
func (r *relay) spawn(f func() error) {
	r.group.Go(func() {
		if err := r.e.guard(r.s, f); err != nil {
			r.cancel(err)
		}
	})
}

func (r *relay) wait() { r.group.Wait() }

// errTargetGone says that the target ended the connection.
var errTargetGone = errors.New("the target closed the connection")

// reach logs in to the target, and then serves what it opens by itself. That it
// fails does not end the session: who asks for a channel is told.
func (r *relay) reach(ctx context.Context) error {
	up, err := r.dial(ctx, nil)
	r.up, r.failed = up, err
	close(r.reached)
	if err != nil {
		r.e.log.Warn("a target was not reached", "session", r.s.ID, "connection", r.s.Connection.Name, "err", err)
		return nil
	}
	defer context.AfterFunc(ctx, func() { _ = up.conn.Close() })()
	r.spawn(func() error { return r.fromTarget(ctx, up.channels) })
	r.spawn(func() error { return answerTarget(up.requests) })
	if err := up.conn.Wait(); ctx.Err() == nil {
		return fmt.Errorf("%w: %s", errTargetGone, r.withoutWords(err))
	}
	return nil
}

// target waits until the target is reached.
func (r *relay) target(ctx context.Context) (*upstream, error) {
	select {
	case <-r.reached:
		return r.up, r.failed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// answerTarget answers the requests that concern the connection. hostkeys-00
// (OpenSSH PROTOCOL §2.5) must not reach the client, which sees another host.
func answerTarget(requests <-chan *gossh.Request) error {
	for req := range requests {
		if err := req.Reply(false, nil); err != nil {
			return nil // its conn ended
		}
	}
	return nil
}

// run relays until either side ends or ctx is done.
func (r *relay) run(ctx context.Context, f *front) error {
	r.mu.Lock()
	r.front = f.conn
	r.mu.Unlock()
	r.spawn(func() error { return r.serveChannels(ctx, f.channels) })
	r.spawn(func() error { return r.serveRequests(ctx, f.requests) })
	r.spawn(func() error { return fmt.Errorf("%w: %w", errClientGone, f.conn.Wait()) })
	<-ctx.Done()
	cause := context.Cause(ctx)
	r.part(cause)
	_ = f.conn.Close()
	r.wait()
	r.remotes.finish(r)
	r.offers.finish(r)
	return cause
}

// part says on every open channel why the session ends.
func (r *relay) part(cause error) {
	if errors.Is(cause, errClientGone) {
		return
	}
	var told sync.WaitGroup
	r.mu.Lock()
	for c := range r.channels {
		c.silence()
		told.Go(func() { c.tell(refusalText("", cause)) })
	}
	r.mu.Unlock()
	done := make(chan struct{})
	go func() { told.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(farewell):
		_ = r.front.Close() // whoever does not read is not told
		<-done
	}
}

// enter takes a place for a channel of the client.
func (r *relay) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken >= r.e.maxChannels {
		return false
	}
	r.taken++
	return true
}

func (r *relay) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken--
}

// add makes a channel one that is told when the session ends.
func (r *relay) add(c *channel) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.channels[c] = struct{}{}
}

func (r *relay) remove(c *channel) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.channels, c)
}

// mention says something on some channel that a person may be looking at, if
// there is one: for refusals that SSH has no words for.
func (r *relay) mention(text string) {
	r.mu.Lock()
	var c *channel
	for c = range r.channels {
		break
	}
	r.mu.Unlock()
	if c != nil {
		c.say(text)
	}
}

func outcome(result, code string) broker.Outcome { return broker.Outcome{Result: result, Code: code} }
