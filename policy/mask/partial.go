package mask

import (
	"fmt"
	"unicode/utf8"

	"hoop/policy"
)

const defaultKeepLast = 4

// partial keeps the last letters and digits and puts a '*' for every byte of
// the others, so that the length in bytes stays. It never shows more than half
// of the letters and digits.
type partial struct {
	keep       int
	separators bool // leave what is neither letter nor digit
}

func newPartial(spec policy.MaskSpec) (partial, error) {
	p := partial{keep: defaultKeepLast, separators: true}
	if spec.KeepLast != nil {
		p.keep = *spec.KeepLast
	}
	if spec.KeepSeparators != nil {
		p.separators = *spec.KeepSeparators
	}
	if p.keep < 0 {
		return p, fmt.Errorf("keep_last is %d: it must not be negative", p.keep)
	}
	return p, nil
}

func (p partial) text(dst, value []byte) ([]byte, bool) {
	if out, ok := p.ascii(dst, value); ok {
		return out, true
	}
	return p.runes(dst, value), true
}

func (p partial) runes(dst, value []byte) []byte {
	hide := p.hidden(value)
	for len(value) > 0 {
		_, size := utf8.DecodeRune(value)
		switch {
		case !isWord(value[0]):
			dst = append(dst, p.separator(value[0]))
		case hide > 0:
			hide--
			for range size {
				dst = append(dst, '*')
			}
		case size == 1 && value[0] >= utf8.RuneSelf: // not UTF-8
			dst = append(dst, '*')
		default:
			dst = append(dst, value[:size]...)
		}
		value = value[size:]
	}
	return dst
}

// ascii does the same for a value of one byte a character; ok is false for others.
func (p partial) ascii(dst, value []byte) (out []byte, ok bool) {
	words := 0
	for _, c := range value {
		if c >= utf8.RuneSelf {
			return dst, false
		}
		words += int(asciiWords[c])
	}
	hide := words - min(p.keep, words/2)
	from := len(dst)
	dst = append(dst, value...)
	if !p.separators {
		for i, c := range value {
			if asciiWords[c] == 0 {
				dst[from+i] = '*'
			}
		}
	}
	for i := from; hide > 0; i++ {
		if asciiWords[dst[i]] != 0 {
			dst[i] = '*'
			hide--
		}
	}
	return dst, true
}

// asciiWords is 1 for what isWord counts.
var asciiWords = func() (t [utf8.RuneSelf]byte) {
	for c := range t {
		if isWord(byte(c)) {
			t[c] = 1
		}
	}
	return t
}()

// hidden counts the letters and digits to hide.
func (p partial) hidden(value []byte) int {
	n := 0
	for len(value) > 0 {
		_, size := utf8.DecodeRune(value)
		if isWord(value[0]) {
			n++
		}
		value = value[size:]
	}
	return n - min(p.keep, n/2)
}

func (p partial) separator(c byte) byte {
	if p.separators {
		return c
	}
	return '*'
}

// isWord reports whether a character that begins with c counts as a letter or
// digit; all beyond ASCII does.
func isWord(c byte) bool {
	return isDigit(c) || isLetter(c) || c >= utf8.RuneSelf
}

// integer keeps the last decimal digits, fewer than half of them all, and
// drops the sign.
func (p partial) integer(v int64) (int64, bool) {
	u := uint64(v)
	if v < 0 {
		u = -u
	}
	digits := 0
	for rest := u; rest > 0; rest /= 10 {
		digits++
	}
	mod := uint64(1)
	for range min(p.keep, digits/2) {
		mod *= 10
	}
	return int64(u % mod), true
}

// uuid keeps the last hexadecimal digits and sets the others to zero.
func (p partial) uuid(v [16]byte) ([16]byte, bool) {
	keep := min(p.keep, 16)
	for i := range 32 - keep {
		if i%2 == 0 {
			v[i/2] &= 0x0f
		} else {
			v[i/2] = 0
		}
	}
	return v, true
}
