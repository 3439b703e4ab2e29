package socket

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// conn is a socket that is read and written directly. The other methods are the
// conn's own; deadlines hold, because Go's poller does the waiting.
type conn struct {
	net.Conn
	raw syscall.RawConn

	reading, writing sync.Mutex
	in, out          transfer
}

// socketConn is what *net.TCPConn and *net.UnixConn are.
type socketConn interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}

func wrap(c net.Conn) net.Conn {
	if _, ok := c.(*conn); ok {
		return c
	}
	s, ok := c.(socketConn)
	if !ok {
		return c
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return c
	}
	w := &conn{Conn: c, raw: raw}
	w.in.try, w.out.try = w.in.read, w.out.write
	return w
}

// transfer is one Read or Write under way. Its func is made once, so that none
// is made for each call.
type transfer struct {
	try func(fd uintptr) bool
	p   []byte
	n   int
	err error
}

// read is called by the poller with a socket that may be readable. False means:
// wait and call again.
func (t *transfer) read(fd uintptr) bool {
	t.n, t.err = TryRead(fd, t.p)
	return t.err != syscall.EAGAIN
}

func (t *transfer) write(fd uintptr) bool {
	for t.n < len(t.p) {
		n, err := call(syscall.SYS_WRITE, fd, t.p[t.n:])
		if err != nil {
			t.err = err
			return err != syscall.EAGAIN
		}
		t.n += n
	}
	t.err = nil
	return true
}

// Read reads what has arrived, waiting for the first byte of it.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	t := &c.in
	t.p, t.n, t.err = p, 0, nil
	err := c.raw.Read(t.try)
	t.p = nil
	switch {
	case err != nil: // a deadline, or closed
		return 0, err
	case t.err != nil:
		return 0, c.failed("read", t.err)
	case t.n == 0:
		return 0, io.EOF
	}
	return t.n, nil
}

// Write writes all of p.
func (c *conn) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	t := &c.out
	t.p, t.n, t.err = p, 0, nil
	err := c.raw.Write(t.try)
	t.p = nil
	if err == nil && t.err != nil {
		err = c.failed("write", t.err)
	}
	return t.n, err
}

// CloseWrite ends one direction.
func (c *conn) CloseWrite() error { return c.Conn.(socketConn).CloseWrite() } //nolint:forcetypeassert // wrap has checked

// SyscallConn gives the socket, for its options.
func (c *conn) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }

// failed words an error as package net does.
func (c *conn) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(),
		Err: os.NewSyscallError(op, err)}
}

// TryRead reads once from a socket that does not block: 0 without error is its
// end, syscall.EAGAIN that there is nothing. p must not be empty.
func TryRead(fd uintptr, p []byte) (int, error) { return call(syscall.SYS_READ, fd, p) }

func call(number, fd uintptr, p []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
