package tunnel

import (
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// Write returns once p is kept for the peer: on the way, or to be sent again
// when the network connection is back. It waits while the peer has not taken
// 4 MiB of what came before. Where the deadline passes in the midst of a frame
// the network connection is given up and the stream resumes.
func (s *Stream) Write(p []byte) (int, error) {
	s.writer.Lock()
	defer s.writer.Unlock()
	n := 0
	for n < len(p) {
		room, err := s.awaitRoom()
		if err != nil {
			return n, err
		}
		m := min(len(p)-n, room, maxPayload)
		if err := s.send(frameData, p[n:n+m]); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				n += m // kept, and sent again when the stream resumes
			}
			return n, err
		}
		n += m
	}
	return n, nil
}

// awaitRoom waits until the window lets something through. If nobody reads
// from the link it does so itself: an acknowledgement may be there.
func (s *Stream) awaitRoom() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if err := s.writeError(); err != nil {
			return 0, err
		}
		limit := s.set.window
		if s.link == nil {
			limit = min(limit, windowSuspended)
		}
		if room := s.out.room(limit); room > 0 {
			return room, nil
		}
		if s.link == nil || s.pumping != nobody {
			s.wait(s.writeDeadline)
		} else {
			s.pump(writeSide, nil)
		}
	}
}

func (s *Stream) writeError() error {
	switch {
	case s.closed:
		return net.ErrClosed
	case s.cause != nil && s.cause.Code != CloseDone:
		return s.cause
	case s.cause != nil, s.finSent:
		return io.ErrClosedPipe
	case passed(s.writeDeadline):
		return os.ErrDeadlineExceeded
	}
	return nil
}

// send keeps one sequenced frame and puts it on the wire if there is one.
func (s *Stream) send(t frameType, p []byte) error {
	s.wire.Lock()
	defer s.wire.Unlock()
	s.mu.Lock()
	if s.done || t != frameClose && s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	frame := s.out.add(t, p, s.delivered)
	if t == frameData {
		s.set.count.out.Add(uint64(len(p)))
	}
	s.out.pins++
	l := s.link
	s.beginWrite(l)
	s.mu.Unlock()

	var err error
	if l != nil {
		err = l.write(frame)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.endWrite(l)
	if err == nil {
		return nil
	}
	late := errors.Is(err, os.ErrDeadlineExceeded) && passed(s.writeDeadline)
	s.broken(l, err)
	if late {
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (s *Stream) beginWrite(l *link) {
	if l == nil {
		return
	}
	s.ackSent = s.delivered
	s.keep.wrote = true
	s.writing = l
	switch {
	case s.closed: // the CLOSE goes out whatever deadline the last Write had
		_ = l.conn.SetWriteDeadline(s.keep.closeBy)
	case !s.writeDeadline.IsZero():
		_ = l.conn.SetWriteDeadline(s.writeDeadline)
	}
}

func (s *Stream) endWrite(l *link) {
	s.writing = nil
	if l != nil && !s.writeDeadline.IsZero() {
		_ = l.conn.SetWriteDeadline(time.Time{})
	}
	s.unpin()
}

// unpin ends a write: what was acknowledged during it can go now.
func (s *Stream) unpin() {
	s.out.pins--
	if s.done {
		s.out.acked = s.out.sent
	}
	s.out.trim(s.out.acked)
}

// SetDeadline sets both deadlines.
func (s *Stream) SetDeadline(t time.Time) error {
	_ = s.SetReadDeadline(t)
	return s.SetWriteDeadline(t)
}

// SetReadDeadline ends a Read that waits at t with os.ErrDeadlineExceeded, also
// one that waits already. No byte is lost by it.
func (s *Stream) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readDeadline = t
	if s.pumping == readSide && s.link != nil {
		s.link.setReadDeadline(t)
	}
	s.changed()
	return s.deadlineError()
}

// SetWriteDeadline ends a Write that waits at t with os.ErrDeadlineExceeded.
func (s *Stream) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeDeadline = t
	if s.writing != nil && !s.closed {
		_ = s.writing.conn.SetWriteDeadline(t)
	}
	if s.pumping == writeSide && s.link != nil {
		s.link.setReadDeadline(t)
	}
	s.changed()
	return s.deadlineError()
}

func (s *Stream) deadlineError() error {
	if s.closed {
		return net.ErrClosed
	}
	return nil
}
