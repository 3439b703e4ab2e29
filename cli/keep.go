package cli

import (
	"context"
	"time"
)

// How long to rest between two attempts to renew a login, and between two looks
// at the clock: a machine that sleeps stops timers, not logins.
const (
	renewPause = 15 * time.Second
	clockLook  = 20 * time.Second
)

// keepSignedIn renews the login of a long command before it ends, so that its
// sessions go on. The caller calls stop, which waits.
func (a *App) keepSignedIn(ctx context.Context, s *signer) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.renewInTime(ctx, s)
	}()
	return func() { cancel(); <-done }
}

func (a *App) renewInTime(ctx context.Context, s *signer) {
	told := ""
	for s.waitUntilDue(ctx) {
		_, err := s.secrets(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			told = ""
		} else if f := classify(err); f.Message != told {
			told = f.Message
			a.notef("the login cannot be renewed, and sessions end with it: %s (%s)", f.Message, f.Hint)
		}
		if !rest(ctx, min(renewPause, max(s.left()/4, time.Second))) {
			return
		}
	}
}

// waitUntilDue waits by the wall clock. It reports false when ctx is done.
func (s *signer) waitUntilDue(ctx context.Context) bool {
	for {
		s.mu.Lock()
		wait := time.Until(s.due(s.held))
		s.mu.Unlock()
		if wait <= 0 {
			return ctx.Err() == nil
		}
		if !rest(ctx, min(wait, clockLook)) {
			return false
		}
	}
}

// left is how long the login still lasts.
func (s *signer) left() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Until(s.held.LoginExpires)
}

func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
