package page

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzVisible: nothing that is not seen as itself reaches a page as it is, what
// is named is named by its own number, and all else stays as it was, in order.
func FuzzVisible(f *testing.F) {
	for _, s := range []string{"", "delete from orders\n\twhere id = 1", "a\u202e\x1b[2Jb", "\xff\xfe", "\u200b\u3164\ufe0f\u2028\u00a0", "\u05d0\u4e16 \\u202e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var plain strings.Builder
		names := 0
		for _, p := range visible(s) {
			if p.Odd {
				names++
				if strings.IndexFunc(p.Text, func(r rune) bool { return r < '!' || r > '~' }) >= 0 {
					t.Errorf("%q is named %q", s, p.Text)
				}
				continue
			}
			plain.WriteString(p.Text)
			for _, r := range p.Text {
				if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zs, r) && r != ' ' {
					t.Errorf("%U of %q is shown as it is", r, s)
				}
			}
		}
		want, odds := keep(s)
		if plain.String() != want || names != odds {
			t.Errorf("%q: %q stays, want %q; %d are named, want %d", s, plain.String(), want, names, odds)
		}
	})
}

// keep is s without what must be named, and how much that is.
func keep(s string) (kept string, named int) {
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 || odd(r) {
			named++
		} else {
			kept += s[:n]
		}
		s = s[n:]
	}
	return kept, named
}
