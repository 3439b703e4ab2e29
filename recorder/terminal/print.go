package terminal

import (
	"strings"
	"unicode/utf8"
)

// drawing is the DEC special graphics set (VT100 User Guide, table 3-9), from
// '`' on.
const drawing = "◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·"

func (t *Terminal) drawn(r rune) rune {
	if !t.cur.sets[t.cur.shift] || r < '`' || r > '~' {
		return r
	}
	for _, d := range drawing {
		if r == '`' {
			return d
		}
		r--
	}
	return r
}

// printASCII writes a run of printable ASCII characters.
func (t *Terminal) printASCII(run []byte) {
	if t.modes.insert || t.cur.sets[t.cur.shift] {
		for _, b := range run {
			t.print(t.drawn(rune(b)))
		}
		return
	}
	t.last = rune(run[len(run)-1])
	for len(run) > 0 {
		t.wrapped(1)
		c := &t.cur
		n := min(len(run), t.cols-c.x)
		cells := t.edit(c.y)
		cut(cells, c.x, c.x+n)
		for i, b := range run[:n] {
			cells[c.x+i] = Cell{Style: c.pen, Width: 1, char: rune(b)}
		}
		t.advance(n)
		run = run[n:]
		if !t.modes.wrap && len(run) > 0 { // the last column takes them all
			run = run[len(run)-1:]
			t.cur.wrap = false
		}
	}
}

// print writes one character.
func (t *Terminal) print(r rune) {
	width := widthOf(r)
	if width < 0 || width > t.cols || t.combine(r, width) || width == 0 {
		return
	}
	t.last = r
	t.wrapped(width)
	c := &t.cur
	if c.x+width > t.cols { // only without wrapping
		return
	}
	if t.modes.insert {
		t.insertCells(width)
	}
	cells := t.edit(c.y)
	cut(cells, c.x, c.x+width)
	cells[c.x] = Cell{Style: c.pen, Width: uint8(width), char: r}
	if width == 2 {
		cells[c.x+1] = Cell{Style: c.pen}
	}
	t.advance(width)
}

// wrapped goes to the next row where the current one has no room.
func (t *Terminal) wrapped(width int) {
	if t.modes.wrap && (t.cur.wrap || t.cur.x+width > t.cols) {
		t.cur.x, t.cur.wrap = 0, false
		t.lineFeed()
	}
	t.cur.wrap = false
}

func (t *Terminal) advance(n int) {
	t.cur.x += n
	if t.cur.x >= t.cols {
		t.cur.x, t.cur.wrap = t.cols-1, true
	}
}

// cut blanks the other halves of wide characters at the ends of what is about to
// be overwritten.
func cut(cells []Cell, from, to int) {
	if from > 0 && from < len(cells) && cells[from].Width == 0 {
		cells[from-1].char, cells[from-1].Width = ' ', 1
		cells[from].char, cells[from].Width = ' ', 1
	}
	if to > 0 && to < len(cells) && cells[to].Width == 0 {
		cells[to].char, cells[to].Width = ' ', 1
		if to-1 >= from {
			cells[to-1].char, cells[to-1].Width = ' ', 1
		}
	}
}

// combine adds a character to the one before it where it belongs there: marks,
// skin tones, and what follows a joiner.
func (t *Terminal) combine(r rune, width int) bool {
	if width > 0 && r < utf8.RuneSelf {
		return false
	}
	x := t.cur.x
	if !t.cur.wrap {
		x--
	}
	if x < 0 {
		return false
	}
	cells := t.lines[t.cur.y].cells
	if cells[x].Width == 0 && x > 0 {
		x--
	}
	modifier := r >= firstModifier && r <= lastModifier && cells[x].Width == 2
	if width > 0 && !modifier && cells[x].char < firstNumber {
		return false
	}
	before := t.text(&cells[x])
	if width > 0 && !modifier && !strings.HasSuffix(before, string(zwj)) {
		return false
	}
	if n, ok := t.number(before + string(r)); ok {
		t.edit(t.cur.y)[x].char = n
	}
	return true
}
