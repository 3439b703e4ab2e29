package tunnel

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// side names who reads frames from the link. Only one does at a time: a Read, a
// Write that waits for acknowledgements, a Close, or the keep-alive.
type side uint8

const (
	nobody side = iota
	readSide
	writeSide
	closeSide
	tickSide
)

// Stream is a net.Conn that survives the loss of the network connection under
// it. One Read, one Write and any number of the other methods may run at the
// same time. A Stream has no goroutine of its own: Read reads frames, Write
// writes them, and timers do the rest.
type Stream struct {
	id     string
	header http.Header
	set    *settings
	end    endpoint

	writer sync.Mutex // held by one Write from start to end
	wire   sync.Mutex // held while frames go over the link

	mu      sync.Mutex // guards everything below; never held while waiting for the network
	change  *sync.Cond
	waiting int
	link    *link
	pumping side
	local   net.Addr
	remote  net.Addr

	in        inbox
	out       outbox
	received  uint64 // sequenced bytes that arrived
	delivered uint64 // … that the application took
	ackSent   uint64
	ctl       []byte // the payload of FIN or CLOSE, as it arrives

	readDeadline  time.Time
	writeDeadline time.Time
	writing       *link // has the write deadline set on it

	finSent, finReceived bool
	closed               bool        // Close was called here
	cause                *CloseError // why the stream ended; nil while it lives
	farewell             CloseError  // what Close said
	done                 bool        // nothing more happens
	cut                  error       // what broke the last link
	cuts                 uint64      // how many links broke

	ackArmed bool
	ackTimer *time.Timer
	keep     keepalive

	resuming sync.Mutex     // held by the one attempt to resume
	redials  bool           // this side brings the link back
	tasks    sync.WaitGroup // the goroutine that does
}

// endpoint is what a Stream needs from the Dialer or Server that made it. Its
// methods are called with the stream's lock held and must not wait.
type endpoint interface {
	// suspend is told that the link broke; a reason means that the stream may
	// not be resumed.
	suspend(s *Stream) *CloseError
	// resumed is told that there is a link again.
	resumed(s *Stream)
	// ended is told once that the stream is over.
	ended(s *Stream)
}

func newStream(id string, set *settings, end endpoint, l *link) *Stream {
	s := &Stream{id: id, set: set, end: end, link: l}
	s.change = sync.NewCond(&s.mu)
	s.in.pool, s.out.pool = &set.pool, &set.pool
	s.local, s.remote = l.conn.LocalAddr(), l.conn.RemoteAddr()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ackTimer = time.AfterFunc(time.Hour, s.flushAck)
	s.ackTimer.Stop()
	s.keep.start(s)
	return s
}

// ID names the stream to the broker. It is a secret: who holds it and the
// owner's identity may take the stream over.
func (s *Stream) ID() string { return s.id }

// Header is what the broker answered when the stream was opened; nil on the
// broker's side.
func (s *Stream) Header() http.Header { return s.header }

// LocalAddr is the local address of the first or latest network connection.
func (s *Stream) LocalAddr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.local
}

// RemoteAddr is the remote address of the first or latest network connection.
func (s *Stream) RemoteAddr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remote
}

// wait sleeps until something changes or the deadline passes. It is called
// with the lock held, and holds it again when it returns.
func (s *Stream) wait(deadline time.Time) {
	if !deadline.IsZero() {
		t := time.AfterFunc(time.Until(deadline), s.wake)
		defer t.Stop()
	}
	s.waiting++
	s.change.Wait()
	s.waiting--
}

func (s *Stream) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.change.Broadcast()
}

// changed wakes whoever waits. The lock is held.
func (s *Stream) changed() {
	if s.waiting > 0 {
		s.change.Broadcast()
	}
}
