package recording

import "unicode"

// cells gives how many columns a rune takes on a screen: none, one or two.
// Programs and terminals differ in rare ones; then a line wraps elsewhere.
func cells(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case r >= 0x1100 && isWide(r):
		return 2
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	}
	return 1
}

// isWide tells the ranges that Unicode's EastAsianWidth calls W or F, roughly.
func isWide(r rune) bool {
	switch {
	case r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf && r != 0x303f, r >= 0xa960 && r <= 0xa97f, r >= 0xac00 && r <= 0xd7a3,
		r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f, r >= 0xff01 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6,
		r >= 0x1f300 && r <= 0x1f64f, r >= 0x1f680 && r <= 0x1f6ff, r >= 0x1f900 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return true
	}
	return false
}
