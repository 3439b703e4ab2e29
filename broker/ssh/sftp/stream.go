package sftp

import (
	"encoding/binary"
	"fmt"
	"io"
)

const (
	smallBuffer = 36 << 10           // holds what clients send while they do not transfer
	largeBuffer = 2*maxFrame + 1<<10 // several frames for one write
	quietReads  = 64                 // until a large buffer is given up
)

// stream cuts what a reader gives into frames. Frames that pass stay where they
// are, so that many of them leave in one write.
type stream struct {
	src     io.Reader
	buf     []byte
	passed  int // where the frames that pass but were not taken yet begin
	next    int // where the frame that nobody saw yet begins
	end     int
	quiet   int // reads in a row that a small buffer would have held
	whoRead string
}

func newStream(src io.Reader, who string) *stream {
	return &stream{src: src, buf: make([]byte, smallBuffer), whoRead: who}
}

// peek gives the next frame, or nil where it is not whole yet.
func (s *stream) peek() (frame, error) {
	have := s.buf[s.next:s.end]
	if len(have) < headerLen {
		return nil, nil
	}
	n := binary.BigEndian.Uint32(have)
	if n < minRequest-headerLen || n > maxMessage {
		return nil, fmt.Errorf("the SFTP %s sent a packet of %d bytes; %d to %d are understood", s.whoRead, n, minRequest-headerLen, maxMessage)
	}
	if uint64(len(have)) < headerLen+uint64(n) {
		return nil, nil
	}
	return have[: headerLen+n : headerLen+n], nil
}

// pass lets the frame of peek leave with the next take.
func (s *stream) pass(f frame) { s.next += len(f) }

// take gives all frames that passed since the last take. They are valid until
// the next fill.
func (s *stream) take() []byte {
	b := s.buf[s.passed:s.next]
	s.passed = s.next
	return b
}

// drop leaves the frame of peek out. Everything before it must have been taken.
func (s *stream) drop(f frame) {
	s.next += len(f)
	s.passed = s.next
}

// fill reads more. Everything that passed must have been taken. io.EOF in the
// midst of a frame is io.ErrUnexpectedEOF.
func (s *stream) fill() error {
	s.room()
	n, err := s.src.Read(s.buf[s.end:])
	s.end += n
	if n > 0 {
		return nil // an error comes again with the next read
	}
	if err == io.EOF && s.next < s.end {
		return fmt.Errorf("the SFTP %s ended within a packet: %w", s.whoRead, io.ErrUnexpectedEOF)
	}
	return err
}

// room moves what is left to the front and makes the buffer as large as the
// traffic wants: large once it fills, small again after some quiet reads.
func (s *stream) room() {
	left := s.end - s.next
	if left == 0 && s.end <= smallBuffer/2 {
		s.quiet++
	} else {
		s.quiet = 0
	}
	buf := s.buf
	switch {
	case len(buf) == smallBuffer && s.end == len(buf):
		buf = make([]byte, largeBuffer)
	case len(buf) == largeBuffer && s.quiet > quietReads:
		buf = make([]byte, smallBuffer)
	case left > 0 && len(buf)-s.end > maxFrame/4:
		return // there is room enough: move less often
	}
	copy(buf, s.buf[s.next:s.end])
	s.buf, s.passed, s.next, s.end = buf, 0, 0, left
}
