package tunnel

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
)

// Relay carries bytes between a local conn and a stream until both directions
// have ended, or one has failed, and closes both. An idle relay holds no
// buffers. The error is nil after an ordinary end; a *CloseError says why the
// broker ended the stream.
func Relay(local net.Conn, s *Stream) error {
	var up, down error
	var both sync.WaitGroup
	both.Go(func() {
		if _, up = s.ReadFrom(local); up == nil {
			up = s.CloseWrite()
		}
		if up != nil {
			_ = s.Close()
		}
	})
	both.Go(func() {
		if _, down = s.WriteTo(local); down == nil {
			down = closeWrite(local)
		}
		if down != nil {
			_ = local.Close()
		}
	})
	both.Wait()
	_ = local.Close()
	_ = s.Close()
	if cause := s.CloseReason(); cause.Code != CloseDone {
		return cause
	}
	return ordinary(errors.Join(up, down))
}

// closeWrite tells the local program that the stream's bytes have ended.
func closeWrite(c net.Conn) error {
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return c.Close()
}

// ordinary drops the errors that one direction's end causes in the other.
func ordinary(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) || isReset(err) {
		return nil
	}
	return err
}

// WriteTo writes the rest of the stream to w, for io.Copy. It borrows a buffer
// only when something has arrived, and tells the peer that bytes were taken
// when w has them.
func (s *Stream) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		c, err := s.next()
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		n, err := w.Write(c.bytes())
		s.set.pool.put(c)
		total += int64(n)
		s.mu.Lock()
		s.deliver(n)
		s.mu.Unlock()
		if err != nil {
			return total, err
		}
	}
}

// next waits for bytes and takes them in the buffer in which they arrived.
func (s *Stream) next() (*chunk, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.closed {
			return nil, net.ErrClosed
		}
		if passed(s.readDeadline) {
			return nil, os.ErrDeadlineExceeded
		}
		if c := s.in.pop(); c != nil {
			return c, nil
		}
		if err := s.readError(); err != nil {
			return nil, err
		}
		if s.link == nil || s.pumping != nobody {
			s.wait(s.readDeadline)
		} else {
			s.pump(readSide, nil)
		}
	}
}

// ReadFrom writes everything that r gives to the stream, for io.Copy. While r
// is an idle conn no buffer is held.
func (s *Stream) ReadFrom(r io.Reader) (int64, error) {
	var src source = &reader{r: r, pool: &s.set.pool}
	if c, ok := r.(net.Conn); ok && awaitsReadable {
		if b := newBufferedConn(c, &s.set.pool); b.raw != nil {
			src = b
		}
	}
	var total int64
	for {
		c, err := src.take()
		if c != nil {
			n, werr := s.Write(c.bytes())
			s.set.pool.put(c)
			total += int64(n)
			if werr != nil {
				return total, werr
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// source gives what it has read in a borrowed chunk.
type source interface {
	take() (*chunk, error)
}

// take reads once from the conn, into a chunk that the caller gives back.
func (b *bufferedConn) take() (*chunk, error) {
	if err := b.fill(); err != nil {
		return nil, err
	}
	c := b.in
	b.in = nil
	return c, nil
}

// reader is the source for what cannot be waited for without a buffer.
type reader struct {
	r    io.Reader
	pool *buffers
}

func (r *reader) take() (*chunk, error) {
	c := r.pool.get(sizeMedium)
	n, err := r.r.Read(c.buf)
	if n == 0 {
		r.pool.put(c)
		return nil, err
	}
	c.w = n
	return c, err
}
