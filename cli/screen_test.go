package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// screen is what a terminal would show of what a program writes: as much of
// ECMA-48 as full-screen programs here use. What it does not know is noted, so
// that no test passes by chance.
type screen struct {
	width, height int
	cells         [][]string
	x, y          int
	top, bottom   int // of the part that scrolls
	wraps         bool
	last          string
	parser        *ansi.Parser
	unknown       []string
	altScreen     bool
	cursorHidden  bool
}

func newScreen(width, height int) *screen {
	s := &screen{parser: ansi.NewParser()}
	s.resize(width, height)
	s.parser.SetHandler(ansi.Handler{Print: s.print, Execute: s.control, HandleCsi: s.csi, HandleEsc: s.escape})
	return s
}

// resize forgets what is shown: programs draw anew.
func (s *screen) resize(width, height int) {
	s.width, s.height, s.top, s.bottom = width, height, 0, height-1
	s.cells = make([][]string, height)
	for y := range s.cells {
		s.cells[y] = blank(width)
	}
	s.x, s.y = min(s.x, width-1), min(s.y, height-1)
}

func blank(n int) []string { return slices.Repeat([]string{" "}, n) }

// Write never fails.
func (s *screen) Write(p []byte) (int, error) {
	for _, b := range p {
		s.parser.Advance(b)
	}
	return len(p), nil
}

// String is the screen without trailing blanks.
func (s *screen) String() string {
	rows := make([]string, s.height)
	for y := range rows {
		rows[y] = strings.TrimRight(strings.Join(s.cells[y], ""), " ")
	}
	return strings.TrimRight(strings.Join(rows, "\n"), "\n")
}

func (s *screen) print(r rune) { s.put(string(r)) }

func (s *screen) put(c string) {
	if s.wraps {
		s.wraps, s.x = false, 0
		s.feed()
	}
	n := ansi.StringWidth(c)
	if n == 0 {
		return
	}
	s.last = c
	s.cells[s.y][s.x] = c
	for i := 1; i < n && s.x+i < s.width; i++ {
		s.cells[s.y][s.x+i] = ""
	}
	if s.x += n; s.x >= s.width {
		s.x, s.wraps = s.width-1, true
	}
}

func (s *screen) feed() {
	if s.y == s.bottom {
		s.scroll(s.top, 1)
	} else {
		s.y = min(s.y+1, s.height-1)
	}
}

// scroll moves the rows from one to the bottom of the region up, or down where
// n is negative.
func (s *screen) scroll(from, n int) {
	rows := s.cells[from : s.bottom+1]
	for range min(max(n, -n), len(rows)) {
		if n > 0 {
			copy(rows, rows[1:])
			rows[len(rows)-1] = blank(s.width)
		} else {
			copy(rows[1:], rows)
			rows[0] = blank(s.width)
		}
	}
}

func (s *screen) control(b byte) {
	s.wraps = false
	switch b {
	case '\r':
		s.x = 0
	case '\n':
		s.feed()
	case '\b':
		s.x = max(0, s.x-1)
	case '\t':
		s.x = min(s.width-1, (s.x/8+1)*8)
	}
}

func (s *screen) escape(cmd ansi.Cmd) {
	switch {
	case cmd.Final() == 'M' && s.y == s.top:
		s.scroll(s.top, -1)
	case cmd.Final() == 'M':
		s.y = max(0, s.y-1)
	}
}

func (s *screen) csi(cmd ansi.Cmd, params ansi.Params) {
	if cmd.Prefix() != 0 || cmd.Intermediate() != 0 {
		s.mode(cmd, params)
		return
	}
	n, _, _ := params.Param(0, 1)
	n = max(n, 1)
	first, _, _ := params.Param(0, 0)
	s.wraps = false
	switch cmd.Final() {
	case 'A':
		s.y = max(0, s.y-n)
	case 'B':
		s.y = min(s.height-1, s.y+n)
	case 'C':
		s.x = min(s.width-1, s.x+n)
	case 'D':
		s.x = max(0, s.x-n)
	case 'G', '`':
		s.x = min(n, s.width) - 1
	case 'd':
		s.y = min(n, s.height) - 1
	case 'H', 'f':
		col, _, _ := params.Param(1, 1)
		s.y, s.x = min(n, s.height)-1, min(max(col, 1), s.width)-1
	case 'I':
		for range n {
			s.control('\t')
		}
	case 'Z':
		s.x = max(0, (s.x-1)/8*8-(n-1)*8)
	case 'b':
		for range n {
			s.put(s.last)
		}
	case 'r':
		end, _, _ := params.Param(1, s.height)
		s.top, s.bottom, s.x, s.y = n-1, min(end, s.height)-1, 0, 0
	case 'm', 'n', 'c', 't', 'q', 'u':
	default:
		s.edit(cmd, n, first)
	}
}

// edit handles what erases and moves cells.
func (s *screen) edit(cmd ansi.Cmd, n, first int) {
	row := s.cells[s.y]
	switch cmd.Final() {
	case 'J':
		from, to := s.y+1, s.height
		if first == 2 || first == 3 {
			from = 0
		} else if first == 1 {
			from, to = 0, s.y
		}
		for y := from; y < to; y++ {
			s.cells[y] = blank(s.width)
		}
		if first < 2 {
			s.edit(ansi.Cmd('K'), n, first)
		}
	case 'K':
		from, to := s.x, s.width
		if first == 2 {
			from = 0
		} else if first == 1 {
			from, to = 0, s.x+1
		}
		copy(row[from:to], blank(to-from))
	case 'X':
		copy(row[s.x:min(s.x+n, s.width)], blank(n))
	case 'P':
		n = min(n, s.width-s.x)
		s.cells[s.y] = append(slices.Delete(row, s.x, s.x+n), blank(n)...)
	case '@':
		s.cells[s.y] = slices.Insert(row, s.x, blank(n)...)[:s.width]
	case 'S':
		s.scroll(s.top, n)
	case 'T':
		s.scroll(s.top, -n)
	case 'L':
		s.scroll(s.y, -n)
	case 'M':
		s.scroll(s.y, n)
	default:
		s.unknown = append(s.unknown, fmt.Sprintf("CSI %c", cmd.Final()))
	}
}

func (s *screen) mode(cmd ansi.Cmd, params ansi.Params) {
	if cmd.Prefix() != '?' || cmd.Final() != 'h' && cmd.Final() != 'l' {
		return
	}
	set := cmd.Final() == 'h'
	for i := range params {
		switch n, _, _ := params.Param(i, 0); n {
		case 1049:
			s.altScreen = set
		case 25:
			s.cursorHidden = !set
		}
	}
}

// shows waits until the screen has a text, and gives the screen.
func (x *terminal) shows(text string) string {
	x.t.Helper()
	return x.until(text, func(s string) bool { return strings.Contains(s, text) })
}

// hides waits until the screen does not have a text.
func (x *terminal) hides(text string) string {
	x.t.Helper()
	return x.until("no "+text, func(s string) bool { return !strings.Contains(s, text) })
}

func (x *terminal) until(what string, ok func(string) bool) string {
	x.t.Helper()
	deadline := time.After(limit / 4)
	for {
		now := x.now()
		if ok(now) {
			return now
		}
		select {
		case <-x.grew:
		case <-x.done:
			if now = x.now(); !ok(now) {
				x.t.Fatalf("the program ended without %s; the screen shows:\n%s", what, now)
			}
		case <-deadline:
			x.t.Fatalf("%s does not come; the screen shows:\n%s", what, now)
		}
	}
}

func (x *terminal) now() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.vt.String()
}
