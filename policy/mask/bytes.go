package mask

import "math/bits"

func isDigit(c byte) bool  { return c-'0' < 10 }
func isLetter(c byte) bool { return (c|0x20)-'a' < 26 }

func ones(x uint64) int { return bits.OnesCount64(x) }

// isSpace reports whether c is white space within or between lines.
func isSpace(c byte) bool { return c == ' ' || c-'\t' < 5 }

// lower folds an ASCII letter.
func lower(c byte) byte {
	if c-'A' < 26 {
		return c | 0x20
	}
	return c
}
