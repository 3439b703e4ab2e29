package tunnel

import (
	"net"
	"os"
	"sync"
	"syscall"

	"hoop/tunnel/socket"
)

// bufferedConn stands under TLS, which reads in small pieces and writes each
// 16 KiB record by itself. It reads whatever has arrived at once, into a buffer
// that it borrows only while there is something to hold, and joins the writes
// between cork and uncork. It never looks at what it carries: TLS may hold the
// start of a record already.
type bufferedConn struct {
	net.Conn
	pool *buffers
	raw  syscall.RawConn // nil: no way to wait without a buffer
	in   *chunk
	// nowait makes Read fail with errWouldBlock rather than wait. It belongs to
	// the reader.
	nowait bool
	load   loader

	mu     sync.Mutex // guards the write side
	corked bool
	out    *chunk
}

// loader is one attempt to read from the socket; its func is made once.
type loader struct {
	try func(fd uintptr) bool
	err error
}

// wouldBlock is temporary in the sense of crypto/tls, which then keeps its
// state and reads on later.
type wouldBlock struct{}

func (wouldBlock) Error() string   { return "nothing buffered" }
func (wouldBlock) Timeout() bool   { return true }
func (wouldBlock) Temporary() bool { return true }
func (wouldBlock) Unwrap() error   { return os.ErrDeadlineExceeded }

func isWouldBlock(err error) bool {
	_, ok := err.(wouldBlock)
	if op, isOp := err.(*net.OpError); isOp {
		_, ok = op.Err.(wouldBlock)
	}
	return ok
}

func newBufferedConn(c net.Conn, pool *buffers) *bufferedConn {
	b := &bufferedConn{Conn: socket.New(c), pool: pool}
	if sc, ok := c.(syscall.Conn); ok {
		b.raw, _ = sc.SyscallConn()
	}
	b.load.try = b.tryRead
	return b
}

func (b *bufferedConn) buffered() bool { return b.in != nil }

// Read copies from the buffer, which it fills when it is empty.
func (b *bufferedConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if b.in == nil {
		if b.nowait {
			return 0, wouldBlock{}
		}
		if b.raw == nil || !awaitsReadable {
			return b.Conn.Read(p)
		}
		if err := b.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.in.bytes())
	if b.in.r += n; b.in.r == b.in.w {
		b.pool.put(b.in)
		b.in = nil
	}
	return n, nil
}

func (b *bufferedConn) fill() error {
	b.load.err = nil
	if err := b.raw.Read(b.load.try); err != nil {
		return err
	}
	return b.load.err
}

// Write sends p, or keeps it while corked.
func (b *bufferedConn) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.corked {
		return b.Conn.Write(p)
	}
	if b.out == nil {
		b.out = b.pool.get(sizeLarge)
	}
	if len(b.out.buf)-b.out.w < len(p) {
		if err := b.flush(); err != nil {
			return 0, err
		}
	}
	if len(p) > len(b.out.buf) {
		return b.Conn.Write(p)
	}
	b.out.w += copy(b.out.buf[b.out.w:], p)
	return len(p), nil
}

func (b *bufferedConn) flush() error {
	_, err := b.Conn.Write(b.out.bytes())
	b.out.w = 0
	return err
}

func (b *bufferedConn) cork() {
	b.mu.Lock()
	b.corked = true
	b.mu.Unlock()
}

func (b *bufferedConn) uncork() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.corked = false
	if b.out == nil {
		return nil
	}
	err := b.flush()
	b.pool.put(b.out)
	b.out = nil
	return err
}
