package ssh

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	gossh "golang.org/x/crypto/ssh"
)

// maxEarly is how much of what a client sends before its program runs is taken
// in, in bytes.
const maxEarly = 64 << 10

// stdin carries what the client types. Before the program runs it keeps that:
// requests and data reach us on separate ways, and data must not overtake.
type stdin struct {
	c        *channel
	terminal atomic.Bool // the channel has one: Ctrl-C is a byte

	mu       sync.Mutex
	early    []byte
	withdraw context.CancelCauseFunc // of what waits for people; nil where nothing does
	begun    chan struct{}
	dst      gossh.Channel
	typed    func([]byte) // is told all that goes there
}

func newStdin(c *channel) *stdin { return &stdin{c: c, begun: make(chan struct{})} }

// begin lets input through to the program.
func (s *stdin) begin(dst gossh.Channel, typed func([]byte)) {
	s.dst, s.typed = dst, typed
	close(s.begun)
}

// run reads until the client's end of file.
func (s *stdin) run() error {
	eof := s.collect()
	select {
	case <-s.begun:
	case <-s.c.ctx.Done():
		return nil
	}
	_, err := s.Write(s.early)
	s.early = nil
	if err == nil && !eof {
		err = s.c.r.e.buffers.pour(s, s.c.ch)
	}
	if err == nil {
		_ = s.dst.CloseWrite()
		return nil
	}
	// The target takes no more: the rest is read and dropped, as it would be by
	// a program that ended.
	_, _ = io.Copy(io.Discard, s.c.ch)
	return nil
}

// collect reads what comes before the program runs. It reports the end of file.
func (s *stdin) collect() (eof bool) {
	buf := make([]byte, smallBuffer)
	for {
		select {
		case <-s.begun:
			return false
		default:
		}
		n, err := s.c.ch.Read(buf)
		full := s.keep(buf[:n])
		if err != nil {
			return true
		}
		if full {
			return false
		}
	}
}

// keep adds to what is early, and reports when that is enough.
func (s *stdin) keep(keys []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.withdraw != nil && s.terminal.Load() && hasInterrupt(keys) {
		s.withdraw(errInterrupted)
		return false
	}
	s.early = append(s.early, keys...)
	return len(s.early) >= maxEarly
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

// Write passes input on.
func (s *stdin) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.typed(p)
	return s.dst.Write(p)
}
