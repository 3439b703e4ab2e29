package mask

import (
	"strconv"
	"unicode/utf8"
)

// preserving replaces digits by digits and letters by letters, so that a
// value keeps its length and look: digits as one FF1 string of radix 10,
// letters as one of radix 26. What is too short for FF1 is derived from a
// keyed hash of the whole value instead: joinable too, but values may collide.
type preserving struct {
	digits, letters ff1
	tokens          *tokens
}

func newPreserving(key []byte) (*preserving, error) {
	digits, err := subkey(key, "digits")
	if err != nil {
		return nil, err
	}
	letters, err := subkey(key, "letters")
	if err != nil {
		return nil, err
	}
	t, err := newHash(key)
	if err != nil {
		return nil, err
	}
	return &preserving{digits: ff1{digits, 10}, letters: ff1{letters, 26}, tokens: t}, nil
}

func (p *preserving) text(dst, value []byte) ([]byte, bool) {
	var digits, letters []byte
	for _, c := range value {
		switch {
		case isDigit(c):
			digits = append(digits, c-'0')
		case isLetter(c):
			letters = append(letters, lower(c)-'a')
		}
	}
	p.replace(&p.digits, digits, value)
	p.replace(&p.letters, letters, value)
	for _, c := range value {
		switch {
		case isDigit(c):
			c, digits = digits[0]+'0', digits[1:]
		case isLetter(c):
			c, letters = letters[0]+'a'-0x20+c&0x20, letters[1:]
		case c >= utf8.RuneSelf:
			c = '*'
		}
		dst = append(dst, c)
	}
	return dst, true
}

func (p *preserving) replace(f *ff1, numerals, value []byte) {
	if len(numerals) == 0 || f.encrypt(numerals, nil) == nil {
		return
	}
	// Fewer than six: the hash has bytes to spare for all.
	sum := p.tokens.sum(value)
	for i := range numerals {
		numerals[i] = byte((int(sum[2*i])<<8 | int(sum[2*i+1])) % f.radix)
	}
}

// integer keeps the number of digits and the sign. It walks the cycle until
// the number has no leading zero and fits the smallest type that v fits, so
// that it fits the column.
func (p *preserving) integer(v int64) (int64, bool) {
	if v < 0 {
		if v == -v {
			return 0, false
		}
		w, ok := p.integer(-v)
		return -w, ok
	}
	limit := int64(1<<63 - 1)
	switch {
	case v < 1<<15:
		limit = 1<<15 - 1
	case v < 1<<31:
		limit = 1<<31 - 1
	}
	numerals := []byte(strconv.FormatInt(v, 10))
	for i := range numerals {
		numerals[i] -= '0'
	}
	for {
		if p.digits.encrypt(numerals, nil) != nil {
			return 0, false
		}
		if w, ok := integerOf(numerals); ok && numerals[0] != 0 && w <= limit {
			return w, true
		}
	}
}

func integerOf(numerals []byte) (int64, bool) {
	var v int64
	for _, d := range numerals {
		if v > (1<<63-1-int64(d))/10 {
			return 0, false
		}
		v = v*10 + int64(d)
	}
	return v, true
}

func (p *preserving) decimal(dst, value []byte) ([]byte, bool) {
	n := 0
	for _, c := range value {
		if isDigit(c) {
			n++
		}
	}
	if !p.digits.enough(n) {
		return dst, false
	}
	return p.text(dst, value)
}

func (p *preserving) uuid(v [16]byte) ([16]byte, bool) { return p.tokens.uuid(v) }
