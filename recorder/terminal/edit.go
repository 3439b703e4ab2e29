package terminal

// erase blanks the columns from to to-1 of a row.
func (t *Terminal) erase(y, from, to int) {
	if from == 0 && to == t.cols {
		t.keep(t.lines[y])
		t.lines[y] = t.erasedLine()
		return
	}
	cells := t.edit(y)
	cut(cells, from, to)
	fill(cells[from:to], t.erased())
}

func (t *Terminal) eraseLine(what int) {
	switch what {
	case 0:
		t.erase(t.cur.y, t.cur.x, t.cols)
	case 1:
		t.erase(t.cur.y, 0, t.cur.x+1)
	case 2:
		t.erase(t.cur.y, 0, t.cols)
	}
}

func (t *Terminal) eraseDisplay(what int) {
	from, to := 0, 0
	switch what {
	case 0:
		t.eraseLine(0)
		from, to = t.cur.y+1, t.rows
	case 1:
		t.eraseLine(1)
		to = t.cur.y
	case 2:
		to = t.rows
	}
	for y := from; y < to; y++ {
		t.erase(y, 0, t.cols)
	}
}

// insertCells makes room for n characters at the cursor.
func (t *Terminal) insertCells(n int) {
	cells, x := t.edit(t.cur.y), t.cur.x
	n = min(n, t.cols-x)
	cut(cells, x, x)
	copy(cells[x+n:], cells[x:])
	fill(cells[x:x+n], t.erased())
	mend(cells)
}

// deleteCells takes n characters out at the cursor.
func (t *Terminal) deleteCells(n int) {
	cells, x := t.edit(t.cur.y), t.cur.x
	n = min(n, t.cols-x)
	cut(cells, x, x+n)
	copy(cells[x:], cells[x+n:])
	fill(cells[t.cols-n:], t.erased())
	mend(cells)
}

// mend blanks a wide character whose right half is beyond the last column.
func mend(cells []Cell) {
	if last := &cells[len(cells)-1]; last.Width == 2 {
		last.char, last.Width = ' ', 1
	}
}

// insertLines makes room for n rows at the cursor, or takes -n out.
func (t *Terminal) insertLines(n int) {
	if t.cur.y >= t.top && t.cur.y < t.below {
		t.scroll(t.cur.y, t.below, -n)
	}
}
