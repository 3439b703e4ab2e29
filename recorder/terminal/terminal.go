// Package terminal is a terminal without a screen: it takes what a program
// wrote to its terminal, as bytes, and tells what would stand on it.
//
// # Scope
//
// It shows and never answers: queries of a program (DA, DSR, DECRQM, OSC
// colours) get no reply, and titles, links, clipboards and images are read over
// without being kept. The bytes may come from anybody: no sequence of them makes
// it panic, work for longer than in proportion to their number, or hold more
// than its rows and columns need. The sequences are those that xterm documents
// in "XTerm Control Sequences" and ECMA-48, as far as programs use them.
package terminal

import "slices"

// MaxCols and MaxRows bound the size of a terminal; what is larger is cut.
const (
	MaxCols = 1000
	MaxRows = 400
)

// Terminal is one terminal with its two screens. It is made by New and is not
// safe for several goroutines at once.
type Terminal struct {
	cols, rows int
	main       []*line
	alt        []*line
	onAlt      bool
	lines      []*line // main or alt, whichever is shown

	cur        cursor
	saved      cursor // DECSC
	left       cursor // of the main screen, while the alternate one is shown
	top, below int    // the scrolling region: rows top to below-1
	tabs       []bool
	modes      modes

	parser   parser
	last     rune // for REP
	clusters []string
	index    map[string]rune // of clusters; made when needed
	edits    uint64          // counts changes of rows
	empty    *line           // a row of erased cells, which many rows share
	spare    *line           // a row that nothing shows any more
	scratch  []byte
}

// line is one row. A shared one belongs to a clone too and is copied before it
// is changed.
type line struct {
	cells  []Cell
	shared bool
	id     uint64 // of the latest change
}

// cursor is what DECSC saves.
type cursor struct {
	x, y    int
	wrap    bool // a character was written in the last column: the next one wraps
	pen     Style
	sets    [2]bool // G0 and G1: is it the line drawing set
	shift   int     // which of both is in use
	origin  bool
	visible bool
}

// modes are those that change what stands on the screen.
type modes struct {
	wrap, insert, newline, reverse bool
}

// New makes an empty terminal. Sizes are brought between 1 and the bounds.
func New(cols, rows int) *Terminal {
	cols, rows = bound(cols, MaxCols), bound(rows, MaxRows)
	t := &Terminal{cols: cols, rows: rows}
	t.reset()
	return t
}

func bound(n, most int) int { return max(1, min(n, most)) }

// reset is RIS.
func (t *Terminal) reset() {
	t.cur = cursor{visible: true}
	t.main, t.alt, t.onAlt = t.blankLines(), nil, false
	t.lines = t.main
	t.saved, t.left = t.cur, t.cur
	t.top, t.below = 0, t.rows
	t.modes = modes{wrap: true}
	t.last = 0
	t.resetTabs()
}

func (t *Terminal) blankLines() []*line {
	out := make([]*line, t.rows)
	empty := t.erasedLine()
	for y := range out {
		out[y] = empty
	}
	return out
}

// erasedLine gives a row of blanks on the background in use, as xterm and tmux
// erase ("bce" in terminfo).
func (t *Terminal) erasedLine() *line {
	c := t.erased()
	if t.empty == nil || t.empty.cells[0] != c {
		t.edits++
		t.empty = &line{cells: make([]Cell, t.cols), shared: true, id: t.edits}
		fill(t.empty.cells, c)
	}
	return t.empty
}

func (t *Terminal) erased() Cell {
	c := blank()
	c.Bg = t.cur.pen.Bg
	return c
}

func (t *Terminal) resetTabs() {
	t.tabs = make([]bool, t.cols)
	for x := 8; x < t.cols; x += 8 {
		t.tabs[x] = true
	}
}

// Size tells the columns and rows.
func (t *Terminal) Size() (cols, rows int) { return t.cols, t.rows }

// Cursor tells where the cursor is, and whether it shows. In the last column it
// may stand behind a character that was just written.
func (t *Terminal) Cursor() (x, y int, visible bool) { return t.cur.x, t.cur.y, t.cur.visible }

// RowID is a number that stays the same while a row does, also where it moves
// to another place on the screen.
func (t *Terminal) RowID(y int) uint64 { return t.lines[y].id }

// Clone makes a terminal in the same state. It costs little: rows are shared
// until one of both changes them. Neither needs to know of the other afterwards,
// and each may be used in a goroutine of its own.
func (t *Terminal) Clone() *Terminal {
	c := *t
	share(t.main)
	share(t.alt)
	c.main, c.alt = slices.Clone(t.main), slices.Clone(t.alt)
	c.lines = c.main
	if c.onAlt {
		c.lines = c.alt
	}
	c.tabs = slices.Clone(t.tabs)
	c.clusters = t.clusters[:len(t.clusters):len(t.clusters)]
	t.clusters = c.clusters
	c.index, c.spare, c.scratch = nil, nil, nil
	return &c
}

// share marks rows; it writes nothing where they are marked already, so that
// what several goroutines clone stays as it is.
func share(lines []*line) {
	for _, l := range lines {
		if !l.shared {
			l.shared = true
		}
	}
}

// edit gives the cells of a row to change.
func (t *Terminal) edit(y int) []Cell {
	l := t.lines[y]
	if l.shared {
		own := t.spare
		t.spare = nil
		if own == nil {
			own = &line{cells: make([]Cell, t.cols)}
		}
		copy(own.cells, l.cells)
		l = own
		t.lines[y] = l
	}
	t.edits++
	l.id = t.edits
	return l.cells
}

// Resize changes the size. Rows are cut or filled at their ends, never wrapped
// anew. Where the cursor would be below the screen, rows leave at the top.
func (t *Terminal) Resize(cols, rows int) {
	cols, rows = bound(cols, MaxCols), bound(rows, MaxRows)
	if cols == t.cols && rows == t.rows {
		return
	}
	t.cols, t.rows, t.empty, t.spare = cols, rows, nil, nil
	if t.onAlt {
		t.main = t.fit(t.main, &t.left)
		t.alt = t.fit(t.alt, &t.cur)
		t.lines = t.alt
	} else {
		t.main = t.fit(t.main, &t.cur)
		t.lines = t.main
	}
	t.saved.x, t.saved.y, t.saved.wrap = min(t.saved.x, cols-1), min(t.saved.y, rows-1), false
	t.top, t.below = 0, rows
	t.resetTabs()
}

// fit makes rows of the new size of old ones, and brings their cursor along.
func (t *Terminal) fit(old []*line, c *cursor) []*line {
	gone := max(0, c.y-t.rows+1)
	out := make([]*line, t.rows)
	for y := range out {
		t.edits++
		out[y] = &line{cells: make([]Cell, t.cols), id: t.edits}
		fill(out[y].cells, blank())
		if gone+y >= len(old) {
			continue
		}
		copy(out[y].cells, old[gone+y].cells)
		mend(out[y].cells)
	}
	c.x, c.y, c.wrap = min(c.x, t.cols-1), c.y-gone, false
	return out
}
