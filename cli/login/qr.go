package login

import (
	"strings"

	"rsc.io/qr"
)

// quietZone is the light border that scanners need, in modules (ISO 18004 §6.3.8).
const quietZone = 4

// qrCode draws text with half blocks, two modules to a character. It answers ""
// where the terminal is too narrow, or is none.
func qrCode(text string, width int, color bool) string {
	code, err := qr.Encode(text, qr.L)
	if err != nil || width < code.Size+2*quietZone {
		return ""
	}
	var b strings.Builder
	for y := -quietZone; y < code.Size+quietZone; y += 2 {
		qrLine(&b, code, y, color)
	}
	return b.String()
}

// qrLine draws two rows. With colours it is black on white whatever the
// terminal's own are; without, light modules are the ones that are drawn, which
// is right on dark terminals and readable for most scanners on light ones.
func qrLine(b *strings.Builder, code *qr.Code, y int, color bool) {
	if color {
		b.WriteString("\x1b[97;40m")
	}
	for x := -quietZone; x < code.Size+quietZone; x++ {
		top, bottom := !code.Black(x, y), !code.Black(x, y+1)
		if y+1 >= code.Size+quietZone {
			bottom = false // below the border of an odd number of rows
		}
		switch {
		case top && bottom:
			b.WriteRune('█')
		case top:
			b.WriteRune('▀')
		case bottom:
			b.WriteRune('▄')
		default:
			b.WriteRune(' ')
		}
	}
	if color {
		b.WriteString("\x1b[0m")
	}
	b.WriteByte('\n')
}
