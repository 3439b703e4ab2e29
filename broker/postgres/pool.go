package postgres

import "sync"

// The sizes of read buffers. A target answers with much, a client asks little.
const (
	targetBuffer = 128 << 10
	clientBuffer = 16 << 10
	// keepOutput is the largest output buffer that a flow keeps after a flush,
	// in sizes of its read buffer: what was read once, masked, fits. It goes
	// when the flow is idle.
	keepOutput = 3
	// keepScratch is the most that is kept for one value.
	keepScratch = 64 << 10
)

// buffers lends read buffers to flows that are not idle.
type buffers struct{ small, large sync.Pool }

func (b *buffers) get(size int) []byte {
	if pool := b.pool(size); pool != nil {
		if p, ok := pool.Get().(*[]byte); ok {
			return *p
		}
	}
	return make([]byte, size)
}

// put takes a buffer back; one that was grown for a large frame is let go.
func (b *buffers) put(buf []byte) {
	if p := b.pool(cap(buf)); p != nil {
		buf = buf[:cap(buf)]
		p.Put(&buf)
	}
}

func (b *buffers) pool(size int) *sync.Pool {
	switch size {
	case clientBuffer:
		return &b.small
	case targetBuffer:
		return &b.large
	default:
		return nil
	}
}
