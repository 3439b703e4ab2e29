package tunnel

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// Read reads bytes of the stream. While the network connection is lost it
// waits. It returns io.EOF after the peer's CloseWrite or ordinary Close, and a
// *CloseError where the stream ended for another reason.
func (s *Stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.closed {
			return 0, net.ErrClosed
		}
		if passed(s.readDeadline) {
			return 0, os.ErrDeadlineExceeded
		}
		if n := s.take(p); n > 0 {
			return n, nil
		}
		if err := s.readError(); err != nil {
			return 0, err
		}
		if s.link == nil || s.pumping != nobody {
			s.wait(s.readDeadline)
		} else if n := s.pump(readSide, p); n > 0 {
			s.deliver(n)
			return n, nil
		}
	}
}

// take reads from the inbox.
func (s *Stream) take(p []byte) int {
	n := s.in.read(p)
	if n > 0 {
		s.deliver(n)
	}
	return n
}

func (s *Stream) readError() error {
	switch {
	case s.cause != nil && s.cause.Code == CloseDone, s.cause == nil && s.finReceived:
		return io.EOF
	case s.cause != nil:
		return s.cause
	}
	return nil
}

func passed(deadline time.Time) bool {
	return !deadline.IsZero() && time.Until(deadline) <= 0
}

// pump reads from the link once on behalf of a side, with the lock held at
// both ends but not between. DATA goes to p; without p it goes to the inbox,
// and pump returns 0.
func (s *Stream) pump(who side, p []byte) int {
	l := s.link
	s.pumping = who
	l.setReadDeadline(s.pumpDeadline(who))
	spare := p == nil && l.typ == frameData && l.remain > 0
	if spare {
		p = s.in.space(l.remain)
	}
	if s.ctl == nil && l.remain > 0 && l.typ != frameData {
		s.ctl = make([]byte, 0, maxClose)
	}
	ctl := s.ctl[len(s.ctl):cap(s.ctl)]
	s.mu.Unlock()

	b, err := l.fill(p, ctl)

	s.mu.Lock()
	s.pumping = nobody
	s.changed()
	if s.link != l { // cut meanwhile: the peer will send these bytes again
		b = burst{}
		err = nil
	}
	if spare {
		s.in.commit(b.n)
	}
	if perr := s.account(b); perr != nil {
		err = perr
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		s.broken(l, err)
	}
	if spare {
		return 0
	}
	return b.n
}

func (s *Stream) pumpDeadline(who side) time.Time {
	switch who {
	case readSide:
		return s.readDeadline
	case writeSide:
		return s.writeDeadline
	case closeSide:
		return s.keep.closeBy
	default:
		return time.Now().Add(drainTime)
	}
}

// account takes in what one fill found. An error is a breach of the protocol.
func (s *Stream) account(b burst) error {
	if b.n > 0 || b.ctl > 0 || b.acked {
		s.keep.heard = true
	}
	if b.acked && !s.out.ack(b.ack) {
		return &protocolError{fmt.Errorf("%d bytes acknowledged, %d sent", b.ack, s.out.sent)}
	}
	s.received += uint64(b.n + b.ctl)
	s.set.count.in.Add(uint64(b.n))
	if b.n > 0 && (s.finReceived || s.cause != nil) {
		return &protocolError{errors.New("data after the end")}
	}
	if s.received-s.delivered > uint64(s.set.window+maxClose+1) {
		return &protocolError{errors.New("more data than the window allows")}
	}
	s.ctl = s.ctl[:len(s.ctl)+b.ctl]
	if b.ping {
		s.keep.pong = true
		s.ackNow()
	}
	if b.ended != 0 {
		s.peerEnded(b.ended)
	}
	return nil
}

// deliver notes that the application took n bytes, and sees to it that the
// peer learns so.
func (s *Stream) deliver(n int) {
	s.delivered = min(s.delivered+uint64(n), s.received)
	switch {
	case s.delivered-s.ackSent >= uint64(s.set.ackEvery):
		s.ackNow()
	case !s.ackArmed:
		s.ackArmed = true
		s.ackTimer.Reset(s.set.ackDelay)
	}
}

func (s *Stream) ackNow() {
	s.ackArmed = true
	s.ackTimer.Reset(0)
}

// flushAck runs on the timer, because a Read that wrote could block, and with
// it the peer whose Read does the same.
func (s *Stream) flushAck() {
	s.mu.Lock()
	l := s.link
	t := s.keep.due()
	if t == 0 && (s.delivered != s.ackSent || s.cause != nil) {
		t = frameAck
	}
	s.ackArmed = false
	s.mu.Unlock()
	if l == nil || t == 0 {
		return
	}
	s.sendControl(l, t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause != nil { // the peer's CLOSE is acknowledged
		s.finish(s.cause)
	}
}

func (s *Stream) sendControl(l *link, t frameType) {
	s.wire.Lock()
	defer s.wire.Unlock()
	s.mu.Lock()
	if s.link != l {
		s.mu.Unlock()
		return
	}
	s.ackSent = s.delivered
	s.keep.wrote = true
	ack := s.ackSent
	s.mu.Unlock()
	if err := l.writeControl(t, ack); err != nil {
		s.fail(l, err)
	}
}
