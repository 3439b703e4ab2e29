package terminal

import "unicode/utf8"

// state is where in a sequence the parser is.
type state uint8

const (
	ground state = iota
	escape
	escapeMore // after an intermediate byte
	csi
	csiIgnore
	text       // OSC, APC, PM, SOS: read over, up to ST
	textEscape // an ESC in it
)

const maxParams = 32

// parser is a state machine after those of DEC's terminals. It keeps no text
// of what it reads over, so that nothing in it grows.
type parser struct {
	state  state
	osc    bool // BEL ends it too
	device bool // DCS: an ESC that is not ST belongs to it
	prefix byte // one of <=>?
	middle byte // the intermediate byte
	params [maxParams]int32
	sub    [maxParams]bool // joined to the one before by a colon
	count  int
	rune   [utf8.UTFMax]byte // of a character that is not complete
	partly int
}

// maxParam bounds the value of a parameter.
const maxParam = 1 << 16

// Write takes what a program wrote. It never fails.
func (t *Terminal) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if t.parser.state == ground {
			p = p[t.plain(p):]
			continue
		}
		t.step(p[0])
		p = p[1:]
	}
	return n, nil
}

// plain takes in text and controls outside of sequences, and tells how many
// bytes of p it took.
func (t *Terminal) plain(p []byte) int {
	b := p[0]
	if t.parser.partly > 0 || b >= utf8.RuneSelf {
		return t.character(p)
	}
	if b < 0x20 || b == 0x7f {
		t.control(b)
		return 1
	}
	n := 1
	for n < len(p) && p[n] >= 0x20 && p[n] < 0x7f {
		n++
	}
	t.printASCII(p[:n])
	return n
}

// character takes the bytes of one character in UTF-8, which may come in parts.
func (t *Terminal) character(p []byte) int {
	s := &t.parser
	taken := 0
	for taken < len(p) && s.partly < utf8.UTFMax && !utf8.FullRune(s.rune[:s.partly]) {
		s.rune[s.partly] = p[taken]
		s.partly++
		taken++
	}
	if !utf8.FullRune(s.rune[:s.partly]) {
		return taken
	}
	r, size := utf8.DecodeRune(s.rune[:s.partly])
	if size < s.partly { // the last byte does not belong to it and comes again
		taken--
	}
	s.partly = 0
	t.print(r)
	return taken
}

// step takes one byte of a sequence.
func (t *Terminal) step(b byte) {
	s := &t.parser
	switch {
	case s.state == text || s.state == textEscape:
		t.over(b)
		return
	case b == 0x1b:
		s.begin(escape)
		return
	case b == 0x18 || b == 0x1a: // CAN and SUB end any sequence
		s.state = ground
		return
	case b < 0x20:
		t.control(b)
		return
	case b >= 0x7f:
		if b > 0x7f {
			s.state = ground
			t.character([]byte{b})
		}
		return
	}
	switch s.state {
	case escape, escapeMore:
		t.escaped(b)
	case csi:
		t.inCSI(b)
	case csiIgnore:
		if b >= 0x40 {
			s.state = ground
		}
	}
}

func (s *parser) begin(to state) {
	*s = parser{state: to}
}

// over reads over a string: no program's title, link or clipboard is of use
// here.
func (t *Terminal) over(b byte) {
	s := &t.parser
	switch {
	case s.state == textEscape && b == '\\':
		s.state = ground
	case s.state == textEscape && !s.device:
		s.begin(escape)
		t.step(b)
	case b == 0x1b:
		s.state = textEscape
	case b == 0x18 || b == 0x1a, b == 0x07 && s.osc:
		s.state = ground
	default:
		s.state = text
	}
}

// escaped takes a byte after ESC.
func (t *Terminal) escaped(b byte) {
	s := &t.parser
	switch {
	case b < 0x30:
		s.middle, s.state = b, escapeMore
	case s.state == escapeMore:
		s.state = ground
		t.designate(s.middle, b)
	case b == '[':
		s.begin(csi)
	case b == ']' || b == 'P' || b == '_' || b == '^' || b == 'X' || b == 'k': // k: tmux's and screen's title
		s.begin(text)
		s.osc, s.device = b == ']', b == 'P'
	default:
		s.state = ground
		t.escapeCommand(b)
	}
}

// inCSI takes a byte after CSI (ECMA-48 §5.4).
func (t *Terminal) inCSI(b byte) {
	s := &t.parser
	switch {
	case b >= 0x40:
		s.state = ground
		s.count = min(s.count+1, maxParams)
		t.csiCommand(b)
	case b >= 0x3c: // a private prefix, which must come first
		if s.count > 0 || s.params[0] != 0 || s.prefix != 0 {
			s.state = csiIgnore
		}
		s.prefix = b
	case b < 0x30:
		s.middle = b
	case s.middle != 0: // parameters do not follow intermediate bytes
		s.state = csiIgnore
	case b == ';' || b == ':':
		s.count++
		if s.count < maxParams {
			s.sub[s.count] = b == ':'
		}
	case s.count < maxParams:
		s.params[s.count] = min(maxParam, s.params[s.count]*10+int32(b-'0'))
	}
}

// param is parameter i, or missing where it is not there or zero.
func (t *Terminal) param(i, missing int) int {
	if i < t.parser.count && t.parser.params[i] > 0 {
		return int(t.parser.params[i])
	}
	return missing
}
