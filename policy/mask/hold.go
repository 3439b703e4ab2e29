package mask

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// holdFrom gives the first byte of raw that must not go out yet, because a
// value may begin there that the end of raw cuts off.
func (s *Stream) holdFrom(raw []byte, fs []finding) int {
	plain := s.view.plain
	from := s.view.rawOrEnd(s.holdPlain(plain), len(raw))
	for i := len(fs) - 1; i >= 0; i-- {
		f := fs[i]
		if f.end > from || f.class == privateKey && isOpenPEM(raw[f.end:], raw[f.start:f.end]) ||
			f.class == email && string(raw[f.end:]) == " " { // may yet be a prompt
			from = min(from, f.start)
		}
	}
	return max(from, len(s.past))
}

// cutEscape gives where the control sequence begins that the end of raw cuts
// off, the end where there is none.
func cutEscape(raw []byte) int {
	if n := bytes.LastIndexByte(raw, escape); n >= 0 && sequence(raw[n:]) == 0 && unfinished(raw[n:]) {
		return n
	}
	return len(raw)
}

// unfinished reports whether text can become a control sequence.
func unfinished(text []byte) bool {
	if len(text) == 1 {
		return true
	}
	switch text[1] {
	case '[':
		for _, c := range text[2:] {
			if c < 0x20 || c > 0x3f {
				return false
			}
		}
		return len(text) < maxPast
	case ']':
		return len(text) < maxOSC && bytes.IndexByte(text, 0x07) < 0 && bytes.IndexByte(text[1:], escape) < 0
	case '(', ')':
		return len(text) == 2
	}
	return false
}

// isOpenPEM reports whether a private key without its last line is followed by
// nothing yet.
func isOpenPEM(rest, key []byte) bool {
	return len(bytes.TrimSpace(rest)) == 0 && !closedPEM(key)
}

// closedPEM reports whether a private key ends with its last line, complete.
func closedPEM(key []byte) bool {
	n := bytes.LastIndex(key, []byte("-----END "))
	return n >= 0 && bytes.HasSuffix(key[n+len("-----END "):], []byte(pemDashes))
}

// holdPlain does the same on the text without control sequences.
func (s *Stream) holdPlain(plain []byte) int {
	end := len(plain)
	from := tokenStart(plain, end)
	if isPrompt(plain, from) {
		return end
	}
	from = min(from, numberStart(plain, from), accountStart(plain))
	const window = len(pemBegin) + maxPEMLabel
	low := max(0, end-window)
	if n := bytes.LastIndex(plain[low:], []byte(pemBegin)); n >= 0 {
		label := plain[low+n+len(pemBegin):]
		if size := labelSize(label); size+len(pemDashes) > len(label) {
			from = min(from, low+n)
		}
	}
	return from
}

// isPrompt reports whether all of the last line is one character with which
// less and vi ask for more, and which begins no value.
func isPrompt(plain []byte, from int) bool {
	return len(plain)-from == 1 && bytes.IndexByte([]byte(":/?~"), plain[from]) >= 0 && (from == 0 || plain[from-1] == '\n')
}

// tokenStart walks back over what no white space divides.
func tokenStart(plain []byte, end int) int {
	for end > 0 && !isSpace(plain[end-1]) {
		end--
	}
	return end
}

// numberStart gives where the number begins that the end of plain may continue:
// from is where its last token begins.
func numberStart(plain []byte, from int) int {
	if rest := plain[from:]; len(rest) > 0 && !isNumberPart(rest[0]) && !mayFollowNumber(rest) {
		return from
	}
	start, digits := from, 0
	for start > 0 && from-start < 2*maxPast && isNumberPart(plain[start-1]) {
		if start--; isDigit(plain[start]) {
			digits++
		}
	}
	if digits == 0 {
		return from
	}
	for isSpace(plain[start]) {
		start++
	}
	return start
}

// isNumberPart reports whether c may stand within a number.
func isNumberPart(c byte) bool {
	if isDigit(c) {
		return true
	}
	switch c {
	case ' ', '-', '.', '(', ')', '/', '+', '%', 0xc2, 0xe2, 0x80, 0x90, 0x91, 0x93, 0xa0, 0xaf:
		return true
	}
	return false
}

// mayFollowNumber reports whether a token can belong to the number before it:
// an extension, or a word such as "fax" that says what it is.
func mayFollowNumber(token []byte) bool {
	n := 0
	for n < len(token) && isLetter(token[n]) {
		n++
	}
	if n == 1 && token[0]|0x20 == 'x' {
		return true
	}
	return n == len(token) && n <= 8
}

// accountStart gives where an IBAN in groups may begin that the end of plain
// cuts off, the end where there is none.
func accountStart(plain []byte) int {
	end := len(plain)
	low := max(0, end-64)
	for p := low; p+4 <= end; p++ {
		if !isLetter(plain[p]) || !isLetter(plain[p+1]) || !isDigit(plain[p+2]) || !isDigit(plain[p+3]) {
			continue
		}
		size := ibanLength(plain[p], plain[p+1])
		if size == 0 || p > 0 && isWordByte(plain[p-1]) && plain[p-1] < utf8.RuneSelf {
			continue
		}
		if inGroups(plain[p:], size) {
			return p
		}
	}
	return end
}

// inGroups reports whether text is the beginning of size letters and digits in
// groups.
func inGroups(text []byte, size int) bool {
	n := 0
	for i := 0; i < len(text); {
		if isWordByte(text[i]) && text[i] < utf8.RuneSelf {
			n++
			i++
			continue
		}
		kind, width := separatorAt(text[i:])
		if width == 0 {
			r, size := utf8.DecodeRune(text[i:])
			return r == utf8.RuneError && size == 1 && len(text)-i < utf8.UTFMax || unicode.IsSpace(r) && i+size == len(text)
		}
		if kind != ' ' && kind != '-' || n%4 != 0 {
			return false
		}
		i += width
	}
	return n <= size
}

// swallowing drops the rest of a value that was too long to hold.
type swallowing struct {
	active bool
	pem    bool
	tail   []byte // dropped already, but the last line may begin in it
}

// footerSize is the longest last line of a private key, in bytes.
const footerSize = len("-----END ") + maxPEMLabel + len(pemDashes)

func (w *swallowing) begin(c class) { *w = swallowing{active: true, pem: c == privateKey} }

// skip gives what is left of text after the value.
func (w *swallowing) skip(text []byte) []byte {
	if !w.active {
		return text
	}
	if w.pem {
		return w.skipPEM(text)
	}
	n := run(text, setAll, len(text))
	w.active = n == len(text)
	return text[n:]
}

func (w *swallowing) skipPEM(text []byte) []byte {
	all := append(w.tail, text...)
	s := scanner{text: all}
	end := s.pemEnd(0)
	if !closedPEM(all[:end]) && len(bytes.TrimSpace(all[end:])) == 0 {
		w.tail = append([]byte(nil), all[max(0, len(all)-footerSize):]...)
		return nil
	}
	*w = swallowing{}
	return all[end:]
}
