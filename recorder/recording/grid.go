package recording

import (
	"slices"
	"unicode/utf8"
)

// row is one line of a screen.
type row struct {
	cells []rune // as far as something was written; 0 is the second half of a wide rune
	joins map[int]string
	// goesOn is set where the row before was full and ran over into this one.
	goesOn bool
}

func (r *row) clear() { r.cells, r.joins, r.goesOn = r.cells[:0], nil, false }

// reach makes at least n cells.
func (r *row) reach(n int) {
	for len(r.cells) < n {
		r.cells = append(r.cells, ' ')
	}
}

// erase blanks the cells from from until to.
func (r *row) erase(from, to int) {
	if to >= len(r.cells) {
		r.cells = r.cells[:min(from, len(r.cells))]
	}
	for i := from; i < min(to, len(r.cells)); i++ {
		r.cells[i] = ' '
	}
	for i := range r.joins {
		if i >= from && i < to {
			delete(r.joins, i)
		}
	}
}

// appendText adds the text from the column from until to.
func (r *row) appendText(b []byte, from, to int) []byte {
	for i := from; i < to; i++ {
		if i >= len(r.cells) {
			b = append(b, ' ')
			continue
		}
		if c := r.cells[i]; c != 0 {
			b = utf8.AppendRune(b, c)
		}
		if r.joins != nil {
			b = append(b, r.joins[i]...)
		}
	}
	return b
}

// place is a cell, told so that scrolling does not change it.
type place struct {
	line int // counted from the first line that the screen ever had
	col  int
}

// grid is the text of one screen, without colours, and the cursor in it.
type grid struct {
	rows           []row
	cols           int
	x, y           int
	full           bool // the last column was written: the next rune begins a new row
	top            int  // how many lines were scrolled away
	from, to       int  // the rows that scroll, to excluded
	savedX, savedY int
	last           rune // for REP

	gone func(*row) // told of each row that leaves the screen at its top; may be nil
}

// The largest screen that is followed. It bounds memory.
const (
	maxCols = 1024
	maxRows = 512
)

func newGrid(cols, rows int) *grid {
	cols, rows = min(cols, maxCols), min(rows, maxRows)
	return &grid{rows: make([]row, rows), cols: cols, to: rows}
}

func (g *grid) cursor() place { return place{g.top + g.y, g.x} }

// resize keeps the cursor's line in sight. Lines are not wrapped anew; what a
// narrower screen does not show of them stays until it is erased.
func (g *grid) resize(cols, rows int) {
	cols, rows = min(cols, maxCols), min(rows, maxRows)
	if over := g.y - rows + 1; over > 0 {
		g.leave(over)
		g.rows = g.rows[over:]
		g.top += over
		g.y -= over
	}
	for len(g.rows) < rows {
		g.rows = append(g.rows, row{})
	}
	g.rows = append([]row(nil), g.rows[:rows]...)
	g.cols, g.from, g.to, g.full = cols, 0, rows, false
	g.x = min(g.x, cols-1)
}

// ascii writes printable ASCII.
func (g *grid) ascii(p []byte) {
	for len(p) > 0 {
		if g.full {
			g.wrap()
		}
		n := min(len(p), g.cols-g.x)
		r := &g.rows[g.y]
		r.reach(g.x)
		over := min(n, len(r.cells)-g.x)
		for i, c := range p[:over] {
			r.cells[g.x+i] = rune(c)
		}
		for _, c := range p[over:n] {
			r.cells = append(r.cells, rune(c))
		}
		if r.joins != nil {
			for i := range n {
				delete(r.joins, g.x+i)
			}
		}
		g.last = rune(p[n-1])
		g.advance(n)
		p = p[n:]
	}
}

func (g *grid) advance(n int) {
	g.x += n
	if g.x >= g.cols {
		g.x, g.full = g.cols-1, true
	}
}

