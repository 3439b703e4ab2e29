package recording

import "unicode/utf8"

// key is one key that was pressed, or an answer of the terminal.
type key struct {
	bytes  []byte
	prints bool // a program that echoes shows it as it is
}

// keys splits what was typed. A sequence that is not whole at the end waits,
// but for a lone ESC, which is a key.
type keyReader struct{ held []byte }

// maxHeld bounds a sequence.
const maxHeld = 4 << 10

// next takes the first key off p; false where the rest must wait.
func (k *keyReader) next(p []byte) (key, []byte, bool) {
	c := p[0]
	switch {
	case c == 0x1b:
		n := escapeLen(p)
		if n == 0 {
			return key{}, p, false
		}
		return key{bytes: p[:n]}, p[n:], true
	case c < ' ' || c == 0x7f:
		return key{bytes: p[:1]}, p[1:], true
	case !utf8.FullRune(p):
		return key{}, p, false
	}
	_, n := utf8.DecodeRune(p)
	return key{bytes: p[:n], prints: true}, p[n:], true
}

// read calls fn for each whole key of what is held and p.
func (k *keyReader) read(p []byte, fn func(key)) {
	if len(k.held) > 0 {
		p = append(k.held, p...)
		k.held = nil
	}
	for len(p) > 0 {
		pressed, rest, ok := k.next(p)
		if !ok && len(p) < maxHeld {
			k.held = append([]byte(nil), p...)
			return
		}
		if !ok {
			pressed, rest = key{bytes: p[:1]}, p[1:]
		}
		fn(pressed)
		p = rest
	}
}

// escapeLen gives the length of the sequence that p begins with; 0 where it is
// not whole.
func escapeLen(p []byte) int {
	if len(p) == 1 {
		return 1
	}
	switch p[1] {
	case '[':
		for i := 2; i < len(p); i++ {
			if p[i] >= 0x40 && p[i] <= 0x7e {
				return i + 1
			}
		}
		return 0
	case 'O':
		if len(p) < 3 {
			return 0
		}
		return 3
	case ']', 'P', '_', '^', 'X':
		for i := 2; i < len(p); i++ {
			if p[i] == 0x07 {
				return i + 1
			}
			if p[i] == '\\' && p[i-1] == 0x1b {
				return i + 1
			}
		}
		return 0
	}
	if !utf8.FullRune(p[1:]) {
		return 0
	}
	_, n := utf8.DecodeRune(p[1:])
	return 1 + n
}
