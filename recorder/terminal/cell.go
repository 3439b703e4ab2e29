package terminal

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"
)

// Color is a colour: none (zero, the terminal's own), one of 256, or one of
// 16.7 million.
type Color uint32

const (
	indexed Color = 1 << 24
	direct  Color = 2 << 24
)

// Indexed is colour n of the palette of 256.
func Indexed(n uint8) Color { return indexed | Color(n) }

// RGB is a colour by its parts.
func RGB(r, g, b uint8) Color { return direct | Color(r)<<16 | Color(g)<<8 | Color(b) }

// Attr is a set of attributes of a character.
type Attr uint16

// The attributes that SGR sets (ECMA-48 §8.3.117).
const (
	Bold Attr = 1 << iota
	Faint
	Italic
	Underline
	Blink
	Reverse
	Conceal
	Strike
)

// Style is how a character looks.
type Style struct {
	Fg, Bg Color
	Attr   Attr
}

// Cell is one place of the screen.
type Cell struct {
	Style
	// Width is 1, 2, or 0 in the right half of a wide character.
	Width uint8
	char  rune // above unicode.MaxRune: the number of a cluster
}

func blank() Cell { return Cell{char: ' ', Width: 1} }

const (
	// maxCluster bounds what combines in one place, in bytes.
	maxCluster = 32
	// maxClusters bounds how many different ones a terminal keeps.
	maxClusters = 1 << 16
	firstNumber = unicode.MaxRune + 1
)

func fill(cells []Cell, c Cell) {
	for x := range cells {
		cells[x] = c
	}
}

// text is what stands in a cell.
func (t *Terminal) text(c *Cell) string {
	if c.char >= firstNumber {
		return t.clusters[c.char-firstNumber]
	}
	return string(c.char)
}

// number gives the number of a cluster, or false where there is no room.
func (t *Terminal) number(s string) (rune, bool) {
	if t.index == nil {
		t.index = make(map[string]rune, len(t.clusters))
		for i, c := range t.clusters {
			t.index[c] = firstNumber + rune(i)
		}
	}
	if n, ok := t.index[s]; ok {
		return n, true
	}
	if len(s) > maxCluster || len(t.clusters) >= maxClusters {
		return 0, false
	}
	n := firstNumber + rune(len(t.clusters))
	t.clusters = append(t.clusters, s)
	t.index[s] = n
	return n, true
}

// Text is what stands on a row, without blanks at its end.
func (t *Terminal) Text(y int) string {
	if y < 0 || y >= t.rows {
		return ""
	}
	var b strings.Builder
	for i := range t.lines[y].cells {
		if c := &t.lines[y].cells[i]; c.Width > 0 {
			if c.char < firstNumber {
				b.WriteRune(c.char)
				continue
			}
			b.WriteString(t.text(c))
		}
	}
	return strings.TrimRight(b.String(), " ")
}

const (
	zwj           = '\u200d'
	firstRegional = '\U0001F1E6'
	lastRegional  = '\U0001F1FF'
	firstModifier = '\U0001F3FB' // skin tones
	lastModifier  = '\U0001F3FF'
)

// widthOf is how many columns a character takes: 0 for one that combines with
// what stands before it, -1 for one that shows nothing and is left out.
func widthOf(r rune) int {
	switch {
	case r < utf8.RuneSelf:
		return 1
	case r < 0xa0:
		return -1 // C1 controls
	case r >= 0x2190 && r < 0x2c00: // arrows, boxes, symbols: no marks among them
		return min(2, displaywidth.Rune(r))
	case r >= 0x3400 && r < 0xa000, r >= 0xac00 && r <= 0xd7a3:
		return 2
	case r == zwj, unicode.In(r, unicode.Mn, unicode.Me, unicode.Variation_Selector):
		return 0
	case unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp), r >= 0xfff0 && r < 0xfff9, r >= 0xe0000 && r < 0xf0000:
		return -1 // directions, fillers, tags: they would move what is beside them
	case r >= firstRegional && r <= lastRegional:
		return 1
	}
	return min(2, displaywidth.Rune(r))
}
