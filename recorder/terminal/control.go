package terminal

// control carries out a C0 control character.
func (t *Terminal) control(b byte) {
	switch b {
	case 0x08: // BS
		t.cur.x, t.cur.wrap = max(0, t.cur.x-1), false
	case 0x09: // HT
		t.tab(1)
	case 0x0a, 0x0b, 0x0c: // LF, VT, FF
		t.lineFeed()
		if t.modes.newline {
			t.cur.x = 0
		}
		t.cur.wrap = false
	case 0x0d: // CR
		t.cur.x, t.cur.wrap = 0, false
	case 0x0e, 0x0f: // SO, SI
		t.cur.shift = int(0x0f - b)
	case 0x1b:
		t.parser.begin(escape)
	}
}

// escapeCommand carries out ESC and one byte.
func (t *Terminal) escapeCommand(b byte) {
	switch b {
	case '7': // DECSC
		t.saved = t.cur
	case '8': // DECRC
		t.restore(t.saved)
	case 'D': // IND
		t.lineFeed()
	case 'E': // NEL
		t.cur.x, t.cur.wrap = 0, false
		t.lineFeed()
	case 'M': // RI
		t.reverseIndex()
	case 'H': // HTS
		t.tabs[t.cur.x] = true
	case 'c': // RIS
		t.reset()
	}
}

// designate carries out ESC, an intermediate byte and one more: character sets
// and DECALN.
func (t *Terminal) designate(middle, b byte) {
	switch middle {
	case '(', ')':
		t.cur.sets[middle-'('] = b == '0'
	case '#':
		if b == '8' {
			t.edits++
			full := &line{cells: make([]Cell, t.cols), shared: true, id: t.edits}
			fill(full.cells, Cell{char: 'E', Width: 1})
			for y := range t.lines {
				t.lines[y] = full
			}
			t.top, t.below = 0, t.rows
			t.cur.x, t.cur.y, t.cur.wrap = 0, 0, false
		}
	}
}

func (t *Terminal) restore(c cursor) {
	visible := t.cur.visible
	t.cur = c
	t.cur.visible = visible
	t.cur.x, t.cur.y = min(c.x, t.cols-1), min(c.y, t.rows-1)
}

func (t *Terminal) lineFeed() {
	switch {
	case t.cur.y == t.below-1:
		t.scroll(t.top, t.below, 1)
	case t.cur.y < t.rows-1:
		t.cur.y++
	}
	t.cur.wrap = false
}

func (t *Terminal) reverseIndex() {
	switch {
	case t.cur.y == t.top:
		t.scroll(t.top, t.below, -1)
	case t.cur.y > 0:
		t.cur.y--
	}
	t.cur.wrap = false
}

// tab goes to the n-th tab stop, forward or back.
func (t *Terminal) tab(n int) {
	by := 1
	if n < 0 {
		n, by = -n, -1
	}
	x := t.cur.x
	for n = min(n, t.cols); n > 0; n-- {
		for x += by; x > 0 && x < t.cols-1 && !t.tabs[x]; x += by {
		}
		x = max(0, min(x, t.cols-1))
	}
	t.cur.x, t.cur.wrap = x, false
}

// scroll moves the rows from top to below-1 up by n, or down by -n.
func (t *Terminal) scroll(top, below, n int) {
	rows := t.lines[top:below]
	up := n > 0
	if !up {
		n = -n
	}
	n = min(n, len(rows))
	var in []*line
	if up {
		t.keep(rows[0])
		copy(rows, rows[n:])
		in = rows[len(rows)-n:]
	} else {
		t.keep(rows[len(rows)-1])
		copy(rows[n:], rows)
		in = rows[:n]
	}
	empty := t.erasedLine()
	for i := range in {
		in[i] = empty
	}
}

// keep keeps a row that leaves for the next that is needed.
func (t *Terminal) keep(gone *line) {
	if !gone.shared {
		t.spare = gone
	}
}
