//go:build unix && !linux

package socket

import (
	"net"
	"syscall"
)

func wrap(c net.Conn) net.Conn { return c }

// TryRead reads once from a socket that does not block: 0 without error is its
// end, syscall.EAGAIN that there is nothing. p must not be empty.
func TryRead(fd uintptr, p []byte) (int, error) {
	for {
		n, err := syscall.Read(int(fd), p)
		if err == nil {
			return n, nil
		}
		if err != syscall.EINTR {
			return 0, err
		}
	}
}
