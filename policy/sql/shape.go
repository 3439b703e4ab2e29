package sql

import "strings"

// Constants are replaced by one byte each, which stands nowhere else in a text
// that is shaped.
const (
	markInteger = '\x01'
	markNumber  = '\x02'
	markString  = '\x03'
)

// appendShape appends the text with its plain constants replaced. It reports
// false for a text that must not be judged by its shape; constants is how many
// were replaced.
func appendShape(dst []byte, text string) (shape []byte, constants int, ok bool) {
	if strings.IndexByte(text, markInteger) >= 0 || strings.IndexByte(text, markNumber) >= 0 || strings.IndexByte(text, markString) >= 0 {
		return dst, 0, false
	}
	l := lexer{text: text}
	from := 0 // copied up to here
	for l.at < len(text) {
		start := l.at
		var mark byte
		switch l.next() {
		case tokenInteger:
			mark = markInteger
		case tokenNumber:
			mark = markNumber
		case tokenString:
			mark = markString
		case tokenWord:
			if l.at-start == len("uescape") && strings.EqualFold(text[start:l.at], "uescape") {
				return dst, 0, false // the constant behind it changes what a name means
			}
			continue
		case tokenOdd:
			return dst, 0, false
		default:
			continue
		}
		dst = append(append(dst, text[from:start]...), mark)
		from = l.at
		constants++
	}
	return append(dst, text[from:]...), constants, true
}
