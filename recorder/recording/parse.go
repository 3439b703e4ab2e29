package recording

import "unicode/utf8"

// The states of a parser, after ECMA-48 and what terminals made of it.
type state uint8

const (
	ground    state = iota
	escape          // after ESC
	charset         // after ESC and an intermediate byte: one byte follows
	control         // within a control sequence (CSI)
	text            // within an operating system command, which is kept
	skipped         // within another string, which is not
	textEnd         // ESC within text
	skipEnd         // ESC within skipped
	maxParams = 16
	maxText   = 8 << 10
)

// parser splits output into runs of text, controls and sequences.
type parser struct {
	state  state
	prefix byte // one of <=>? at the begin of a control sequence
	inter  byte // the last intermediate byte
	params [maxParams]int
	n      int // parameters begun
	text   []byte
}

// feed parses p and tells the screen.
func (s *screen) feed(p []byte) {
	for i := 0; i < len(p); {
		if s.parser.state != ground {
			i = s.sequence(p, i)
			continue
		}
		c := p[i]
		switch {
		case c >= ' ' && c < 0x7f:
			end := i + 1
			for end < len(p) && p[end] >= ' ' && p[end] < 0x7f {
				end++
			}
			s.grid.ascii(p[i:end])
			i = end
		case c >= utf8.RuneSelf:
			r, width := utf8.DecodeRune(p[i:])
			if r >= 0xa0 { // below are controls, which terminals of today do not obey
				s.grid.put(r)
			}
			i += width
		default:
			s.c0(c)
			i++
		}
	}
}

// sequence goes on within a sequence and gives where it came to.
func (s *screen) sequence(p []byte, i int) int {
	switch s.parser.state {
	case text, skipped:
		return s.str(p, i)
	case control:
		s.csiByte(p[i])
	case escape:
		s.esc(p[i])
	case textEnd, skipEnd:
		s.strEnd(p[i])
	default: // charset
		if p[i] < 0x20 || p[i] > 0x2f {
			s.parser.state = ground
		}
	}
	return i + 1
}

func (s *screen) esc(c byte) {
	q := &s.parser
	q.state = ground
	switch {
	case c == '[':
		*q = parser{state: control, text: q.text[:0]}
	case c == ']':
		q.state, q.text = text, q.text[:0]
	case c == 'P', c == 'X', c == '^', c == '_':
		q.state = skipped
	case c >= 0x20 && c <= 0x2f:
		q.state = charset
	case c == 0x1b:
		q.state = escape
	case c < 0x20:
		s.c0(c)
		q.state = escape
	default:
		s.escape(c)
	}
}

func (s *screen) csiByte(c byte) {
	q := &s.parser
	switch {
	case c >= '0' && c <= '9':
		q.n = max(q.n, 1)
		q.params[q.n-1] = min(q.params[q.n-1]*10+int(c-'0'), 1<<16)
	case c == ';', c == ':':
		q.n = min(max(q.n, 1)+1, maxParams)
	case c >= '<' && c <= '?':
		q.prefix = c
	case c >= 0x20 && c <= 0x2f:
		q.inter = c
	case c >= 0x40 && c <= 0x7e:
		q.state = ground
		s.csi(c)
	case c == 0x1b:
		q.state = escape
	case c == 0x18, c == 0x1a: // CAN, SUB
		q.state = ground
	case c < 0x20:
		s.c0(c)
	}
}

// str goes through a string to its end: BEL, or ESC and a backslash.
func (s *screen) str(p []byte, i int) int {
	q := &s.parser
	start := i
	for i < len(p) && p[i] != 0x07 && p[i] != 0x1b && p[i] != 0x18 && p[i] != 0x1a {
		i++
	}
	if q.state == text && len(q.text) < maxText {
		q.text = append(q.text, p[start:min(i, start+maxText)]...)
	}
	if i == len(p) {
		return i
	}
	switch {
	case p[i] == 0x1b && q.state == text:
		q.state = textEnd
	case p[i] == 0x1b:
		q.state = skipEnd
	case p[i] == 0x07 && q.state == text:
		q.state = ground
		s.osc(q.text)
	default:
		q.state = ground
	}
	return i + 1
}

func (s *screen) strEnd(c byte) {
	q := &s.parser
	told := q.state == textEnd
	if c != '\\' { // ESC ends the string and begins something else
		q.state = escape
		s.esc(c)
		return
	}
	q.state = ground
	if told {
		s.osc(q.text)
	}
}

// param gives parameter i, or other where it is absent or zero.
func (q *parser) param(i, other int) int {
	if i < q.n && q.params[i] > 0 {
		return q.params[i]
	}
	return other
}
