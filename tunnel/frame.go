package tunnel

import (
	"encoding/binary"
	"fmt"
)

const (
	headerSize = 12
	maxPayload = 256 << 10
	maxReason  = 1 << 10
	maxClose   = 2 + maxReason
)

type frameType byte

const (
	frameData frameType = 1 + iota
	frameFin
	frameClose
	frameAck
	framePing
	framePong
)

// limit is the longest payload that a frame of this type may have.
func (t frameType) limit() int {
	switch t {
	case frameData:
		return maxPayload
	case frameFin:
		return 1
	case frameClose:
		return maxClose
	default:
		return 0
	}
}

func putHeader(b []byte, t frameType, n int, ack uint64) {
	binary.BigEndian.PutUint32(b, uint32(t)<<24|uint32(n))
	binary.BigEndian.PutUint64(b[4:], ack)
}

// parseHeader checks what putHeader wrote. A sequenced frame without payload
// would be invisible to the acknowledgements, so it is an error too.
func parseHeader(b []byte) (t frameType, n int, ack uint64, err error) {
	word := binary.BigEndian.Uint32(b)
	t, n = frameType(word>>24), int(word&0xffffff)
	if t < frameData || t > framePong {
		return 0, 0, 0, fmt.Errorf("frame of unknown type %d", t)
	}
	if n > t.limit() || (n == 0 && t.limit() > 0) {
		return 0, 0, 0, fmt.Errorf("frame of type %d with %d bytes", t, n)
	}
	return t, n, binary.BigEndian.Uint64(b[4:]), nil
}
