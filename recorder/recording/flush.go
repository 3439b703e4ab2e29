package recording

import (
	"encoding/hex"
	"fmt"
	"time"
)

// run writes what was appended, within flushEvery of the first of it.
func (w *Writer) run() {
	defer close(w.done)
	for range w.dirty {
		timer := time.NewTimer(flushEvery)
		select {
		case <-timer.C:
		case <-w.full:
		}
		timer.Stop()
		w.flush()
	}
	w.flush()
}

// flush writes all that is there.
func (w *Writer) flush() {
	lines := w.take()
	if len(lines) == 0 {
		return
	}
	if err := w.write(lines); err != nil {
		w.fail(err)
		return
	}
	w.tellCommands()
	w.tellChunk()
	w.mu.Lock()
	if cap(lines) <= keptBuffer || len(lines) >= fullBuffer && cap(lines) <= 2*maxPending {
		w.spare = lines[:0]
	}
	w.mu.Unlock()
}

// take gives the buffer and makes room.
func (w *Writer) take() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return nil
	}
	lines := w.buf
	w.buf, w.spare = w.spare, nil
	w.room.Broadcast()
	return lines
}

// write appends to the file. Of what fails nothing stays, where the disk lets
// it be removed: a reader finds whole lines.
func (w *Writer) write(lines []byte) error {
	n, err := w.file.Write(lines)
	if err != nil {
		if n > 0 {
			_ = w.file.Truncate(w.size) // Open repairs it otherwise
		}
		return fmt.Errorf("write the recording %s: %w", w.meta.Name(), err)
	}
	w.size += int64(n)
	_, _ = w.whole.Write(lines) // never fails
	if w.hooks.OnChunk != nil {
		_, _ = w.chunk.Write(lines)
	}
	return nil
}

// fail ends the recording for good.
func (w *Writer) fail(err error) {
	w.mu.Lock()
	w.err, w.buf = err, nil
	w.room.Broadcast()
	w.mu.Unlock()
	if w.hooks.OnError != nil {
		w.hooks.OnError(err)
	}
}

// tellCommands tells of what was derived since the last time.
func (w *Writer) tellCommands() {
	w.mu.Lock()
	fresh := w.fresh
	w.fresh = nil
	w.mu.Unlock()
	if w.hooks.OnCommand == nil {
		return
	}
	for _, c := range fresh {
		w.hooks.OnCommand(c)
	}
}

// tellChunk tells of what came into the file since the last time. The end of
// the recording needs no chunk: then the hash of the whole file is told.
func (w *Writer) tellChunk() {
	if w.hooks.OnChunk == nil {
		return
	}
	now := w.now()
	if now.Sub(w.chunkEnd) < ChunkEvery {
		return
	}
	w.hooks.OnChunk(Chunk{Offset: w.chunkAt, Length: w.size - w.chunkAt, SHA256: hex.EncodeToString(w.chunk.Sum(nil))})
	w.chunk.Reset()
	w.chunkAt, w.chunkEnd = w.size, now
}
