package postgres

import (
	"encoding/binary"
	"io"
)

// Boundary passes on what a server sends to a client and knows where its
// messages end, so that whoever carries the bytes can add a last word where
// they stop coming. It is not safe for use by several goroutines.
type Boundary struct {
	w       io.Writer
	head    [5]byte // of the message that is under way
	have    int     // bytes of head
	body    int     // bytes of the message still to come
	started bool    // the server has sent a message, not only answers of one byte
	failed  bool
}

// NewBoundary makes a Boundary before w.
func NewBoundary(w io.Writer) *Boundary { return &Boundary{w: w} }

// Write passes p on.
func (b *Boundary) Write(p []byte) (int, error) {
	n, err := b.w.Write(p)
	b.failed = b.failed || err != nil
	b.walk(p[:n])
	return n, err
}

func (b *Boundary) walk(p []byte) {
	for len(p) > 0 {
		if b.body > 0 {
			n := min(b.body, len(p))
			b.body -= n
			p = p[n:]
			continue
		}
		// Answers to requests for encryption are one byte without a length
		// (PostgreSQL "SSL Session Encryption"); no session starts with a notice.
		if b.have == 0 && !b.started && p[0] == 'N' {
			p = p[1:]
			continue
		}
		n := copy(b.head[b.have:], p)
		b.have += n
		p = p[n:]
		if b.have == len(b.head) {
			b.started, b.have = true, 0
			b.body = int(binary.BigEndian.Uint32(b.head[1:])) - 4
		}
	}
}

// End writes a fatal error, where one can be understood: between two messages.
// It reports whether it did. code is an SQLSTATE; hint may be empty.
func (b *Boundary) End(code, message, hint string) bool {
	if b.failed || b.have > 0 || b.body != 0 {
		return false
	}
	_, err := b.w.Write(fatalFrame(code, message, hint))
	return err == nil
}
