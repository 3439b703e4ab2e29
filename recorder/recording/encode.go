package recording

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"
	"strconv"
	"time"
	"unicode/utf8"
)

// The codes of events; asciicast v3, "Event stream".
const (
	CodeOutput byte = 'o'
	CodeInput  byte = 'i'
	CodeMark   byte = 'm'
	CodeResize byte = 'r'
	CodeExit   byte = 'x'
	CodeNote   byte = 'h' // ours: see Note
)

// headerV3 is the first line of a recording.
type headerV3 struct {
	Version   int      `json:"version"`
	Term      termV3   `json:"term"`
	Timestamp int64    `json:"timestamp,omitempty"`
	Command   string   `json:"command,omitempty"`
	Title     string   `json:"title,omitempty"`
	Tags      []string `json:"tags,omitempty"`
	Hoop      *Meta    `json:"hoop,omitempty"`
}

type termV3 struct {
	Cols int    `json:"cols"`
	Rows int    `json:"rows"`
	Type string `json:"type,omitempty"`
}

// The size of a terminal whose client did not say.
const (
	defaultCols = 80
	defaultRows = 24
	maxSide     = 4096 // more is a mistake, and memory
)

// size gives a size that a screen can have.
func size(cols, rows int) (int, int) {
	if cols <= 0 || rows <= 0 {
		return defaultCols, defaultRows
	}
	return min(cols, maxSide), min(rows, maxSide)
}

func encodeHeader(m *Meta) ([]byte, error) {
	h := headerV3{Version: 3, Term: termV3{Type: m.Term}, Timestamp: m.Start.Unix(), Command: m.Command, Title: m.title(), Hoop: m}
	h.Term.Cols, h.Term.Rows = size(m.Cols, m.Rows)
	out, err := json.Marshal(&h)
	if err != nil {
		return nil, fmt.Errorf("describe the recording: %w", err)
	}
	return append(out, '\n'), nil
}

// Note is the data of an event with the code "h". Exactly one field is set.
type Note struct {
	Command *Command `json:"command,omitempty"` // the mark before it is this command
	Result  *Result  `json:"result,omitempty"`
	Signal  string   `json:"signal,omitempty"` // what ended the program, without SIG (RFC 4254 §6.10)
	End     *End     `json:"end,omitempty"`    // the last line of a recording
}

// Result tells how the latest command ended.
type Result struct {
	Exit int `json:"exit"`
}

// End is how a recording ended.
type End struct {
	Reason string `json:"reason"`
	// Lost is set where nobody saw the end: the broker was killed. Then the
	// rest is unknown, and zero.
	Lost    bool    `json:"lost,omitempty"`
	Seconds float64 `json:"seconds,omitempty"` // from the start to the last event before
	Cut     int64   `json:"cut,omitempty"`     // bytes of a torn line that were removed
	Output  int64   `json:"output"`
	Shown   string  `json:"shown,omitempty"` // SHA-256 of the output, up to the cap
	Omitted int64   `json:"omitted,omitempty"`
}

// appendHead begins the line of an event that comes after after.
func appendHead(b []byte, after time.Duration, code byte) []byte {
	us := after.Microseconds()
	b = append(b, '[')
	b = strconv.AppendInt(b, us/1e6, 10)
	if us %= 1e6; us != 0 {
		b = append(b, '.')
		for unit := int64(1e5); us > 0; unit /= 10 {
			b = append(b, '0'+byte(us/unit))
			us %= unit
		}
	}
	return append(b, ',', ' ', '"', code, '"', ',', ' ')
}

// appendEvent writes one line. Of text only what is no UTF-8 is changed: each
// such byte becomes U+FFFD.
func appendEvent(b []byte, after time.Duration, code byte, text []byte) []byte {
	b = appendHead(b, after, code)
	b = appendString(b, text)
	return append(b, ']', '\n')
}

func appendNote(b []byte, after time.Duration, n *Note) []byte {
	text, err := json.Marshal(n)
	if err != nil { // strings and numbers alone
		text = []byte("{}")
	}
	return appendEvent(b, after, CodeNote, text)
}

const hexDigits = "0123456789abcdef"

// plain tells whether a byte stands in a JSON string as it is (RFC 8259 §7).
func plain(c byte) bool { return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' }

// plainRun gives how many bytes from i on are plain, eight at a time: recording
// stands on the way of all output.
func plainRun(s []byte, i int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	start := i
	for ; i+8 <= len(s); i += 8 {
		x := binary.LittleEndian.Uint64(s[i:])
		quote, slash := x^(ones*'"'), x^(ones*'\\')
		// A byte's top bit is set where it is below the space, is one of the two,
		// or is no ASCII. What a borrow sets besides is looked at again below.
		if found := ((x - ones*' ') | (quote - ones) | (slash - ones) | x) & tops; found != 0 {
			i += bits.TrailingZeros64(found) / 8
			break
		}
	}
	for i < len(s) && plain(s[i]) {
		i++
	}
	return i - start
}

func appendString(b, s []byte) []byte {
	b = append(b, '"')
	start := 0
	for i := plainRun(s, 0); i < len(s); i += plainRun(s, i) {
		c := s[i]
		if c >= utf8.RuneSelf {
			if width := runeWidth(s[i:]); width > 0 {
				i += width
				continue
			}
		}
		b = append(b, s[start:i]...)
		b = appendEscape(b, c)
		i++
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// runeWidth gives the length of the rune that s begins with; 0 where it is no
// UTF-8.
func runeWidth(s []byte) int {
	r, width := utf8.DecodeRune(s)
	if r == utf8.RuneError && width <= 1 {
		return 0
	}
	return width
}

func appendEscape(b []byte, c byte) []byte {
	switch {
	case c >= utf8.RuneSelf:
		return append(b, "\uFFFD"...)
	case c == '"', c == '\\':
		return append(b, '\\', c)
	case c == '\n':
		return append(b, '\\', 'n')
	case c == '\r':
		return append(b, '\\', 'r')
	case c == '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}