// put writes one rune.
func (g *grid) put(c rune) {
	n := cells(c)
	if n == 0 {
		g.join(c)
		return
	}
	if g.full || g.x+n > g.cols {
		g.wrap()
	}
	if n > g.cols {
		return
	}
	r := &g.rows[g.y]
	r.reach(g.x + n)
	r.erase(g.x, g.x+n)
	r.reach(g.x + n)
	r.cells[g.x] = c
	if n == 2 {
		r.cells[g.x+1] = 0
	}
	g.last = c
	g.advance(n)
}

// join adds a rune without a width to the one before.
func (g *grid) join(c rune) {
	r := &g.rows[g.y]
	at := g.x - 1
	if g.full {
		at = g.x
	}
	if at > 0 && at < len(r.cells) && r.cells[at] == 0 {
		at--
	}
	if at < 0 || at >= len(r.cells) {
		return
	}
	if r.joins == nil {
		r.joins = map[int]string{}
	}
	if len(r.joins[at]) < 64 {
		r.joins[at] += string(c)
	}
}

func (g *grid) wrap() {
	g.x, g.full = 0, false
	g.down()
	g.rows[g.y].goesOn = true
}

// down moves to the next row, scrolling at the end of the region.
func (g *grid) down() {
	g.full = false
	switch {
	case g.y == g.to-1:
		g.scroll(1)
	case g.y < len(g.rows)-1:
		g.y++
	}
}

func (g *grid) up() {
	g.full = false
	if g.y == g.from {
		g.scroll(-1)
	} else if g.y > 0 {
		g.y--
	}
}

// scroll moves the region's rows up by n, or down where n is negative.
func (g *grid) scroll(n int) {
	if g.from == 0 && n > 0 {
		g.top += min(n, g.to)
		g.leave(min(n, g.to))
	}
	g.shift(g.from, n)
}

// leave tells of the first n rows.
func (g *grid) leave(n int) {
	if g.gone == nil {
		return
	}
	for i := range g.rows[:n] {
		g.gone(&g.rows[i])
	}
}

// shift moves rows from at until the region's end up by n, or down.
func (g *grid) shift(at, n int) {
	region := g.rows[at:g.to]
	if n >= len(region) || -n >= len(region) {
		clearRows(region)
		return
	}
	if n < 0 {
		n += len(region) // the same turn, the other way round
		turn(region, n)
		clearRows(region[:len(region)-n])
		return
	}
	turn(region, n)
	clearRows(region[len(region)-n:])
}

// turn moves the first n rows behind the others.
func turn(rows []row, n int) {
	if n == 1 {
		first := rows[0]
		copy(rows, rows[1:])
		rows[len(rows)-1] = first
		return
	}
	slices.Reverse(rows[:n])
	slices.Reverse(rows[n:])
	slices.Reverse(rows)
}

func clearRows(rows []row) {
	for i := range rows {
		rows[i].clear()
	}
}

// move puts the cursor somewhere on the screen.
func (g *grid) move(x, y int) {
	g.x, g.y, g.full = max(0, min(x, g.cols-1)), max(0, min(y, len(g.rows)-1)), false
}

// line gives the rows that one line takes, from and to included, that holds
// the row y.
func (g *grid) line(y int) (from, to int) {
	from, to = y, y
	for from > 0 && g.rows[from].goesOn {
		from--
	}
	for to+1 < len(g.rows) && g.rows[to+1].goesOn {
		to++
	}
	return from, to
}

// text gives what stands between two cells, the second excluded, without
// breaks where a line ran over.
func (g *grid) text(a, b place) []byte {
	var out []byte
	for n := a.line; n <= b.line; n++ {
		y := n - g.top
		if y < 0 || y >= len(g.rows) {
			continue
		}
		from, to := 0, g.cols
		if n == a.line {
			from = a.col
		}
		if n == b.line {
			to = b.col
		}
		r := &g.rows[y]
		if n < b.line && (y+1 >= len(g.rows) || !g.rows[y+1].goesOn) {
			to = min(to, len(r.cells))
			out = append(r.appendText(out, from, to), '\n')
			continue
		}
		out = r.appendText(out, from, to)
	}
	return out
}
