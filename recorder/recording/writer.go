package recording

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
	"sync"
	"time"
)

// ErrClosed is returned by a Writer after Close.
var ErrClosed = errors.New("the recording is closed")

const (
	// maxEvent bounds the bytes of one output event.
	maxEvent = 32 << 10
	// maxPending is how much may wait for the disk. Then a writer waits too.
	maxPending = 1 << 20
	// fullBuffer is written at once; less waits for flushEvery.
	fullBuffer = 128 << 10
	// keptBuffer bounds the memory that an idle recording keeps.
	keptBuffer = 16 << 10
	flushEvery = 500 * time.Millisecond
)

// Writer writes one recording. Its methods may be called from several
// goroutines. They copy what they are given into memory and wait only where a
// megabyte waits for the disk. After the first failure all of them fail.
type Writer struct {
	meta  Meta
	hooks Hooks
	file  *os.File
	mark  string // the file that tells that this has no end; "" for none
	now   func() time.Time

	mu     sync.Mutex
	room   sync.Cond // the buffer was taken, or the recording ended
	buf    []byte    // whole lines that the flusher has not taken
	spare  []byte
	err    error
	closed bool
	last   time.Duration // when the event before was
	runes  runes
	shown  hash.Hash // of the output that is kept
	sum    Summary
	fresh  []Command // not told of yet
	shell  *shell    // derives commands and judges input; nil without a terminal

	dirty chan struct{} // the buffer holds something; closed by Close
	full  chan struct{} // do not wait any longer
	done  chan struct{} // the flusher ended

	// The flusher's own, and Close's after it.
	size     int64
	whole    hash.Hash // of the file
	chunk    hash.Hash
	chunkAt  int64
	chunkEnd time.Time
	result   error
	once     sync.Once
}

// newWriter writes the first line, so that a folder that takes no recording
// shows before anything is shown.
func newWriter(file *os.File, m Meta, h Hooks, now func() time.Time) (*Writer, error) {
	head, err := encodeHeader(&m)
	if err != nil {
		return nil, err
	}
	w := &Writer{
		meta: m, hooks: h, file: file, now: now, shown: sha256.New(), whole: sha256.New(), chunk: sha256.New(), chunkEnd: now(),
		dirty: make(chan struct{}, 1), full: make(chan struct{}, 1), done: make(chan struct{}),
	}
	w.room.L = &w.mu
	if m.PTY {
		w.shell = newShell(size(m.Cols, m.Rows))
	}
	if err := w.write(head); err != nil {
		return nil, err
	}
	go w.run()
	return w, nil
}

// Meta tells what the recording is of.
func (w *Writer) Meta() Meta { return w.meta }

// Output records what was shown. An incomplete rune at its end waits for the
// next call.
func (w *Writer) Output(p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.accept(); err != nil {
		return err
	}
	before := w.sum.Output
	w.sum.Output += int64(len(p))
	if p = w.within(p, before); len(p) > 0 {
		_, _ = w.shown.Write(p) // never fails
		joint, rest := w.runes.split(p)
		w.output(joint)
		w.output(rest)
	}
	w.omit()
	return nil
}

// within gives what of p the cap lets be kept.
func (w *Writer) within(p []byte, before int64) []byte {
	if w.meta.Cap <= 0 || before+int64(len(p)) <= w.meta.Cap {
		return p
	}
	return p[:max(0, w.meta.Cap-before)]
}

// omit marks the place where the cap was reached.
func (w *Writer) omit() {
	if w.meta.Cap <= 0 || w.sum.Output <= w.meta.Cap {
		return
	}
	if w.sum.Omitted == 0 {
		w.output(w.runes.flush())
		w.event(CodeMark, fmt.Sprintf("output beyond %d bytes is not recorded", w.meta.Cap))
	}
	w.sum.Omitted = w.sum.Output - w.meta.Cap
}

// output appends output events; p ends with a rune.
func (w *Writer) output(p []byte) {
	for len(p) > 0 {
		n := cut(p, maxEvent)
		if w.shell == nil {
			w.append(CodeOutput, p[:n])
		} else {
			w.show(p[:n])
		}
		p = p[n:]
	}
}

