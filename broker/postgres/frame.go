package postgres

import (
	"encoding/binary"
	"fmt"
)

// headerSize is one byte of type and four of length, which counts itself
// (PostgreSQL "Message Formats").
const headerSize = 5

// frameSize reads the header at the start of b and gives the type and the size
// of the whole frame. The size is 0 while the header is not complete.
func frameSize(b []byte) (kind byte, size int, err error) {
	if len(b) < headerSize {
		return 0, 0, nil
	}
	n := binary.BigEndian.Uint32(b[1:])
	if n < 4 || n > 1<<31-2 {
		return b[0], 0, fmt.Errorf("%w: a message of length %d", errProtocol, n)
	}
	return b[0], int(n) + 1, nil
}

// startFrame begins a frame at the end of dst; endFrame fills its length in.
func startFrame(dst []byte, kind byte) (out []byte, at int) {
	return append(dst, kind, 0, 0, 0, 0), len(dst)
}

func endFrame(dst []byte, at int) []byte {
	binary.BigEndian.PutUint32(dst[at+1:], uint32(len(dst)-at-1))
	return dst
}
