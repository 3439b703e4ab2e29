package terminal

// csiCommand carries out a control sequence. What is not known is left out.
func (t *Terminal) csiCommand(final byte) {
	s := &t.parser
	switch {
	case s.prefix == '?' && s.middle == 0 && (final == 'h' || final == 'l'):
		for i := range s.count {
			t.privateMode(int(s.params[i]), final == 'h')
		}
	case s.prefix == 0 && s.middle == '!' && final == 'p': // DECSTR
		t.softReset()
	case s.prefix == 0 && s.middle == 0:
		if !t.moving(final) && !t.editing(final) {
			t.setting(final)
		}
	}
}

// moving carries out what only moves the cursor.
func (t *Terminal) moving(final byte) bool {
	n := t.param(0, 1)
	c := &t.cur
	switch final {
	case 'A': // CUU
		t.up(n)
	case 'B', 'e': // CUD, VPR
		t.down(n)
	case 'C', 'a': // CUF, HPR
		c.x = min(t.cols-1, c.x+n)
	case 'D': // CUB
		c.x = max(0, c.x-n)
	case 'E': // CNL
		t.down(n)
		c.x = 0
	case 'F': // CPL
		t.up(n)
		c.x = 0
	case 'G', '`': // CHA, HPA
		c.x = min(t.cols, n) - 1
	case 'H', 'f': // CUP, HVP
		t.goTo(t.param(1, 1)-1, n-1)
	case 'd': // VPA
		t.goTo(c.x, n-1)
	case 'I': // CHT
		t.tab(n)
	case 'Z': // CBT
		t.tab(-n)
	default:
		return false
	}
	c.wrap = false
	return true
}

// up and down stop at the scrolling region where they begin within it.
func (t *Terminal) up(n int) {
	stop := 0
	if t.cur.y >= t.top {
		stop = t.top
	}
	t.cur.y = max(stop, t.cur.y-n)
}

func (t *Terminal) down(n int) {
	stop := t.rows - 1
	if t.cur.y < t.below {
		stop = t.below - 1
	}
	t.cur.y = min(stop, t.cur.y+n)
}

// goTo goes to a place, counted in the scrolling region where DECOM says so.
func (t *Terminal) goTo(x, y int) {
	from, to := 0, t.rows
	if t.cur.origin {
		from, to = t.top, t.below
	}
	t.cur.x, t.cur.y = max(0, min(x, t.cols-1)), max(from, min(from+y, to-1))
	t.cur.wrap = false
}

// editing carries out what changes characters.
func (t *Terminal) editing(final byte) bool {
	n := t.param(0, 1)
	c := &t.cur
	switch final {
	case '@': // ICH
		t.insertCells(n)
	case 'P': // DCH
		t.deleteCells(n)
	case 'X': // ECH
		t.erase(c.y, c.x, min(t.cols, c.x+n))
	case 'L': // IL
		t.insertLines(n)
	case 'M': // DL
		t.insertLines(-n)
	case 'S': // SU
		t.scroll(t.top, t.below, n)
	case 'T': // SD
		t.scroll(t.top, t.below, -n)
	case 'J': // ED
		t.eraseDisplay(t.param(0, 0))
	case 'K': // EL
		t.eraseLine(t.param(0, 0))
	case 'b': // REP
		for n = min(n, t.cols-c.x); n > 0 && t.last != 0; n-- {
			t.print(t.last)
		}
		return true
	default:
		return false
	}
	return true
}

// setting carries out what changes how the rest works.
func (t *Terminal) setting(final byte) {
	switch final {
	case 'm':
		t.rendition()
	case 'h', 'l':
		for i := range t.parser.count {
			switch t.parser.params[i] {
			case 4: // IRM
				t.modes.insert = final == 'h'
			case 20: // LNM
				t.modes.newline = final == 'h'
			}
		}
	case 'r': // DECSTBM
		top, below := t.param(0, 1), min(t.rows, t.param(1, t.rows))
		if top < below {
			t.top, t.below = top-1, below
			t.goTo(0, 0)
		}
	case 's': // SCOSC
		t.saved = t.cur
	case 'u': // SCORC
		t.restore(t.saved)
	case 'g': // TBC
		switch t.param(0, 0) {
		case 0:
			t.tabs[t.cur.x] = false
		case 3:
			clear(t.tabs)
		}
	}
}

func (t *Terminal) softReset() {
	t.modes = modes{wrap: true}
	t.cur.origin, t.cur.visible, t.cur.pen = false, true, Style{}
	t.cur.sets, t.cur.shift = [2]bool{}, 0
	t.top, t.below = 0, t.rows
	t.saved = cursor{visible: true}
}

// privateMode sets or resets a mode of DEC's or xterm's.
func (t *Terminal) privateMode(mode int, on bool) {
	switch mode {
	case 5: // DECSCNM
		t.modes.reverse = on
	case 6: // DECOM
		t.cur.origin = on
		t.goTo(0, 0)
	case 7: // DECAWM
		t.modes.wrap = on
	case 25: // DECTCEM
		t.cur.visible = on
	case 47, 1047:
		t.alternate(on, false)
	case 1048:
		if on {
			t.saved = t.cur
		} else {
			t.restore(t.saved)
		}
	case 1049:
		t.alternate(on, true)
	}
}

// alternate shows the other screen. The alternate one is empty each time.
func (t *Terminal) alternate(on, withCursor bool) {
	if on == t.onAlt {
		return
	}
	t.onAlt = on
	if on {
		t.left = t.cur
		t.alt = t.blankLines()
		t.lines = t.alt
	} else {
		t.alt = nil
		t.lines = t.main
		if withCursor {
			t.restore(t.left)
		}
	}
}
