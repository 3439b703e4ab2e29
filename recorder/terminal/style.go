package terminal

// rendition carries out SGR (ECMA-48 §8.3.117, and xterm's colours).
func (t *Terminal) rendition() {
	s, pen := &t.parser, &t.cur.pen
	for i := 0; i < s.count; i++ {
		switch p := s.params[i]; {
		case p == 0:
			*pen = Style{}
		case p == 38 || p == 48 || p == 58:
			i = t.extended(i, pen)
		case p >= 30 && p <= 37:
			pen.Fg = Indexed(uint8(p - 30))
		case p == 39:
			pen.Fg = 0
		case p >= 40 && p <= 47:
			pen.Bg = Indexed(uint8(p - 40))
		case p == 49:
			pen.Bg = 0
		case p >= 90 && p <= 97:
			pen.Fg = Indexed(uint8(p - 90 + 8))
		case p >= 100 && p <= 107:
			pen.Bg = Indexed(uint8(p - 100 + 8))
		default:
			i = t.attribute(i, pen)
		}
	}
}

// attribute sets or resets one attribute, and tells the last parameter that it
// read.
func (t *Terminal) attribute(i int, pen *Style) int {
	s := &t.parser
	switch s.params[i] {
	case 1:
		pen.Attr |= Bold
	case 2:
		pen.Attr |= Faint
	case 3:
		pen.Attr |= Italic
	case 4:
		pen.Attr |= Underline
		if i+1 < s.count && s.sub[i+1] && s.params[i+1] == 0 { // 4:0 is no underline
			pen.Attr &^= Underline
		}
	case 5, 6:
		pen.Attr |= Blink
	case 7:
		pen.Attr |= Reverse
	case 8:
		pen.Attr |= Conceal
	case 9:
		pen.Attr |= Strike
	case 21:
		pen.Attr |= Underline // double
	case 22:
		pen.Attr &^= Bold | Faint
	case 23:
		pen.Attr &^= Italic
	case 24:
		pen.Attr &^= Underline
	case 25:
		pen.Attr &^= Blink
	case 27:
		pen.Attr &^= Reverse
	case 28:
		pen.Attr &^= Conceal
	case 29:
		pen.Attr &^= Strike
	}
	for i+1 < s.count && s.sub[i+1] {
		i++
	}
	return i
}

// extended reads 38, 48 and 58 with what follows: 5;n or 2;r;g;b, or the same
// with colons and an optional colour space (ISO 8613-6 §13.1.8). It tells the
// last parameter that it read.
func (t *Terminal) extended(i int, pen *Style) int {
	s := &t.parser
	args := s.params[i+1 : s.count]
	end := s.count - 1
	if i+1 < s.count && s.sub[i+1] {
		n := 0
		for n < len(args) && s.sub[i+1+n] {
			n++
		}
		args, end = args[:n], i+n
		if len(args) >= 5 && args[0] == 2 { // 2:space:r:g:b
			args = append([]int32{2}, args[2:5]...)
		}
	} else if len(args) > 0 {
		end = min(end, i+map[int32]int{2: 4, 5: 2}[args[0]])
	}
	c, ok := colorOf(args)
	switch {
	case !ok:
	case s.params[i] == 38:
		pen.Fg = c
	case s.params[i] == 48:
		pen.Bg = c
	}
	return max(i, end)
}

func colorOf(args []int32) (Color, bool) {
	switch {
	case len(args) >= 2 && args[0] == 5 && args[1] < 256:
		return Indexed(uint8(args[1])), true
	case len(args) >= 4 && args[0] == 2 && args[1] < 256 && args[2] < 256 && args[3] < 256:
		return RGB(uint8(args[1]), uint8(args[2]), uint8(args[3])), true
	}
	return 0, false
}
