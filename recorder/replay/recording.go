// Package replay plays recordings of terminals: at any time of one it knows what
// stood on the screen.
//
// # Scope
//
// It reads asciicast v3 and v2 and shows. It never runs anything again, and the
// bytes of a recording go to package terminal alone: what reaches a viewer is
// drawn anew from what they mean. Who made a recording controls its bytes, so
// size, length, number of events and of marks are bounded.
package replay

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// What is beyond these bounds is refused.
const (
	MaxBytes  = 256 << 20 // of a recording
	maxLine   = 16 << 20
	maxEvents = 5_000_000
	maxLength = 10 * 366 * 24 * time.Hour
)

// What is beyond these is left out.
const (
	maxMarks   = 10_000
	maxResizes = 10_000
	maxText    = 4 << 10 // bytes of a title, a command, a mark
)

// Recording is a recording as it was read.
type Recording struct {
	Cols, Rows int
	Title      string
	Command    string    // what was run; "" for a shell or where unknown
	Started    time.Time // zero where unknown
	Length     time.Duration
	Marks      []Mark // in order
	Exit       string // how the program ended, as recorded; "" where unknown
	End        string // why the recording ended, as hoop wrote it
	Torn       bool   // the last line is not complete: it is being written, or was cut off

	lines   bool // no terminal was there: lines end with LF alone
	output  []byte
	events  []event
	resizes int
}

// Mark is a place that the recording points out.
type Mark struct {
	At      time.Duration
	Text    string
	Command bool // a command that was entered, rather than a note
	Derived bool // its text was read off the screen
	Exit    *int // of the command, where the shell told
}

// event is output or a resize.
type event struct {
	at         time.Duration
	from, to   int // in output
	cols, rows int16
}

// header is the first line of a recording of either version.
type header struct {
	Version int
	Term    struct{ Cols, Rows int }
	Width   int
	Height  int
	Command string
	Title   string
	Time    int64 `json:"timestamp"`
	Hoop    *struct {
		PTY   bool      `json:"pty"`
		Start time.Time `json:"start"`
	}
}

// Read reads a recording to its end.
func Read(r io.Reader) (*Recording, error) {
	limited := &io.LimitedReader{R: r, N: MaxBytes + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	var ended bool // with a line feed
	lines.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		n, line, err := bufio.ScanLines(data, atEOF)
		ended = n > len(line)
		return n, line, err
	})
	if !lines.Scan() {
		return nil, errors.Join(errors.New("read the recording: it is empty"), lines.Err())
	}
	rec, version, err := readHeader(lines.Bytes())
	if err != nil {
		return nil, err
	}
	for n := 2; lines.Scan(); n++ {
		err := rec.line(lines.Bytes(), version)
		if err != nil && !ended { // the last line, not complete
			rec.Torn = true
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read line %d of the recording: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the recording: %w", err)
	}
	if limited.N <= 0 {
		return nil, fmt.Errorf("read the recording: it is larger than %d MiB", MaxBytes>>20)
	}
	return rec, nil
}

func readHeader(line []byte) (*Recording, int, error) {
	var h header
	if err := json.Unmarshal(line, &h); err != nil {
		return nil, 0, fmt.Errorf("read the recording: its first line is no asciicast header: %w", err)
	}
	rec := &Recording{Cols: h.Term.Cols, Rows: h.Term.Rows, Title: short(h.Title), Command: short(h.Command)}
	switch h.Version {
	case 2:
		rec.Cols, rec.Rows = h.Width, h.Height
	case 3:
	default:
		return nil, 0, fmt.Errorf("read the recording: asciicast version %d is neither 2 nor 3", h.Version)
	}
	if rec.Cols <= 0 || rec.Rows <= 0 {
		return nil, 0, fmt.Errorf("read the recording: a terminal of %d columns and %d rows", rec.Cols, rec.Rows)
	}
	if h.Time > 0 {
		rec.Started = time.Unix(h.Time, 0)
	}
	if h.Hoop != nil {
		rec.lines = !h.Hoop.PTY
		if !h.Hoop.Start.IsZero() {
			rec.Started = h.Hoop.Start
		}
	}
	return rec, h.Version, nil
}

func short(s string) string {
	if len(s) <= maxText {
		return s
	}
	return string(bytes.ToValidUTF8([]byte(s[:maxText]), nil)) + "…"
}
