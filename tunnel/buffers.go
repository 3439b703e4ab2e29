package tunnel

import "sync"

// The sizes of pooled buffers: a few small messages, a common copy buffer with
// its header, one read from a busy socket, the largest frame with the records
// that TLS makes of it.
const (
	sizeSmall  = 4 << 10
	sizeMedium = 66 << 10
	sizeRead   = 130 << 10
	sizeLarge  = 260 << 10
)

// chunk is a buffer with the part of it that is in use.
type chunk struct {
	buf  []byte
	r, w int
	// start and end are the sequence numbers of the first byte held and of the
	// first byte after: used by the outbox only.
	start, end uint64
	next       *chunk
}

func (c *chunk) bytes() []byte { return c.buf[c.r:c.w] }

// buffers lends chunks. Its zero value is ready for use by many streams.
type buffers struct {
	small, medium, read, large sync.Pool
}

func (b *buffers) pool(size int) (*sync.Pool, int) {
	switch {
	case size <= sizeSmall:
		return &b.small, sizeSmall
	case size <= sizeMedium:
		return &b.medium, sizeMedium
	case size <= sizeRead:
		return &b.read, sizeRead
	default:
		return &b.large, sizeLarge
	}
}

// get lends a chunk of at least size bytes, which is at most sizeLarge.
func (b *buffers) get(size int) *chunk {
	p, n := b.pool(size)
	if c, ok := p.Get().(*chunk); ok {
		return c
	}
	return &chunk{buf: make([]byte, n)}
}

func (b *buffers) put(c *chunk) {
	p, _ := b.pool(len(c.buf))
	*c = chunk{buf: c.buf}
	p.Put(c)
}
