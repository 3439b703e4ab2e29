package postgres

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// idleAfter is how long a flow keeps its buffer without hearing anything: at
// least this, at most half as much again. It is what Engine.idle is by default.
const idleAfter = time.Second

var errStopped = errors.New("the session was ended")

// flow carries one direction. It reads into one buffer, in which frames are
// looked at where they lie; what passes untouched is written from there, one
// write for each read. Only what was changed or added is copied, together with
// its surroundings, into out.
//
//	buf: … written │ from: waiting to be written │ pos: not looked at │ end
type flow struct {
	src, dst net.Conn
	lender   *buffers
	size     int // of the buffer
	idle     time.Duration
	stopped  *atomic.Bool

	buf            []byte // nil while idle
	from, pos, end int
	need           int  // size of the frame at pos that must be complete to be looked at
	skip           int  // bytes of a frame under way, not looked at
	drop           bool // whether they are dropped instead of passed
	out            []byte
	sent           int64 // bytes passed and put
	armed          time.Time
	few            [32]byte
}

// pass lets the next n bytes through.
func (f *flow) pass(n int) {
	f.pos += n
	f.sent += int64(n)
}

// omit leaves the next n bytes out.
func (f *flow) omit(n int) {
	f.commit()
	f.pos += n
	f.from = f.pos
}

// put adds bytes before the next ones.
func (f *flow) put(b []byte) {
	f.commit()
	f.out = append(f.out, b...)
	f.sent += int64(len(b))
}

// replace stands b in for the next n bytes.
func (f *flow) replace(n int, b []byte) {
	f.put(b)
	f.omit(n)
}

// commit copies the bytes that wait into out, so that more can follow there.
func (f *flow) commit() {
	f.out = append(f.out, f.buf[f.from:f.pos]...)
	f.from = f.pos
}

// next gives the frame at pos as far as it is there. complete is false where
// more must be read first.
func (f *flow) next() (kind byte, size int, complete bool, err error) {
	kind, size, err = frameSize(f.buf[f.pos:f.end])
	return kind, size, size > 0 && size <= f.end-f.pos, err
}

// stream lets a frame through, or drops it, without waiting for its end.
func (f *flow) stream(size int, drop bool) {
	f.skip, f.drop = size, drop
	f.skipped()
}

// skipped goes on with a frame that is not looked at.
func (f *flow) skipped() {
	n := min(f.skip, f.end-f.pos)
	f.skip -= n
	if f.drop {
		f.omit(n)
	} else {
		f.pass(n)
	}
}

// pending tells whether there is anything to write.
func (f *flow) pending() bool { return len(f.out) > 0 || f.from < f.pos }

// flush writes what waits with one write.
func (f *flow) flush() error {
	b := f.buf[f.from:f.pos]
	if len(f.out) > 0 {
		f.commit()
		b = f.out
	}
	f.from = f.pos
	if len(b) == 0 {
		return nil
	}
	_, err := f.dst.Write(b)
	f.out = f.out[:0]
	if cap(f.out) > keepOutput*f.size && f.skip == 0 {
		f.out = nil
	}
	return err
}

// fill reads more. Everything looked at must have been flushed. It returns
// without error and without bytes where nothing came for a while.
func (f *flow) fill() error {
	if f.buf == nil {
		return f.wake()
	}
	f.makeRoom()
	if err := f.arm(); err != nil {
		return err
	}
	n, err := f.src.Read(f.buf[f.end:])
	f.end += n
	if n > 0 || err == nil {
		return nil
	}
	return f.quiet(err)
}

// quiet handles a read that gave nothing: after the deadline an empty buffer
// goes back to its lender.
func (f *flow) quiet(err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if f.stopped.Load() {
		return errStopped
	}
	f.armed = time.Time{}
	if f.pos == f.end && f.skip == 0 {
		f.release()
	}
	return nil
}

// wake waits without a buffer and takes one when something came.
func (f *flow) wake() error {
	if err := f.src.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	if f.stopped.Load() {
		return errStopped
	}
	n, err := f.src.Read(f.few[:])
	if n == 0 {
		if err != nil && f.stopped.Load() {
			return errStopped
		}
		return err
	}
	f.buf = f.lender.get(f.size)
	f.from, f.pos, f.end = 0, 0, copy(f.buf, f.few[:n])
	return nil
}

// arm moves the read deadline, but not for every read.
func (f *flow) arm() error {
	now := time.Now()
	if now.Sub(f.armed) < f.idle/2 {
		return nil
	}
	f.armed = now
	if err := f.src.SetReadDeadline(now.Add(f.idle * 3 / 2)); err != nil {
		return err
	}
	if f.stopped.Load() { // the deadline that stop set is lost: see relay.interrupt
		return errStopped
	}
	return nil
}

// makeRoom moves what was not looked at to the front, and takes a larger buffer
// where the frame at pos needs one: twice the size as it arrives, not what its
// header claims.
func (f *flow) makeRoom() {
	if f.from != f.pos {
		panic("broker/postgres: a flow is filled before it is flushed")
	}
	rest := f.buf[f.pos:f.end]
	switch {
	case len(rest) == len(f.buf):
		grown := make([]byte, min(max(f.need, 2*f.size), 2*len(f.buf)))
		copy(grown, rest)
		f.lender.put(f.buf)
		f.buf = grown
	case f.need <= f.size && len(f.buf) > f.size && len(rest) <= f.size:
		f.buf = f.lender.get(f.size)
		copy(f.buf, rest)
	default:
		copy(f.buf, rest)
	}
	f.from, f.pos, f.end = 0, 0, len(rest)
}

// release gives the buffers back.
func (f *flow) release() {
	if f.buf != nil {
		f.lender.put(f.buf)
	}
	f.buf, f.out = nil, nil
	f.from, f.pos, f.end = 0, 0, 0
}

// incomplete notes that the frame at pos must be read to its end. A frame over
// the limit is refused before anything is made ready for it.
func (f *flow) incomplete(size, limit int) error {
	if size > limit {
		return fmt.Errorf("%w: a message of %d bytes is over the limit of %d", errProtocol, size, limit)
	}
	f.need = size
	return nil
}
