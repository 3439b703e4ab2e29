package recording

import (
	"bytes"
	"time"
	"unicode/utf8"
)

const (
	// echoWithin is how soon the screen must show a key, since it was pressed
	// or since the one before it was shown.
	echoWithin = time.Second
	// sureRunes in a row, shown where they were expected, are no chance.
	sureRunes = 16
	// maxEchoLines is over how many lines one run of keys may go.
	maxEchoLines = 64
	// maxWaiting bounds what is typed ahead of the screen, in bytes.
	maxWaiting = 64 << 10
)

// run is printable keys in a row, and the keys after them that show nothing.
type run struct{ shows, tail []byte }

// echo decides which keys are recorded: those that the screen shows where they
// were typed.
type echo struct {
	runs    []run // not decided yet
	waiting int   // bytes in them
	start   place // where the cursor was before the first of them
	seen    int   // bytes of the first that the screen shows
	ended   bool  // Enter ended the line, which the screen showed
	since   time.Duration
	decided []byte
}

// press takes one key.
func (e *echo) press(k key, cursor place, at time.Duration) {
	e.forget(at)
	if e.waiting > maxWaiting {
		*e = echo{decided: e.decided}
	}
	n := len(e.runs)
	switch {
	case k.prints && (n == 0 || len(e.runs[n-1].tail) > 0):
		if n == 0 {
			e.start = cursor
		}
		e.runs = append(e.runs, run{shows: bytes.Clone(k.bytes)})
	case k.prints:
		e.runs[n-1].shows = append(e.runs[n-1].shows, k.bytes...)
	case n == 0:
		e.decided = append(e.decided, k.bytes...)
		return
	default:
		e.runs[n-1].tail = append(e.runs[n-1].tail, k.bytes...)
	}
	e.waiting += len(k.bytes)
	e.since = at
}

// look compares what was typed with what the screen shows.
func (e *echo) look(g *grid, at time.Duration) {
	e.forget(at)
	for len(e.runs) > 0 {
		first := &e.runs[0]
		if g.cursor().line-e.start.line > maxEchoLines {
			return
		}
		shown := g.text(e.start, g.cursorEnd())
		n := len(shown)
		if n == 0 || !bytes.HasPrefix(first.shows, shown) {
			return
		}
		if n < len(first.shows) {
			e.progress(n, shown, g, at)
			return
		}
		e.take(true)
		e.start, e.since = g.cursor(), at
	}
}

// progress keeps the first run alive while the screen shows more of it.
func (e *echo) progress(n int, shown []byte, g *grid, at time.Duration) {
	if n <= e.seen {
		return
	}
	e.seen, e.since = n, at
	if utf8.RuneCount(shown) >= sureRunes {
		first := &e.runs[0]
		e.decided = append(e.decided, shown...)
		first.shows = first.shows[n:]
		e.waiting -= n
		e.start, e.seen = g.cursor(), 0
	}
}

// take decides on the first run.
func (e *echo) take(shown bool) {
	first := e.runs[0]
	if shown {
		e.decided = append(e.decided, first.shows...)
		e.ended = bytes.ContainsAny(first.tail, "\r\n")
	}
	e.decided = append(e.decided, first.tail...)
	e.waiting -= len(first.shows) + len(first.tail)
	e.runs, e.seen = e.runs[1:], 0
}

// leave is called before the cursor leaves its line: what is not shown now was
// not echoed.
func (e *echo) leave(g *grid, at time.Duration) {
	if e.look(g, at); len(e.runs) > 0 && !e.ended {
		e.take(false)
	}
	e.ended = false
}

// forget drops what was not shown in time.
func (e *echo) forget(at time.Duration) {
	for len(e.runs) > 0 && at-e.since > echoWithin {
		e.take(false)
	}
}

// cursorEnd is the cursor, beyond the last column where that was written.
func (g *grid) cursorEnd() place {
	p := g.cursor()
	if g.full {
		p.col++
	}
	return p
}
