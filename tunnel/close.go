package tunnel

import (
	"encoding/binary"
	"net"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// CloseCode says why a stream ended, for programs.
type CloseCode uint16

// The codes. Those from CloseLost on are never sent: the side that finds the
// cause reports it.
const (
	CloseDone     CloseCode = iota // the work is done
	CloseRevoked                   // somebody ended the session
	CloseShutdown                  // the broker stops
	CloseProtocol                  // the peer broke the format
	CloseLost                      // the network connection did not come back in time
	CloseUnknown                   // the broker does not have the stream: restarted, or another one
	CloseRefused                   // the broker refused to resume
	CloseLimit                     // too many streams wait for their network connection
)

// CloseError is the end of a stream for a reason that is worth telling.
type CloseError struct {
	Code   CloseCode
	Reason string // for people; one line, at most 1 KiB
}

func (e *CloseError) Error() string {
	if e.Reason == "" {
		return "the stream was closed"
	}
	return e.Reason
}

// CloseReason says why the stream ended, nil while it lives.
func (s *Stream) CloseReason() *CloseError {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

// CloseWrite tells the peer that no more bytes follow. Reading goes on.
func (s *Stream) CloseWrite() error {
	s.writer.Lock()
	defer s.writer.Unlock()
	s.mu.Lock()
	err := s.writeError()
	s.finSent = true
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.send(frameFin, []byte{0})
}

// Close ends the stream in both directions, as CloseBecause(CloseDone, "").
func (s *Stream) Close() error { return s.CloseBecause(CloseDone, "") }

// CloseBecause ends the stream and tells the peer why. It waits until the peer
// has everything that was written, at most 5 seconds. On the broker's side a
// stream without network connection is kept until the client has resumed and
// read the end, or the resume window has passed; CloseBecause returns at once.
func (s *Stream) CloseBecause(code CloseCode, reason string) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.closed = true
	s.farewell = CloseError{Code: code, Reason: clean(reason)}
	s.in.clear()
	s.interrupt()
	over := s.cause != nil
	s.change.Broadcast()
	s.mu.Unlock()

	if over {
		s.flushAck()
	} else {
		_ = s.send(frameClose, s.farewell.payload())
	}
	s.linger()
	s.tasks.Wait()
	return nil
}

// interrupt ends the Read or Write that uses the link, now or soon.
func (s *Stream) interrupt() {
	s.keep.closeBy = time.Now().Add(s.set.closeTimeout)
	if s.link == nil {
		return
	}
	if s.pumping != nobody {
		s.link.setReadDeadline(time.Unix(1, 0))
	}
	_ = s.link.conn.SetWriteDeadline(s.keep.closeBy)
}

// linger waits until the peer has acknowledged the CLOSE. What still arrives is
// dropped: left in the kernel it would reset the connection, and the peer
// would lose our last bytes.
func (s *Stream) linger() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.done {
		s.in.clear()
		s.delivered = s.received
		switch {
		case s.cause != nil, s.out.acked == s.out.sent, passed(s.keep.closeBy):
			s.finish(&s.farewell)
		case s.link == nil && !s.redials:
			return
		case s.link == nil || s.pumping != nobody:
			s.wait(s.keep.closeBy)
		default:
			s.pump(closeSide, nil)
		}
	}
}

func (e *CloseError) payload() []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(e.Code))
	return append(b, e.Reason...)
}

// clean makes a reason safe to print: it may come from the other side.
func clean(reason string) string {
	reason = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(reason, "?"))
	if len(reason) > maxReason {
		cut := maxReason
		for !utf8.RuneStart(reason[cut]) {
			cut--
		}
		reason = reason[:cut]
	}
	return reason
}

// peerEnded takes in a complete FIN or CLOSE.
func (s *Stream) peerEnded(t frameType) {
	ctl := s.ctl
	s.ctl = nil
	s.changed()
	if t == frameFin {
		s.finReceived = true
		s.deliver(1)
		return
	}
	s.cause = &CloseError{Code: CloseProtocol, Reason: "closed without a code"}
	if len(ctl) >= 2 {
		s.cause = &CloseError{Code: CloseCode(binary.BigEndian.Uint16(ctl)), Reason: clean(string(ctl[2:]))}
	}
	s.delivered = s.received // nothing follows, so the window is of no interest
	s.ackNow()
}

// finish ends the stream for good. The lock is held.
func (s *Stream) finish(cause *CloseError) {
	if s.done {
		return
	}
	s.done = true
	switch {
	case s.closed && s.cause == nil:
		s.cause = &s.farewell
	case s.cause == nil:
		s.cause = cause
	}
	if s.link != nil {
		s.link.abort()
		s.link = nil
	}
	s.ackTimer.Stop()
	s.keep.timer.Stop()
	if s.out.pins == 0 {
		s.out.trim(s.out.sent)
	}
	if s.closed {
		s.in.clear()
	}
	s.change.Broadcast()
	s.end.ended(s)
}
