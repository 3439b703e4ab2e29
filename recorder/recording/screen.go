package recording

import "bytes"

// screen follows what a terminal shows, as text: enough to read lines off it.
type screen struct {
	parser
	grid *grid // the one that is shown
	main *grid
	alt  *grid // made when first shown

	// returning is called before the cursor goes back to the begin of its line,
	// leaving before it goes to the next one, and left after it did.
	returning, leaving, left func()
	mark                     func(text []byte) // a shell's mark, what follows "133;"
}

func newScreen(cols, rows int) screen {
	g := newGrid(cols, rows)
	return screen{grid: g, main: g}
}

// alternate tells whether a program has the whole screen for itself.
func (s *screen) alternate() bool { return s.grid != s.main }

func (s *screen) resize(cols, rows int) {
	s.main.resize(cols, rows)
	if s.alt != nil {
		s.alt.resize(cols, rows)
	}
}

func (s *screen) c0(c byte) {
	g := s.grid
	switch c {
	case '\n', '\v', '\f':
		s.newline()
	case '\r':
		s.returning()
		g.x, g.full = 0, false
	case '\b':
		g.x, g.full = max(0, g.x-1), false
	case '\t':
		g.move((g.x/8+1)*8, g.y)
	case 0x1b:
		s.parser.state = escape
	}
}

func (s *screen) newline() {
	s.leaving()
	s.grid.down()
	s.left()
}

// escape is a sequence of ESC and one byte.
func (s *screen) escape(c byte) {
	g := s.grid
	switch c {
	case '7':
		g.savedX, g.savedY = g.x, g.y
	case '8':
		g.move(g.savedX, g.savedY)
	case 'D':
		s.newline()
	case 'E':
		g.x = 0
		s.newline()
	case 'M':
		g.up()
	case 'c':
		s.grid = s.main
		s.grid.eraseDisplay(2)
		s.grid.move(0, 0)
		s.grid.from, s.grid.to = 0, len(s.grid.rows)
	}
}

// csi is a control sequence with its last byte c.
func (s *screen) csi(c byte) {
	q, g := &s.parser, s.grid
	if q.prefix != 0 || q.inter != 0 {
		if q.prefix == '?' && (c == 'h' || c == 'l') {
			s.modes(c == 'h')
		}
		return
	}
	n := q.param(0, 1)
	switch c {
	case 'A':
		g.move(g.x, g.y-n)
	case 'B', 'e':
		g.move(g.x, g.y+n)
	case 'C', 'a':
		g.move(g.x+n, g.y)
	case 'D':
		g.move(g.x-n, g.y)
	case 'E':
		g.move(0, g.y+n)
	case 'F':
		g.move(0, g.y-n)
	case 'G', '`':
		g.move(n-1, g.y)
	case 'd':
		g.move(g.x, n-1)
	case 'H', 'f':
		g.move(q.param(1, 1)-1, n-1)
	case 's':
		g.savedX, g.savedY = g.x, g.y
	case 'u':
		g.move(g.savedX, g.savedY)
	default:
		g.edit(c, q)
	}
}

// edit changes what stands there.
func (g *grid) edit(c byte, q *parser) {
	n, r := q.param(0, 1), &g.rows[g.y]
	switch c {
	case 'J':
		g.eraseDisplay(q.param(0, 0))
	case 'K':
		switch q.param(0, 0) {
		case 0:
			r.erase(g.x, maxCols)
		case 1:
			r.erase(0, g.x+1)
		case 2:
			r.erase(0, maxCols)
		}
	case 'X':
		r.erase(g.x, min(g.x+n, g.cols))
	case '@':
		r.insert(g.x, min(n, g.cols-g.x), g.cols)
	case 'P':
		r.remove(g.x, n)
	case 'L':
		if g.y >= g.from && g.y < g.to {
			g.shift(g.y, -n)
		}
	case 'M':
		if g.y >= g.from && g.y < g.to {
			g.shift(g.y, n)
		}
	case 'S':
		g.scroll(n)
	case 'T':
		g.scroll(-n)
	case 'b':
		g.repeat(n)
	case 'r':
		from, to := n-1, min(q.param(1, len(g.rows)), len(g.rows))
		if from < to-1 {
			g.from, g.to = from, to
			g.move(0, 0)
		}
	}
}

// repeat writes the last rune again, as often as a row has room.
func (g *grid) repeat(n int) {
	for range min(n, g.cols) {
		if g.last >= ' ' {
			g.put(g.last)
		}
	}
}

// eraseDisplay is ED: 0 from the cursor on, 1 up to it, 2 and 3 all.
func (g *grid) eraseDisplay(how int) {
	switch how {
	case 0:
		g.rows[g.y].erase(g.x, maxCols)
		clearRows(g.rows[g.y+1:])
	case 1:
		clearRows(g.rows[:g.y])
		g.rows[g.y].erase(0, g.x+1)
	case 2:
		g.leave(g.used())
		clearRows(g.rows)
	}
}

// used gives how many rows there are down to the last that is not blank.
func (g *grid) used() int {
	n := len(g.rows)
	for n > 0 && len(g.rows[n-1].cells) == 0 {
		n--
	}
	return n
}

// insert moves the cells from at on to the right by n.
func (r *row) insert(at, n, cols int) {
	if at >= len(r.cells) {
		return
	}
	r.joins = nil
	tail := append([]rune(nil), r.cells[at:]...)
	r.cells = r.cells[:at]
	r.reach(at + n)
	r.cells = append(r.cells, tail...)
	r.cells = r.cells[:min(len(r.cells), cols)]
}

// remove takes n cells out at at.
func (r *row) remove(at, n int) {
	if at >= len(r.cells) {
		return
	}
	r.joins = nil
	r.cells = append(r.cells[:at], r.cells[min(at+n, len(r.cells)):]...)
}

// modes sets or resets DEC's private modes; those that show another screen
// count.
func (s *screen) modes(set bool) {
	for _, mode := range s.parser.params[:s.parser.n] {
		switch mode {
		case 47, 1047, 1049:
			s.switchTo(set, mode == 1049)
		case 1048:
			s.keepCursor(set)
		}
	}
}

func (s *screen) keepCursor(set bool) {
	if set {
		s.grid.savedX, s.grid.savedY = s.grid.x, s.grid.y
	} else {
		s.grid.move(s.grid.savedX, s.grid.savedY)
	}
}

func (s *screen) switchTo(alternate, cursor bool) {
	if alternate == s.alternate() {
		return
	}
	if !alternate {
		s.grid = s.main
		if cursor {
			s.keepCursor(false)
		}
		return
	}
	if cursor {
		s.keepCursor(true)
	}
	x, y := s.grid.x, s.grid.y
	s.alt = newGrid(s.main.cols, len(s.main.rows))
	s.grid = s.alt
	s.grid.move(x, y)
}

// osc is an operating system command.
func (s *screen) osc(text []byte) {
	if mark, ok := bytes.CutPrefix(text, []byte("133;")); ok {
		s.mark(mark)
	}
}
