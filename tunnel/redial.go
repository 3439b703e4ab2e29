package tunnel

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = 5 * time.Second
	// maxMisdirected is how often the broker may say that it never had the
	// stream before that is believed: behind a load balancer another one may
	// have it.
	maxMisdirected = 4
)

// redialer brings the network connection of one client stream back. It is the
// endpoint of that stream.
type redialer struct {
	d      *Dialer
	ctx    context.Context
	cancel context.CancelFunc
	broken bool // guarded by the stream's lock
	told   bool // Reconnecting was the last event; guarded by the stream's resuming
}

func newRedialer(d *Dialer) *redialer {
	ctx, cancel := context.WithCancel(context.Background())
	return &redialer{d: d, ctx: ctx, cancel: cancel}
}

func (r *redialer) suspend(s *Stream) *CloseError {
	r.d.suspended.Add(1)
	r.broken = true
	cut := s.cut
	s.tasks.Go(func() { r.run(s, cut) })
	return nil
}

func (r *redialer) resumed(*Stream) {
	r.awake()
	r.d.set.count.resumed.Add(1)
}

func (r *redialer) ended(s *Stream) {
	r.awake()
	r.d.active.Add(-1)
	r.cancel()
	var err error
	if s.cause.Code != CloseDone {
		err = s.cause
	}
	s.tasks.Go(func() { r.notify(s, Closed, err) }) // not under the lock
}

func (r *redialer) awake() {
	if r.broken {
		r.broken = false
		r.d.suspended.Add(-1)
	}
}

// run dials until the stream has a link, is over, or the window has passed. A
// sleeping machine's time does not count: the clock used stands still in it.
func (r *redialer) run(s *Stream, cut error) {
	s.resuming.Lock()
	defer s.resuming.Unlock()
	if !r.told {
		r.told = true
		r.notify(s, Reconnecting, cut)
	}
	start, wait, misdirected := time.Now(), r.d.set.backoff, 0
	for r.ctx.Err() == nil {
		l, peer, err := r.resume(s)
		if err == nil {
			if s.attach(l, peer) == nil {
				r.told = false
				r.notify(s, Resumed, nil)
			}
			return // a link that broke again has its own run
		}
		var cause *CloseError
		switch {
		case misdirectedError(err):
			if misdirected++; misdirected >= maxMisdirected {
				cause = refused(err)
			}
		default:
			cause = refused(err)
		}
		if cause == nil && time.Since(start) > r.d.set.resumeWindow {
			cause = &CloseError{CloseLost, clean(fmt.Sprintf("no connection to the broker for %v: %v", r.d.set.resumeWindow, err))}
		}
		if cause != nil {
			s.mu.Lock()
			s.finish(cause)
			s.mu.Unlock()
			return
		}
		r.sleep(wait)
		wait = min(2*wait, maxBackoff)
	}
}

func (r *redialer) resume(s *Stream) (*link, uint64, error) {
	s.mu.Lock()
	received := s.received
	s.mu.Unlock()
	l, resp, err := r.d.upgrade(r.ctx, fmt.Sprintf("v1/streams/%s?received=%d", s.id, received), nil)
	if err != nil {
		return nil, 0, err
	}
	peer, err := strconv.ParseUint(resp.Header.Get(headerReceived), 10, 63)
	if err != nil {
		l.abort()
		return nil, 0, fmt.Errorf("resume a stream: %w", err)
	}
	return l, peer, nil
}

func misdirectedError(err error) bool {
	var r *RefusedError
	return errors.As(err, &r) && r.Status == http.StatusMisdirectedRequest
}

// refused turns an answer that will not change into the end of the stream. Any
// 5xx may come from a proxy whose broker is just being restarted.
func refused(err error) *CloseError {
	var r *RefusedError
	if !errors.As(err, &r) || r.Status >= 500 || r.Status == http.StatusTooManyRequests {
		return nil
	}
	code := CloseRefused
	if r.Status == http.StatusMisdirectedRequest || r.Status == http.StatusGone {
		code = CloseUnknown
	}
	reason := r.reason()
	if reason == "" {
		reason = fmt.Sprintf("the broker refused to resume the session: %d %s", r.Status, http.StatusText(r.Status))
	}
	return &CloseError{code, reason}
}

// sleep waits about d: many clients of one broker come back at different times.
func (r *redialer) sleep(d time.Duration) {
	t := time.NewTimer(d/2 + rand.N(d))
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.ctx.Done():
	}
}

func (r *redialer) notify(s *Stream, e Event, err error) {
	if r.d.Notify != nil {
		r.d.Notify(s, e, err)
	}
}
