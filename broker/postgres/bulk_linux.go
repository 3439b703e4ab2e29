package postgres

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hoop/tunnel/socket"
)

const (
	// bulkAfter is how much of one result must have come before more is awaited
	// at once: PostgreSQL sends 8 KiB at a time, and each wakes every hop.
	bulkAfter = 128 << 10
	bulkBytes = 64 << 10
	// bulkWait is the most that the tail of a result can be held up.
	bulkWait = 2 * time.Millisecond
)

// wire is a target's socket, beneath TLS. During a large result it reads far
// ahead of TLS, which asks for one record after the other. It never looks at
// what it carries.
type wire struct {
	net.Conn
	raw    syscall.RawConn
	lender *buffers

	ahead    bool   // read ahead, and never wait
	asked    bool   // the socket was read since the last fill
	held     []byte // read ahead, nil where all of it was taken
	from, to int
	try      func(fd uintptr)
	err      error
}

// newWire gives c itself where it is no socket.
func newWire(c net.Conn, lender *buffers) net.Conn {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return c
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return c
	}
	w := &wire{Conn: socket.New(c), raw: raw, lender: lender}
	w.try = func(fd uintptr) { w.to, w.err = socket.TryRead(fd, w.held) }
	return w
}

// SyscallConn gives the socket.
func (w *wire) SyscallConn() (syscall.RawConn, error) { return w.raw, nil }

// errNothing is temporary in the sense of crypto/tls, which then keeps its
// state and reads on later.
type errNothing struct{}

func (errNothing) Error() string   { return "nothing has arrived" }
func (errNothing) Timeout() bool   { return true }
func (errNothing) Temporary() bool { return true }

// Read gives what was read ahead before anything else.
func (w *wire) Read(p []byte) (int, error) {
	if w.held == nil {
		if !w.ahead {
			return w.Conn.Read(p)
		}
		if err := w.load(); err != nil {
			return 0, err
		}
	}
	n := copy(p, w.held[w.from:w.to])
	if w.from += n; w.from == w.to {
		w.drop()
	}
	return n, nil
}

func (w *wire) drop() {
	w.lender.put(w.held)
	w.held = nil
}

// load reads from the socket, once for each fill.
func (w *wire) load() error {
	if w.asked {
		return errNothing{}
	}
	w.asked = true
	w.held, w.from, w.to = w.lender.get(targetBuffer), 0, 0
	err := w.raw.Control(w.try)
	switch {
	case err != nil:
	case w.err == syscall.EAGAIN:
		err = errNothing{}
	case w.err != nil:
		err = os.NewSyscallError("read", w.err)
	case w.to == 0:
		err = io.EOF
	}
	if err != nil {
		w.drop()
	}
	return err
}

// bulk lets large results arrive in large pieces, through SO_RCVLOWAT on the
// socket.
type bulk struct {
	wire *wire // nil where there is no socket
	full bool  // the last fill left something behind
	seen int   // bytes of the result so far
}

func newBulk(c syscall.Conn) bulk {
	w, _ := c.(*wire)
	return bulk{wire: w}
}

func (b *bulk) mode() bool { return b.wire != nil && b.wire.ahead }

// count notes bytes of a result.
func (b *bulk) count(n int) {
	b.seen += n
	if b.wire != nil && !b.wire.ahead && b.seen >= bulkAfter {
		b.full, b.wire.ahead = true, b.lowat(bulkBytes)
	}
}

// end goes back to bytes as they come, at the end of a result.
func (b *bulk) end() {
	b.seen = 0
	if b.mode() {
		b.wire.ahead = false
		b.lowat(1)
	}
}

func (b *bulk) lowat(n int) bool {
	var serr error
	err := b.wire.raw.Control(func(fd uintptr) {
		serr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, n)
	})
	return err == nil && serr == nil
}

// wait blocks until much is there, or until bulkWait has passed: then whatever
// is there will do, and where nothing is, bulk mode ends. It moves the read
// deadline.
func (b *bulk) wait() error {
	if b.full || b.wire.held != nil {
		return nil
	}
	if err := b.wire.SetReadDeadline(time.Now().Add(bulkWait)); err != nil {
		return err
	}
	n := 0
	err := b.wire.raw.Read(func(fd uintptr) bool {
		n = queued(fd)
		return n >= bulkBytes
	})
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if n = 0; b.wire.raw.Control(func(fd uintptr) { n = queued(fd) }) != nil || n == 0 {
		b.end()
	}
	return nil
}

// fill reads from src, which stands on the wire, without waiting.
func (b *bulk) fill(src net.Conn, into []byte) (n int, err error) {
	b.wire.asked = false
	for n < len(into) && err == nil {
		var m int
		m, err = src.Read(into[n:])
		n += m
	}
	b.full = err == nil
	if n > 0 || nothing(err) { // an error comes again
		return n, nil
	}
	return 0, err
}

func nothing(err error) bool {
	var none errNothing
	return errors.As(err, &none)
}

// queued is how many bytes wait in the socket.
func queued(fd uintptr) int {
	n, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ)
	if err != nil {
		return bulkBytes // let the read find out
	}
	return n
}
