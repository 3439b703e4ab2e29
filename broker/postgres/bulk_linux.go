package postgres

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// bulkAfter is how much of one result must have come before more is awaited
	// at once: PostgreSQL sends 8 KiB at a time, and each wakes every hop.
	bulkAfter = 128 << 10
	bulkBytes = 64 << 10
	// bulkWait is the most that the tail of a result can be held up.
	bulkWait = 2 * time.Millisecond
	// tlsRecord is more than any TLS record takes on the wire (RFC 8446 §5.2).
	tlsRecord = 5 + 1<<14 + 256
)

// bulk lets large results arrive in large pieces, through SO_RCVLOWAT on the
// socket beneath TLS. It counts bytes of the socket and looks at none.
type bulk struct {
	raw  syscall.RawConn // nil where there is no socket
	on   bool
	seen int // bytes of the result so far
}

func newBulk(c syscall.Conn) bulk {
	if c == nil {
		return bulk{}
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return bulk{}
	}
	return bulk{raw: raw}
}

// count notes bytes of a result.
func (b *bulk) count(n int) {
	b.seen += n
	if !b.on && b.raw != nil && b.seen >= bulkAfter {
		b.on = b.lowat(bulkBytes)
	}
}

// end goes back to bytes as they come, at the end of a result.
func (b *bulk) end() {
	b.seen = 0
	if b.on {
		b.on = false
		b.lowat(1)
	}
}

func (b *bulk) lowat(n int) bool {
	var serr error
	err := b.raw.Control(func(fd uintptr) {
		serr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, n)
	})
	return err == nil && serr == nil
}

// wait blocks until much is there or bulkWait has passed, which ends bulk mode.
// It moves the read deadline of src.
func (b *bulk) wait(src interface{ SetReadDeadline(time.Time) error }) error {
	if !b.on {
		return nil
	}
	if err := src.SetReadDeadline(time.Now().Add(bulkWait)); err != nil {
		return err
	}
	err := b.raw.Read(func(fd uintptr) bool { return queued(fd) >= bulkBytes })
	if errors.Is(err, os.ErrDeadlineExceeded) {
		b.end()
		return nil
	}
	return err
}

// more reports whether another read would not wait, with TLS or without.
func (b *bulk) more() bool {
	if !b.on {
		return false
	}
	n := 0
	err := b.raw.Control(func(fd uintptr) { n = queued(fd) })
	return err == nil && n >= tlsRecord
}

// queued is how many bytes wait in the socket.
func queued(fd uintptr) int {
	n, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ)
	if err != nil {
		return bulkBytes // let the read find out
	}
	return n
}

func (b *bulk) mode() bool { return b.on }
