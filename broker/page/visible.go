package page

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// piece is a run of text as it is, or a character that is named because it
// would not be seen, or would change how the rest reads.
type piece struct {
	Text string
	Odd  bool
}

// visible takes a text of somebody else apart.
func visible(s string) []piece {
	var out []piece
	start := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		name := ""
		switch {
		case r == utf8.RuneError && n == 1:
			name = fmt.Sprintf(`\x%02x`, s[i])
		case odd(r):
			name = fmt.Sprintf(`\u%04x`, r)
		}
		if name != "" {
			if start < i {
				out = append(out, piece{Text: s[start:i]})
			}
			out = append(out, piece{name, true})
			start = i + n
		}
		i += n
	}
	if start < len(s) {
		out = append(out, piece{Text: s[start:]})
	}
	return out
}

// odd reports what is not printed as itself: control and direction characters,
// spaces that are none to SQL, and those that have no width.
func odd(r rune) bool {
	if r == '\n' || r == '\t' {
		return false
	}
	return !unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
