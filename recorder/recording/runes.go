package recording

import "unicode/utf8"

// runes holds back the begin of a rune until the rest of it comes, so that no
// event ends within one.
type runes struct {
	held [utf8.UTFMax]byte
	n    int
}

// split gives what can be written of the held bytes and p, in up to two parts,
// and holds back an incomplete rune at the end.
func (r *runes) split(p []byte) (joint, rest []byte) {
	if r.n > 0 {
		joint = append(joint, r.held[:r.n]...)
		for len(p) > 0 && !utf8.FullRune(joint) {
			joint, p = append(joint, p[0]), p[1:]
		}
		if !utf8.FullRune(joint) {
			r.n = copy(r.held[:], joint)
			return nil, nil
		}
		r.n = 0
	}
	// A rune's first byte may make the begin of another of what was invalid.
	if tail := incomplete(joint); tail > 0 {
		p = append(joint[len(joint)-tail:len(joint):len(joint)], p...)
		joint = joint[:len(joint)-tail]
	}
	tail := incomplete(p)
	r.n = copy(r.held[:], p[len(p)-tail:])
	return joint, p[:len(p)-tail]
}

// flush gives what is held back: nothing will complete it.
func (r *runes) flush() []byte {
	out := r.held[:r.n]
	r.n = 0
	return out
}

// incomplete gives how many bytes at the end of p begin a rune that lacks its
// rest, at most three.
func incomplete(p []byte) int {
	for n := 1; n <= min(len(p), utf8.UTFMax-1); n++ {
		c := p[len(p)-n]
		if !utf8.RuneStart(c) {
			continue
		}
		if c >= utf8.RuneSelf && !utf8.FullRune(p[len(p)-n:]) {
			return n
		}
		return 0
	}
	return 0
}

// cut gives a place at or before limit where p may be split: not within a
// rune. limit is at least utf8.UTFMax.
func cut(p []byte, limit int) int {
	if len(p) <= limit {
		return len(p)
	}
	return limit - incomplete(p[:limit])
}
