package tunnel

import (
	"errors"
	"fmt"
	"net"
)

var errReplaced = errors.New("the client came back over another connection")

// fail notes that a link broke, unless it was replaced already.
func (s *Stream) fail(l *link, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken(l, err)
}

// broken is fail with the lock held.
func (s *Stream) broken(l *link, err error) {
	if l == nil || s.link != l {
		return
	}
	l.abort()
	s.link = nil
	s.cut = err
	s.cuts++
	defer s.change.Broadcast()
	var breach *protocolError
	switch {
	case s.cause != nil: // the peer said goodbye before
		s.finish(s.cause)
	case errors.As(err, &breach):
		s.finish(&CloseError{Code: CloseProtocol, Reason: breach.Error()})
	default:
		s.set.log.Debug("stream lost its connection", "stream", shortID(s.id), "error", err)
		if cause := s.end.suspend(s); cause != nil {
			s.finish(cause)
		}
	}
}

// detach takes the link away, so that the number of received bytes stays as it
// is until attach.
func (s *Stream) detach() (received uint64, cause *CloseError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken(s.link, errReplaced)
	if s.done {
		return 0, s.cause
	}
	return s.received, nil
}

// attach gives the stream a new link to a peer that has received peer bytes,
// and sends what it lacks. The caller holds s.resuming.
func (s *Stream) attach(l *link, peer uint64) error {
	s.wire.Lock()
	runs, err := s.relink(l, peer)
	if err != nil {
		s.wire.Unlock()
		l.abort()
		return err
	}
	err = l.writeControl(frameAck, s.lastAck())
	for _, run := range runs {
		if err == nil {
			err = l.write(run)
		}
	}
	s.mu.Lock()
	s.unpin()
	if err != nil {
		s.broken(l, err)
	}
	closed := s.closed
	s.mu.Unlock()
	s.wire.Unlock()
	if closed && !s.redials {
		s.linger()
	}
	return err
}

// relink puts the link in place and returns what is to be sent again, pinned.
func (s *Stream) relink(l *link, peer uint64) ([][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return nil, net.ErrClosed
	}
	if !s.out.rewind(peer, s.delivered) {
		err := fmt.Errorf("the peer has %d bytes, of %d sent", peer, s.out.sent)
		s.finish(&CloseError{Code: CloseProtocol, Reason: err.Error()})
		return nil, err
	}
	s.link = l
	s.local, s.remote = l.conn.LocalAddr(), l.conn.RemoteAddr()
	s.keep.fresh()
	if s.closed {
		s.interrupt()
	}
	s.out.pins++
	var runs [][]byte
	for c := s.out.head; c != nil; c = c.next {
		runs = append(runs, c.bytes())
	}
	s.end.resumed(s)
	s.change.Broadcast()
	return runs, nil
}

func (s *Stream) lastAck() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ackSent = s.delivered
	return s.ackSent
}

// shortID is the part of an id that may stand in a log.
func shortID(id string) string { return id[:min(len(id), 12)] }
