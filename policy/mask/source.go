package mask

import (
	"bytes"
	"context"
	"io"
	"time"
)

// source reads an input in the background, so that whoever waits for more of
// it can stop waiting.
type source struct {
	ctx    context.Context
	chunks <-chan chunk
	spent  chan<- []byte // buffers to read into
	now    chunk         // what Read has not given away yet
	idle   func()        // called by Read before it waits
}

// chunk is one read: bytes, or why there are no more.
type chunk struct {
	text   []byte
	buffer []byte
	err    error
}

const sourceBuffers = 2 // one to read into, one to work on

// newSource starts to read. The goroutine ends with the input, or after the
// read that is under way when ctx is done: a read cannot be called off.
func newSource(ctx context.Context, in io.Reader) *source {
	chunks, spent := make(chan chunk), make(chan []byte, sourceBuffers)
	for range sourceBuffers {
		spent <- make([]byte, filterChunk)
	}
	go func() {
		for err := error(nil); err == nil; {
			err = readChunk(ctx, in, chunks, spent)
		}
	}()
	return &source{ctx: ctx, chunks: chunks, spent: spent}
}

// readChunk reads once into a spent buffer. An error is the last.
func readChunk(ctx context.Context, in io.Reader, chunks chan<- chunk, spent <-chan []byte) error {
	select {
	case buffer := <-spent:
		n, err := in.Read(buffer)
		select {
		case chunks <- chunk{text: buffer[:n], buffer: buffer, err: err}:
			return err
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
	return ctx.Err()
}

// ready gives the next chunk if it has come already.
func (s *source) ready() (chunk, bool) {
	if len(s.now.text) > 0 || s.now.err != nil {
		return s.now, true
	}
	select {
	case c := <-s.chunks:
		return c, true
	default:
		return chunk{}, false
	}
}

// wait gives the next chunk; false means that the time was up first.
func (s *source) wait(due time.Time, limited bool) (chunk, bool) {
	var expired <-chan time.Time
	if limited {
		timer := time.NewTimer(time.Until(due))
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case c := <-s.chunks:
		return c, true
	case <-expired:
		return chunk{}, false
	case <-s.ctx.Done():
		return chunk{err: s.ctx.Err()}, true
	}
}

// done says that a chunk is not needed any more.
func (s *source) done(c chunk) {
	s.now = chunk{}
	if c.buffer != nil {
		s.spent <- c.buffer
	}
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	if len(s.now.text) == 0 && s.now.err == nil {
		var came bool
		if s.now, came = s.ready(); !came {
			s.idle()
			s.now, _ = s.wait(time.Time{}, false)
		}
	}
	n := copy(p, s.now.text)
	if s.now.text = s.now.text[n:]; len(s.now.text) > 0 {
		return n, nil
	}
	err := s.now.err
	if err == nil {
		s.done(s.now)
	}
	return n, err
}

// head gives the first line, or as much of it as a chunk holds, and leaves it
// to be read.
func (s *source) head() []byte {
	var head []byte
	for len(head) < filterChunk {
		c, _ := s.wait(time.Time{}, false)
		head = append(head, c.text...)
		if s.now.err = c.err; c.err != nil {
			break
		}
		s.spent <- c.buffer
		if bytes.IndexByte(c.text, '\n') >= 0 {
			break
		}
	}
	s.now.text = head
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return line
}
