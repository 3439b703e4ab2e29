//go:build !linux

package postgres

import (
	"syscall"
	"time"
)

// bulk does nothing where a socket cannot be told to wait for more.
type bulk struct{}

func newBulk(syscall.Conn) bulk                                        { return bulk{} }
func (*bulk) count(int)                                                {}
func (*bulk) end()                                                     {}
func (*bulk) wait(interface{ SetReadDeadline(time.Time) error }) error { return nil }
func (*bulk) more() bool                                               { return false }
func (*bulk) mode() bool                                               { return false }
