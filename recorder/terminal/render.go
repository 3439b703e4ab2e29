package terminal

import (
	"image/color"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"github.com/clipperhouse/displaywidth"
)

// Palette is how many colours the terminal has that a row is drawn on.
type Palette uint8

// The palettes. Attributes such as bold are drawn on each.
const (
	NoColors Palette = iota
	Colors16
	Colors256
	TrueColor
)

// Span is a range of columns, the last one excluded.
type Span struct{ From, To int }

// View says which part of a row is drawn and how.
type View struct {
	From, Cols int // columns; beyond the screen there are blanks
	Palette    Palette
	Marked     []Span // drawn in reverse: the cursor, what was searched for
}

// AppendRow adds a row to dst: printable characters and SGR sequences, nothing
// else, exactly v.Cols wide. It begins and ends with no attribute set.
func (t *Terminal) AppendRow(dst []byte, y int, v View) []byte {
	var cells []Cell
	if y >= 0 && y < t.rows {
		cells = t.lines[y].cells
	}
	var pen Style
	before := ""
	for x := v.From; x < v.From+v.Cols; x++ {
		c := blank()
		if x >= 0 && x < len(cells) {
			c = cells[x]
		}
		half := c.Width == 0 || c.Width == 2 && x+1 >= v.From+v.Cols
		if half { // of a wide character that is cut by the view
			c.char, c.Width = ' ', 1
		}
		style := t.shown(c.Style, x, v)
		text := t.fitting(&c)
		if regional(c.char) && x+1 < v.From+v.Cols && x+1 < len(cells) && regional(cells[x+1].char) {
			text = string([]rune{c.char, cells[x+1].char}) // a flag
			x++
		}
		if style != pen || joins(before, text) {
			dst = appendStyle(dst, style, v.Palette)
			pen = style
		}
		dst = append(dst, text...)
		before = text
		if c.Width == 2 {
			x++
		}
	}
	if pen != (Style{}) {
		dst = append(dst, "\x1b[m"...)
	}
	return dst
}

// shown is the style of a cell with what the view and DECSCNM add to it.
func (t *Terminal) shown(s Style, x int, v View) Style {
	marked := slices.ContainsFunc(v.Marked, func(m Span) bool { return x >= m.From && x < m.To })
	if marked != t.modes.reverse {
		s.Attr ^= Reverse
	}
	if v.Palette == NoColors {
		s.Fg, s.Bg = 0, 0
	}
	return s
}

// fitting is what stands in a cell, so that it takes as many columns where it is
// drawn as it did where it was recorded: terminals disagree on emoji.
func (t *Terminal) fitting(c *Cell) string {
	text := t.text(c)
	if c.char < firstRegional {
		return text
	}
	if c.Width == 1 {
		text = strings.ReplaceAll(text, "\ufe0f", "")
	}
	if displaywidth.String(text) == int(c.Width) {
		return text
	}
	r, _ := utf8.DecodeRuneInString(text)
	if regional(r) { // one without its other half, which makes a flag
		r += 'A' - firstRegional
	}
	return string(r)
}

func regional(r rune) bool { return r >= firstRegional && r <= lastRegional }

// joins tells whether two neighbours would be drawn as one character. A sequence
// between them keeps them apart.
func joins(a, b string) bool {
	if len(b) < 2 || a == "" {
		return false
	}
	return displaywidth.String(a+b) != displaywidth.String(a)+displaywidth.String(b)
}

// appendStyle adds the SGR sequence that makes a style of any other.
func appendStyle(dst []byte, s Style, p Palette) []byte {
	dst = append(dst, "\x1b[0"...)
	for i, code := range []string{";1", ";2", ";3", ";4", ";5", ";7", ";8", ";9"} {
		if s.Attr&(1<<i) != 0 {
			dst = append(dst, code...)
		}
	}
	dst = appendColor(dst, s.Fg, 30, p)
	dst = appendColor(dst, s.Bg, 40, p)
	return append(dst, 'm')
}

// appendColor adds a colour as the palette has it; base is 30 for the
// foreground, 40 for the background.
func appendColor(dst []byte, c Color, base int, p Palette) []byte {
	if c == 0 || p == NoColors {
		return dst
	}
	c = c.in(p)
	n := int(c & 0xff)
	dst = append(dst, ';')
	switch {
	case c&direct != 0:
		dst = strconv.AppendInt(dst, int64(base+8), 10)
		dst = append(dst, ";2"...)
		for _, shift := range []int{16, 8, 0} {
			dst = append(dst, ';')
			dst = strconv.AppendInt(dst, int64(c>>shift&0xff), 10)
		}
		return dst
	case n < 8:
		return strconv.AppendInt(dst, int64(base+n), 10)
	case n < 16:
		return strconv.AppendInt(dst, int64(base+60+n-8), 10)
	}
	dst = strconv.AppendInt(dst, int64(base+8), 10)
	dst = append(dst, ";5;"...)
	return strconv.AppendInt(dst, int64(n), 10)
}

// in is the nearest colour that a palette has.
func (c Color) in(p Palette) Color {
	switch {
	case p == TrueColor, p == Colors256 && c&indexed != 0, c&indexed != 0 && c&0xff < 16:
		return c
	case p == Colors256:
		return Indexed(uint8(ansi.Convert256(c.rgba())))
	}
	return Indexed(uint8(ansi.Convert16(c.rgba())))
}

func (c Color) rgba() color.Color {
	if c&indexed != 0 {
		return ansi.IndexedColor(uint8(c))
	}
	return color.RGBA{R: uint8(c >> 16), G: uint8(c >> 8), B: uint8(c), A: 255}
}
