package terminal

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Pattern is a text to look for on rows. Where it has no capital letter, case
// does not count.
type Pattern struct {
	bytes []byte
	fold  bool
}

// NewPattern makes a pattern. An empty one matches nothing.
func NewPattern(text string) Pattern {
	fold := strings.IndexFunc(text, unicode.IsUpper) < 0
	return Pattern{bytes: []byte(text), fold: fold}
}

// Matches tells the columns on a row at which the pattern stands.
func (t *Terminal) Matches(y int, p Pattern) []Span {
	if len(p.bytes) == 0 || y < 0 || y >= t.rows {
		return nil
	}
	row := t.scratch[:0]
	for i := range t.lines[y].cells {
		row = t.appendFolded(row, &t.lines[y].cells[i], p.fold)
	}
	t.scratch = row
	var out []Span
	for at := 0; ; {
		i := bytes.Index(row[at:], p.bytes)
		if i < 0 {
			return out
		}
		from := at + i
		at = from + len(p.bytes)
		out = append(out, Span{t.column(y, p, from), t.column(y, p, at)})
	}
}

// appendFolded adds what stands in a cell, in the case in which it is compared.
func (t *Terminal) appendFolded(dst []byte, c *Cell, fold bool) []byte {
	switch {
	case c.Width == 0:
		return dst
	case c.char >= firstNumber:
		text := t.clusters[c.char-firstNumber]
		if fold {
			text = strings.ToLower(text)
		}
		return append(dst, text...)
	case !fold:
		return utf8.AppendRune(dst, c.char)
	case c.char < utf8.RuneSelf:
		if c.char >= 'A' && c.char <= 'Z' {
			return append(dst, byte(c.char)+'a'-'A')
		}
		return append(dst, byte(c.char))
	}
	return utf8.AppendRune(dst, unicode.ToLower(c.char))
}

// column is the column at which byte n of a row's text stands.
func (t *Terminal) column(y int, p Pattern, n int) int {
	cells := t.lines[y].cells
	for x := range cells {
		if cells[x].Width == 0 {
			continue
		}
		if n <= 0 {
			return x
		}
		n -= len(t.appendFolded(nil, &cells[x], p.fold))
	}
	return len(cells)
}
