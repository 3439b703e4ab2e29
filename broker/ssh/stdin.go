package ssh

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
)

// maxEarly is how much of what a client sends before its program runs is taken
// in, in bytes.
const maxEarly = 64 << 10

// stdin carries what the client sends. Before the program runs it keeps that:
// requests and data reach us on separate ways, and data must not overtake.
type stdin struct {
	c        *channel
	terminal atomic.Bool // the channel has one: Ctrl-C is a byte

	mu       sync.Mutex
	changed  *sync.Cond
	early    []byte                  // came, and was not read yet
	begun    bool                    // the program runs
	taking   bool                    // take reads the channel; whoever wants more waits for it
	eof      bool                    // take saw the end of file
	withdraw context.CancelCauseFunc // of what waits for people; nil where nothing does
}

func newStdin(c *channel) *stdin {
	s := &stdin{c: c, taking: true}
	s.changed = sync.NewCond(&s.mu)
	return s
}

// begin lets input through: carry reads all of it, and returns nil at its end.
func (s *stdin) begin(carry func(io.Reader) error) {
	s.mu.Lock()
	s.begun = true
	s.mu.Unlock()
	s.c.spawn(func() error {
		if carry(s) == nil {
			_ = s.c.up.CloseWrite()
			return nil
		}
		// The target takes no more: the rest is read and dropped, as it would be
		// by a program that ended.
		_, _ = io.Copy(io.Discard, s)
		return nil
	})
}

// Read gives what came before the program ran, and then what comes.
func (s *stdin) Read(p []byte) (int, error) {
	s.mu.Lock()
	for len(s.early) == 0 && s.taking {
		s.changed.Wait()
	}
	n := copy(p, s.early)
	if s.early = s.early[n:]; len(s.early) == 0 {
		s.early = nil
	}
	eof := s.eof
	s.mu.Unlock()
	switch {
	case n > 0:
		return n, nil
	case eof:
		return 0, io.EOF
	}
	return s.c.ch.Read(p)
}

// take reads the channel until the program runs.
func (s *stdin) take() error {
	buf := make([]byte, smallBuffer)
	for {
		n, err := s.c.ch.Read(buf)
		if !s.keep(buf[:n], err != nil) {
			return nil
		}
	}
}

// keep adds to what is early, and reports whether to go on.
func (s *stdin) keep(keys []byte, eof bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.withdraw != nil && s.terminal.Load() && hasInterrupt(keys) {
		s.withdraw(errInterrupted)
		keys = nil
	}
	s.early = append(s.early, keys...)
	s.eof = eof
	s.taking = !eof && !s.begun && len(s.early) < maxEarly
	s.changed.Broadcast()
	return s.taking
}

// waits says what Ctrl-C ends from now on; nil for nothing.
func (s *stdin) waits(withdraw context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.withdraw = withdraw
	if withdraw != nil && s.terminal.Load() && hasInterrupt(s.early) {
		withdraw(errInterrupted)
	}
}

// interrupt withdraws what waits for people. It reports whether something did.
func (s *stdin) interrupt() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.withdraw == nil {
		return false
	}
	s.withdraw(errInterrupted)
	return true
}
