package recording

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// maxLine bounds a line of a recording, in bytes.
const maxLine = 16 << 20

// Header describes a recording that is read, ours or another program's.
type Header struct {
	Version int
	Cols    int
	Rows    int
	Term    string
	Title   string
	Command string
	Start   time.Time // zero where unknown
	Hoop    *Meta     // nil where hoop did not write it
}

// Event is one event of a recording.
type Event struct {
	Time time.Duration // since the start
	Code byte          // 0 for what is no code of this package
	Data string
}

// Note reads what an event with CodeNote tells.
func (e *Event) Note() (*Note, error) {
	n := new(Note)
	if err := json.Unmarshal([]byte(e.Data), n); err != nil {
		return nil, fmt.Errorf("read a note: %w", err)
	}
	return n, nil
}

// Size reads the size that an event with CodeResize tells.
func (e *Event) Size() (cols, rows int, err error) {
	if _, err := fmt.Sscanf(e.Data, "%dx%d", &cols, &rows); err != nil || cols <= 0 || rows <= 0 || cols > maxSide || rows > maxSide {
		return 0, 0, fmt.Errorf("%q is no size of a terminal", e.Data)
	}
	return cols, rows, nil
}

// Reader reads a recording in asciicast v3 or v2, event by event.
type Reader struct {
	Header Header

	lines *bufio.Scanner
	line  int
	at    time.Duration
	torn  bool
}

// NewReader reads the first line.
func NewReader(r io.Reader) (*Reader, error) {
	d := &Reader{lines: bufio.NewScanner(r)}
	d.lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	d.lines.Split(wholeLines)
	if !d.lines.Scan() {
		if err := d.lines.Err(); err != nil {
			return nil, fmt.Errorf("read the recording: %w", err)
		}
		return nil, errors.New("read the recording: it is empty")
	}
	d.line = 1
	if err := d.Header.parse(d.lines.Bytes()); err != nil {
		return nil, fmt.Errorf("read the recording's first line: %w", err)
	}
	return d, nil
}

// wholeLines is bufio.ScanLines without a last line that has no end: it is
// being written, or was torn.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF {
		return len(data), nil, nil
	}
	return 0, nil, nil
}

// anyHeader holds the first line of every version.
type anyHeader struct {
	headerV3
	Width  int               `json:"width"`
	Height int               `json:"height"`
	Env    map[string]string `json:"env"`
}

func (h *Header) parse(line []byte) error {
	var in anyHeader
	if err := json.Unmarshal(line, &in); err != nil {
		return err
	}
	*h = Header{Version: in.Version, Cols: in.Term.Cols, Rows: in.Term.Rows, Term: in.Term.Type, Title: in.Title, Command: in.Command, Hoop: in.Hoop}
	switch in.Version {
	case 3:
	case 2:
		h.Cols, h.Rows, h.Term = in.Width, in.Height, in.Env["TERM"]
	default:
		return fmt.Errorf("asciicast version %d is neither 2 nor 3", in.Version)
	}
	if h.Cols <= 0 || h.Rows <= 0 || h.Cols > maxSide || h.Rows > maxSide {
		return fmt.Errorf("%dx%d is no size of a terminal", h.Cols, h.Rows)
	}
	if in.Timestamp > 0 {
		h.Start = time.Unix(in.Timestamp, 0)
	}
	if in.Hoop != nil && !in.Hoop.Start.IsZero() {
		h.Start = in.Hoop.Start
	}
	return nil
}

// Next gives the next event, io.EOF after the last. A line that is still being
// written is no event.
func (r *Reader) Next() (Event, error) {
	for r.lines.Scan() {
		r.line++
		line := r.lines.Bytes()
		if len(bytes.TrimSpace(line)) == 0 || line[0] == '#' {
			continue
		}
		ev, err := parseEvent(line)
		if err != nil {
			return Event{}, fmt.Errorf("read line %d of the recording: %w", r.line, err)
		}
		if r.Header.Version == 3 {
			ev.Time += r.at
		}
		if ev.Time > maxTime {
			return Event{}, fmt.Errorf("read line %d of the recording: it is %s after the start", r.line, ev.Time)
		}
		r.at = max(r.at, ev.Time)
		ev.Time = r.at
		return ev, nil
	}
	if err := r.lines.Err(); err != nil {
		return Event{}, fmt.Errorf("read line %d of the recording: %w", r.line+1, err)
	}
	return Event{}, io.EOF
}

// parseEvent reads one line. Time is what stands there.
func parseEvent(line []byte) (Event, error) {
	if ev, ok := quickEvent(line); ok {
		return ev, nil
	}
	return slowEvent(line)
}

// quickEvent reads a line as this package writes them; false for any other.
func quickEvent(line []byte) (Event, bool) {
	rest, ok := bytes.CutPrefix(line, []byte("["))
	if !ok {
		return Event{}, false
	}
	us, n := micros(rest)
	rest = rest[n:]
	const head, tail = `, "o", "`, `"]`
	if n == 0 || len(rest) < len(head)+len(tail) || string(rest[:3]) != head[:3] || string(rest[4:len(head)]) != head[4:] ||
		!bytes.HasSuffix(rest, []byte(tail)) || !plain(rest[3]) {
		return Event{}, false
	}
	ev := Event{Time: time.Duration(us) * time.Microsecond, Code: rest[3]}
	data := rest[len(head) : len(rest)-len(tail)]
	if plainRun(data, 0) == len(data) {
		ev.Data = string(data)
		return ev, true
	}
	err := json.Unmarshal(rest[len(head)-1:len(rest)-1], &ev.Data)
	return ev, err == nil
}

// micros reads a number of seconds with up to six digits after the point, and
// tells how many bytes it takes; 0 where it is written otherwise.
func micros(b []byte) (us int64, n int) {
	for n < len(b) && b[n] >= '0' && b[n] <= '9' && n < 9 {
		us = us*10 + int64(b[n]-'0')
		n++
	}
	if n == 0 || n > 1 && b[0] == '0' {
		return 0, 0
	}
	us *= 1e6
	if n == len(b) || b[n] != '.' {
		return us, n
	}
	start := n + 1
	for n, unit := start, int64(1e5); ; n, unit = n+1, unit/10 {
		if n == len(b) || b[n] < '0' || b[n] > '9' {
			if n == start || us > maxTime.Microseconds() {
				return 0, 0
			}
			return us, n
		}
		if unit == 0 {
			return 0, 0
		}
		us += int64(b[n]-'0') * unit
	}
}

// slowEvent reads any line that the format allows.
func slowEvent(line []byte) (Event, error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(line, &parts); err != nil {
		return Event{}, err
	}
	if len(parts) != 3 {
		return Event{}, fmt.Errorf("an event has 3 parts, not %d", len(parts))
	}
	var seconds float64
	var code string
	if err := errors.Join(json.Unmarshal(parts[0], &seconds), json.Unmarshal(parts[1], &code)); err != nil {
		return Event{}, err
	}
	if seconds < 0 || seconds > maxTime.Seconds() || math.IsNaN(seconds) || code == "" {
		return Event{}, fmt.Errorf("%.40s is no time or %.40q no code of an event", parts[0], code)
	}
	ev := Event{Time: time.Duration(math.Round(seconds*1e6)) * time.Microsecond}
	if len(code) == 1 {
		ev.Code = code[0]
	}
	if err := json.Unmarshal(parts[2], &ev.Data); err != nil {
		ev.Data = string(parts[2]) // some programs write the exit status as a number
	}
	return ev, nil
}

// maxTime bounds a recording; more than ten years is none.
const maxTime = 10 * 366 * 24 * time.Hour
