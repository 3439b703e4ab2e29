//go:build unix

package tunnel

import (
	"io"
	"os"
	"syscall"

	"hoop/tunnel/socket"
)

// awaitsReadable: the poller wakes a read when bytes are there, and only then
// is a buffer borrowed.
const awaitsReadable = true

// tryRead is called by the poller with a socket that may be readable. False
// means: wait and call again.
func (b *bufferedConn) tryRead(fd uintptr) bool {
	c := b.pool.get(sizeRead)
	n, err := socket.TryRead(fd, c.buf)
	if n > 0 {
		c.w = n
		b.in = c
		return true
	}
	b.pool.put(c)
	switch {
	case err == syscall.EAGAIN:
		return false
	case err != nil:
		b.load.err = os.NewSyscallError("read", err)
	default:
		b.load.err = io.EOF
	}
	return true
}
