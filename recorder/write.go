package recorder

import (
	"context"
	"errors"
	"fmt"
	"syscall"
)

// write gives a batch to the operating system: its leader calls it, once.
func (l *Log) write(b *batch) error {
	l.writing.Lock()
	l.mu.Lock()
	l.pending = nil // from here on nobody joins
	l.mu.Unlock()
	err := l.put(b)
	f := b.fate
	l.recycle(b)
	l.writing.Unlock()
	if f != nil {
		f.err = err
		close(f.done)
	}
	return err
}

// put seals, writes and adds to the tree. The caller holds writing.
func (l *Log) put(b *batch) error {
	if err := l.broken.Load(); err != nil {
		return *err
	}
	start := 0
	for _, end := range b.ends {
		seal(b.buf[start:end])
		start = end
	}
	if err := l.makeRoom(int64(len(b.buf))); err != nil {
		return l.fail(err)
	}
	n, err := l.seg.disk.WriteAt(b.buf, l.seg.pos)
	if err != nil {
		return l.fail(fmt.Errorf("write %d bytes, of which %d went: %w", len(b.buf), n, err))
	}
	l.seg.pos += int64(n)
	l.written.Store(b.last)
	start = 0
	for _, end := range b.ends {
		f := frame{raw: b.buf[start:end]}
		l.tree.add(leafHash(f.commitment()))
		start = end
	}
	if l.tree.size-l.flushed >= l.every {
		select {
		case l.due <- struct{}{}:
		default: // asked for already
		}
	}
	return nil
}

// makeRoom begins a new segment where this one is full, and allocates. A full
// disk is no failure while the batch still fits into the reserve.
func (l *Log) makeRoom(n int64) error {
	err := l.roll(n)
	if err == nil || isFull(err) {
		err = errors.Join(err, l.seg.grow(n))
	}
	if err == nil {
		return nil
	}
	if isFull(err) && l.seg.pos+n <= l.seg.grown {
		l.setFull(err)
		return nil
	}
	return fmt.Errorf("make room in the audit log: %w", err)
}

func (l *Log) roll(n int64) error {
	if l.seg.pos+n <= l.limit || l.seg.first == l.written.Load() {
		return nil
	}
	next, err := l.createSegment(l.written.Load())
	if err != nil {
		return err
	}
	l.swapping.Lock()
	defer l.swapping.Unlock()
	if err := l.seg.close(); err != nil {
		return errors.Join(fmt.Errorf("end a segment: %w", err), next.disk.Close())
	}
	l.synced.Store(l.written.Load())
	l.seg = next
	return nil
}

// isFull tells a lack of room, which ends when room is made, from a failure.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

func (l *Log) setFull(err error) {
	err = fmt.Errorf("no room for the audit log in %s: make some, and it goes on by itself: %w", l.dir, err)
	if l.full.Swap(&err) == nil {
		l.logger.Error("audit log full", "dir", l.dir, "error", err)
	}
}

// retryFull looks for room again.
func (l *Log) retryFull() {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.seg.grow(0); err != nil {
		return
	}
	l.full.Store(nil)
	l.logger.Info("audit log has room again", "dir", l.dir)
}

func (l *Log) recycle(b *batch) {
	if cap(b.buf) > 4*flushBytes {
		return
	}
	*b = batch{buf: b.buf[:0], ends: b.ends[:0]}
	l.mu.Lock()
	l.spare = b
	l.mu.Unlock()
}

// flush writes what Later left behind.
func (l *Log) flush() error {
	l.mu.Lock()
	l.armed = false
	b := l.pending
	if b == nil || b.led {
		l.mu.Unlock()
		return nil
	}
	b.led = true
	l.mu.Unlock()
	return l.write(b)
}

func (l *Log) keepFlushing(ctx context.Context) {
	defer l.flushTimer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.flushTimer.C:
			_ = l.flush() // a failure has broken the log, and every call says so
		}
	}
}
