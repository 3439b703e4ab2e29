package ssh

import (
	"net"
	"sync"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"hoop/tunnel/socket"
)

// x/crypto reads and writes through buffers of 4 KiB (bufio's default): a packet
// of 32 KiB costs two system calls each way. A bulkConn makes that fewer.
const (
	cryptoBuffer = 4 << 10
	// bulkBuffer holds the packets of one large write to a channel.
	bulkBuffer = largeBuffer + 4<<10
	maxPacket  = 32 << 10 // x/crypto's, of payload
	// stillBulk is what a large read must bring for the next one to be large.
	stillBulk = 8 << 10
	// holdTime is when what is held leaves though nothing followed it.
	holdTime = 200 * time.Microsecond
)

// bulkBuffers lends the buffers of bulkConns. The zero value is ready.
type bulkBuffers struct{ pool sync.Pool }

func (b *bulkBuffers) get() *[bulkBuffer]byte {
	if p, ok := b.pool.Get().(*[bulkBuffer]byte); ok {
		return p
	}
	return new([bulkBuffer]byte)
}

func (b *bulkBuffers) put(p *[bulkBuffer]byte) { b.pool.Put(p) }

// bulkConn stands under an SSH transport. It holds buffers only while many bytes
// come or go.
type bulkConn struct {
	net.Conn
	buffers *bulkBuffers

	// The reader's alone.
	bulk     bool // the last read was as large as it could be
	in       *[bulkBuffer]byte
	from, to int

	mu    sync.Mutex
	corks int // large writes to channels that are under way
	held  int // bytes in out
	out   *[bulkBuffer]byte
	timer *time.Timer
	err   error // of a write by the timer
}

func (b *bulkBuffers) newConn(c net.Conn) *bulkConn {
	return &bulkConn{Conn: socket.New(c), buffers: b}
}

// Read reads into p until p fills, and ahead from then on.
func (c *bulkConn) Read(p []byte) (int, error) {
	if c.in == nil {
		if !c.bulk {
			n, err := c.Conn.Read(p)
			c.bulk = n == len(p) && n >= cryptoBuffer
			return n, err
		}
		c.in = c.buffers.get()
	}
	if c.from == c.to {
		n, err := c.Conn.Read(c.in[:])
		c.from, c.to = 0, n
		c.bulk = n >= stillBulk
		if n == 0 {
			c.giveBack()
			return 0, err
		}
	}
	n := copy(p, c.in[c.from:c.to])
	c.from += n
	if c.from == c.to && !c.bulk {
		c.giveBack()
	}
	return n, nil
}

func (c *bulkConn) giveBack() {
	c.buffers.put(c.in)
	c.in = nil
}

// Write sends p. Exactly cryptoBuffer bytes are the beginning of a packet as
// x/crypto's buffer overflows, so that they wait for the rest, and while a large
// write to a channel is under way everything waits for more. It does not wait for
// long: the rest may not come before the peer has what is held.
func (c *bulkConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return 0, c.err
	case c.out == nil && len(p) < bulkBuffer && (c.corks > 0 || len(p) == cryptoBuffer):
		c.hold(p)
		return len(p), nil
	case c.out == nil:
		return c.Conn.Write(p)
	}
	joined := copy(c.out[c.held:], p)
	if c.held += joined; joined == len(p) && c.corks > 0 {
		return joined, nil
	}
	c.timer.Stop()
	if err := c.flush(); err != nil || joined == len(p) {
		return joined, err
	}
	n, err := c.Conn.Write(p[joined:])
	return joined + n, err
}

// cork begins a large write to a channel, and uncork ends it.
func (c *bulkConn) cork() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corks++
}

func (c *bulkConn) uncork() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.corks--; c.corks == 0 && c.out != nil && c.err == nil {
		c.timer.Stop()
		c.err = c.flush()
	}
}

// bulkChannel is a channel whose large writes leave in one piece.
type bulkChannel struct {
	gossh.Channel
	below *bulkConn
}

func (c bulkChannel) Write(p []byte) (int, error) {
	if len(p) <= maxPacket {
		return c.Channel.Write(p)
	}
	c.below.cork()
	defer c.below.uncork()
	return c.Channel.Write(p)
}

func (c *bulkConn) hold(p []byte) {
	c.out = c.buffers.get()
	c.held = copy(c.out[:], p)
	if c.timer == nil {
		c.timer = time.AfterFunc(holdTime, c.late)
		return
	}
	c.timer.Reset(holdTime)
}

// late sends what waited for long enough. Its error is that of the next Write.
func (c *bulkConn) late() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out != nil {
		c.err = c.flush()
	}
}

func (c *bulkConn) flush() error {
	_, err := c.Conn.Write(c.out[:c.held])
	c.buffers.put(c.out)
	c.out, c.held = nil, 0
	return err
}

// Close sends what is held, where nobody is in the midst of a Write, and closes.
func (c *bulkConn) Close() error {
	if c.mu.TryLock() {
		if c.out != nil {
			_ = c.Conn.SetWriteDeadline(time.Now().Add(holdTime))
			c.err = c.flush()
		}
		c.mu.Unlock()
	}
	return c.Conn.Close()
}