// show follows the output on a screen of its own. What it learns goes before
// the output from which it learnt it.
func (w *Writer) show(p []byte) {
	at := w.elapsed()
	w.shell.output(p, at)
	if keys := w.shell.typed(); len(keys) > 0 {
		w.append(CodeInput, keys)
	}
	w.append(CodeOutput, p)
	for _, l := range w.shell.learnt() {
		w.tell(l)
	}
}

func (w *Writer) tell(l Note) {
	if l.Command != nil {
		w.sum.Commands++
		w.fresh = append(w.fresh, *l.Command)
		w.event(CodeMark, l.Command.Text)
	}
	w.note(&l)
}

// Input takes what was typed. It is recorded once the screen shows it; see the
// package's comment. Without a terminal it is not recorded.
func (w *Writer) Input(p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.accept(); err != nil {
		return err
	}
	if w.shell == nil {
		return nil
	}
	w.shell.input(p, w.elapsed())
	if keys := w.shell.typed(); len(keys) > 0 {
		w.append(CodeInput, keys)
	}
	return nil
}

// Err gives the failure that ended the recording, or nil.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// accept waits for room and tells whether the recording goes on. Called under
// mu.
func (w *Writer) accept() error {
	for len(w.buf) >= maxPending && w.err == nil && !w.closed {
		signal(w.full)
		w.room.Wait()
	}
	switch {
	case w.err != nil:
		return w.err
	case w.closed:
		return ErrClosed
	}
	return nil
}

// elapsed is the time since the start.
func (w *Writer) elapsed() time.Duration { return max(w.last, w.now().Sub(w.meta.Start)) }

// interval gives the time since the event before, in whole microseconds:
// nothing is lost to rounding, however long the recording.
func (w *Writer) interval() time.Duration {
	at := w.elapsed().Truncate(time.Microsecond)
	d := max(0, at-w.last)
	w.last += d
	return d
}

func (w *Writer) append(code byte, text []byte) {
	if len(text) > 0 {
		w.buf = appendEvent(w.buf, w.interval(), code, text)
		w.appended()
	}
}

func (w *Writer) event(code byte, text string) {
	w.buf = appendEvent(w.buf, w.interval(), code, []byte(text))
	w.appended()
}

func (w *Writer) note(n *Note) {
	w.buf = appendNote(w.buf, w.interval(), n)
	w.appended()
}

func (w *Writer) appended() {
	w.sum.Events++
	if w.closed { // so are the channels
		return
	}
	signal(w.dirty)
	if len(w.buf) >= fullBuffer {
		signal(w.full)
	}
}

// signal fills a channel of capacity 1.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Close ends the recording: what is left is written, the file is brought to
// the disk, and the hooks are told. Only the first call counts; all give what
// it gave.
func (w *Writer) Close(reason string) (Summary, error) {
	w.once.Do(func() {
		w.finish(reason)
		<-w.done
		w.settle()
	})
	return w.sum, w.result
}

// finish appends the last line.
func (w *Writer) finish(reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.output(w.runes.flush())
		w.sum.Shown = hex.EncodeToString(w.shown.Sum(nil))
		w.sum.Duration = w.elapsed().Truncate(time.Microsecond)
		w.note(&Note{End: &End{Reason: reason, Seconds: w.sum.Duration.Seconds(), Output: w.sum.Output,
			Shown: w.sum.Shown, Omitted: w.sum.Omitted}})
	}
	w.closed = true
	w.room.Broadcast()
	close(w.dirty)
	close(w.full) // what is left does not wait for more
}

// settle is called once the flusher ended.
func (w *Writer) settle() {
	err := w.Err()
	if err == nil {
		err = w.file.Sync()
	}
	err = errors.Join(err, w.file.Close())
	if err == nil && w.mark != "" { // else the next Open sees to it
		err = os.Remove(w.mark)
	}
	w.tellCommands()
	w.sum.Bytes, w.sum.SHA256 = w.size, hex.EncodeToString(w.whole.Sum(nil))
	if err != nil {
		w.result = fmt.Errorf("close the recording %s: %w", w.meta.Name(), err)
	}
	if w.hooks.OnClose != nil {
		w.hooks.OnClose(w.sum, w.result)
	}
}
