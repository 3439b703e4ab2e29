package tunnel

import (
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

// maxRecord is the most plaintext in one TLS record (RFC 8446 §5.1).
const maxRecord = 16 << 10

// link is one network connection under a stream, with the state of the frame
// that is being read from it. A frame may be read in any number of pieces.
type link struct {
	conn     net.Conn
	buf      *bufferedConn // under conn, or conn itself
	prefix   []byte        // what came together with the HTTP upgrade
	deadline time.Time     // the read deadline set on conn

	hdr    [headerSize]byte
	have   int // bytes of hdr that were read
	typ    frameType
	remain int // payload bytes of this frame not read yet

	scratch [headerSize]byte // for writing, under the wire lock
}

func newLink(conn net.Conn, prefix []byte, pool *buffers) *link {
	l := &link{conn: conn, prefix: prefix}
	switch c := conn.(type) {
	case *tls.Conn:
		l.buf, _ = c.NetConn().(*bufferedConn)
	case *bufferedConn:
		l.buf = c
	default:
		l.buf = newBufferedConn(conn, pool)
		l.conn = l.buf
	}
	return l
}

// burst is what one fill found.
type burst struct {
	n     int       // payload bytes of DATA, now in the caller's buffer
	ctl   int       // payload bytes of FIN or CLOSE, now in the control buffer
	ended frameType // FIN or CLOSE once it is complete
	ack   uint64
	acked bool
	ping  bool
}

// protocolError is a frame that breaks the format.
type protocolError struct{ err error }

func (e *protocolError) Error() string { return "tunnel protocol: " + e.err.Error() }
func (e *protocolError) Unwrap() error { return e.err }

// fill waits for something to happen on the link and then takes, without
// waiting, what has arrived already. DATA goes to p, FIN and CLOSE to ctl. With
// an empty p it stops before the first byte of DATA.
func (l *link) fill(p, ctl []byte) (b burst, err error) {
	defer l.wait()
	for {
		switch {
		case l.remain == 0:
			err = l.header(&b)
		case l.typ == frameData:
			if b.n == len(p) {
				return b, nil
			}
			var n int
			n, err = l.read(p[b.n:min(len(p), b.n+l.remain)])
			l.remain -= n
			b.n += n
		case b.n > 0 || len(ctl) == 0:
			return b, nil // DATA is handed over before what follows it
		default:
			return b, l.control(&b, ctl)
		}
		if err != nil && (b.n > 0 || b.acked) && isWouldBlock(err) {
			return b, nil
		}
		if err != nil || !l.more() {
			return b, err
		}
		l.nowait()
	}
}

// more reports whether another read may succeed without waiting.
func (l *link) more() bool {
	return len(l.prefix) > 0 || l.buf != nil && (l.buf.buffered() || l.conn != l.buf && l.remain > 0)
}

func (l *link) nowait() {
	if l.buf != nil {
		l.buf.nowait = true
	}
}

func (l *link) wait() {
	if l.buf != nil {
		l.buf.nowait = false
	}
}

func (l *link) read(p []byte) (int, error) {
	if len(l.prefix) > 0 {
		n := copy(p, l.prefix)
		if l.prefix = l.prefix[n:]; len(l.prefix) == 0 {
			l.prefix = nil
		}
		return n, nil
	}
	return l.conn.Read(p)
}

func (l *link) header(b *burst) error {
	for l.have < headerSize {
		n, err := l.read(l.hdr[l.have:])
		l.have += n
		if err != nil {
			return err
		}
	}
	t, size, ack, err := parseHeader(l.hdr[:])
	if err != nil {
		return &protocolError{err}
	}
	l.have, l.typ, l.remain = 0, t, size
	b.ack, b.acked = max(b.ack, ack), true
	b.ping = b.ping || t == framePing
	return nil
}

func (l *link) control(b *burst, ctl []byte) error {
	if l.remain > len(ctl) {
		return &protocolError{fmt.Errorf("control frame longer than %d bytes", maxClose)}
	}
	n, err := l.read(ctl[:l.remain])
	l.remain -= n
	b.ctl = n
	if l.remain == 0 {
		b.ended = l.typ
	}
	return err
}

// write sends whole frames in one system call. The caller holds the wire lock.
func (l *link) write(b []byte) error {
	if l.buf == nil || l.buf == l.conn || len(b) <= maxRecord {
		_, err := l.conn.Write(b)
		return err
	}
	l.buf.cork()
	_, err := l.conn.Write(b)
	if ferr := l.buf.uncork(); err == nil {
		err = ferr
	}
	return err
}

func (l *link) writeControl(t frameType, ack uint64) error {
	putHeader(l.scratch[:], t, 0, ack)
	return l.write(l.scratch[:])
}

// setReadDeadline is called under the stream's lock.
func (l *link) setReadDeadline(t time.Time) {
	if l.deadline != t {
		l.deadline = t
		_ = l.conn.SetReadDeadline(t)
	}
}

// abort closes the network connection without the farewell of TLS, which may
// block; CLOSE says goodbye in this protocol.
func (l *link) abort() {
	if l.buf != nil {
		_ = l.buf.Close()
		return
	}
	_ = l.conn.Close()
}
