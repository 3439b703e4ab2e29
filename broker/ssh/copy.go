package ssh

import (
	"io"
	"sync"
)

// The sizes of buffers: idle streams, of which there are many, have a small
// one, and borrow a large one while bytes come faster.
const (
	smallBuffer = 1 << 10
	largeBuffer = 128 << 10
)

// buffers lends large buffers. The zero value is ready.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *[largeBuffer]byte {
	if p, ok := b.pool.Get().(*[largeBuffer]byte); ok {
		return p
	}
	return new([largeBuffer]byte)
}

func (b *buffers) put(p *[largeBuffer]byte) { b.pool.Put(p) }

// pour copies until src ends, which is no error, or dst fails.
func (b *buffers) pour(dst io.Writer, src io.Reader) error {
	small := make([]byte, smallBuffer)
	for {
		n, err := transfer(dst, src, small)
		if err == nil && n == len(small) {
			err = b.gush(dst, src)
		}
		if err == io.EOF { //nolint:errorlint // as io.Reader gives it
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// gush copies with a large buffer for as long as it pays.
func (b *buffers) gush(dst io.Writer, src io.Reader) error {
	large := b.get()
	defer b.put(large)
	for {
		n, err := transfer(dst, src, large[:])
		if err != nil || n < smallBuffer {
			return err
		}
	}
}

func transfer(dst io.Writer, src io.Reader, buf []byte) (int, error) {
	n, err := src.Read(buf)
	if n == 0 {
		return 0, err
	}
	_, werr := dst.Write(buf[:n])
	if werr != nil {
		return n, werr
	}
	return n, err
}
