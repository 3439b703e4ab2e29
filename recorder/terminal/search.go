package terminal

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Pattern is a text to look for on rows. Where it has no capital letter, case
// does not count.
type Pattern struct {
	text string
	fold bool
}

// NewPattern makes a pattern. An empty one matches nothing.
func NewPattern(text string) Pattern {
	fold := strings.IndexFunc(text, unicode.IsUpper) < 0
	return Pattern{text: text, fold: fold}
}

// Matches tells the columns on a row at which the pattern stands.
func (t *Terminal) Matches(y int, p Pattern) []Span {
	if p.text == "" || y < 0 || y >= t.rows {
		return nil
	}
	var b strings.Builder
	for i := range t.lines[y].cells {
		if c := &t.lines[y].cells[i]; c.Width > 0 {
			b.WriteString(p.folded(t.text(c)))
		}
	}
	row := b.String()
	var out []Span
	for at := 0; ; {
		i := strings.Index(row[at:], p.text)
		if i < 0 {
			return out
		}
		from := at + i
		at = from + len(p.text)
		out = append(out, Span{t.column(y, p, from), t.column(y, p, at)})
	}
}

// folded gives a text in the case in which it is compared. Letters whose lower
// case is longer stay as they are.
func (p Pattern) folded(s string) string {
	if !p.fold {
		return s
	}
	if len(s) == 1 {
		if c := s[0]; c >= 'A' && c <= 'Z' {
			return string(rune(c + 'a' - 'A'))
		}
		return s
	}
	return strings.ToLower(s)
}

// column is the column at which byte n of a row's text stands.
func (t *Terminal) column(y int, p Pattern, n int) int {
	cells := t.lines[y].cells
	for x := range cells {
		c := &cells[x]
		if c.Width == 0 {
			continue
		}
		if n <= 0 {
			return x
		}
		if c.char < utf8.RuneSelf {
			n--
			continue
		}
		n -= len(p.folded(t.text(c)))
	}
	return len(cells)
}
