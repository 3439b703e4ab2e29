//go:build !linux

package postgres

import (
	"net"
	"syscall"
)

// newWire does nothing where a socket cannot be told to wait for more.
func newWire(c net.Conn, _ *buffers) net.Conn { return c }

// bulk does nothing there either.
type bulk struct{}

func newBulk(syscall.Conn) bulk                  { return bulk{} }
func (*bulk) count(int)                          {}
func (*bulk) end()                               {}
func (*bulk) wait() error                        { return nil }
func (*bulk) fill(net.Conn, []byte) (int, error) { return 0, nil }
func (*bulk) mode() bool                         { return false }
