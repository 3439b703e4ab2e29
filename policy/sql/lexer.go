package sql

import "strings"

// token is what the lexer tells apart: enough to find constants and nesting.
type token uint8

const (
	tokenSpace   token = iota
	tokenComment       // -- … or /* … */, nested
	tokenWord          // identifier or keyword
	tokenQuoted        // "identifier"
	tokenString        // '…'
	tokenEscaped       // E'…', B'…', X'…', U&'…', U&"…": kept as they stand
	tokenDollar        // $tag$…$tag$
	tokenParam         // $1
	tokenInteger       // fits 32 bits, as the grammar asks
	tokenNumber        // any other number
	tokenSign          // one character of punctuation or of an operator
	tokenOdd           // what a scanner of some version may read in another way, or refuses
)

// lexer splits SQL as PostgreSQL's scanner does (scan.l) with
// standard_conforming_strings on. Operators come character by character: only
// where they end for a comment matters here.
//
// It is a security boundary: two texts with equal shapes are judged alike. What
// it is not certain of is tokenOdd, and a text that has one is never shaped.
type lexer struct {
	text string
	at   int // where the next token begins
}

// next gives the kind and end of the token that begins at l.at, and moves on.
// At the end of the text it must not be called.
func (l *lexer) next() token {
	c := l.text[l.at]
	switch class[c] {
	case classSpace:
		l.spaces()
		return tokenSpace
	case classWord:
		return l.word(c)
	case classDigit:
		return l.number()
	case classSign:
		return l.sign(c)
	}
	switch c {
	case '\'':
		return l.plainString()
	case '"':
		return l.quoted()
	case '$':
		return l.dollar()
	}
	l.at++
	return tokenOdd
}

// peek is the byte n places on, 0 behind the end.
func (l *lexer) peek(n int) byte {
	if l.at+n < len(l.text) {
		return l.text[l.at+n]
	}
	return 0
}

// cut ends the text here: what is open has no end.
func (l *lexer) cut() token {
	l.at = len(l.text)
	return tokenOdd
}

func (l *lexer) spaces() {
	for l.at < len(l.text) && class[l.text[l.at]] == classSpace {
		l.at++
	}
}

func (l *lexer) word(c byte) token {
	switch c {
	case 'e', 'E':
		if l.peek(1) == '\'' {
			l.at++
			return l.kept(l.stringBody(backslashes))
		}
	case 'b', 'B', 'x', 'X':
		if l.peek(1) == '\'' {
			l.at++
			return l.kept(l.stringBody(bits))
		}
	case 'u', 'U':
		if l.peek(1) == '&' && (l.peek(2) == '\'' || l.peek(2) == '"') {
			return l.unicode()
		}
	}
	l.at++
	for l.at < len(l.text) && (class[l.text[l.at]] == classWord || class[l.text[l.at]] == classDigit || l.text[l.at] == '$') {
		l.at++
	}
	return tokenWord
}

func (l *lexer) kept(closed bool) token {
	if !closed {
		return tokenOdd
	}
	return tokenEscaped
}

// unicode reads U&'…' and U&"…". A UESCAPE that may follow changes what they
// mean, so they are odd.
func (l *lexer) unicode() token {
	l.at += 2
	if l.text[l.at] == '\'' {
		l.stringBody(plain)
	} else {
		l.quoted()
	}
	return tokenOdd
}

func (l *lexer) plainString() token {
	if !l.stringBody(plain) {
		return tokenOdd
	}
	return tokenString
}

// stringBody reads from the opening quote to the end of the constant, over its
// continuations on later lines. It reports whether all parsers read it so: one
// that goes on after a comment is read differently by libpg_query.
func (l *lexer) stringBody(q quoting) bool {
	sure := true
	for {
		l.at++ // the opening quote
		if !l.segment(q) {
			l.at = len(l.text)
			return false
		}
		next, comment := l.continuation()
		if next < 0 {
			return sure
		}
		sure = sure && !comment
		l.at = next
	}
}

// quoting is how a quote can stand inside a constant.
type quoting uint8

const (
	plain       quoting = iota // doubled
	backslashes                // doubled, or behind a backslash
	bits                       // not at all: B'…' and X'…'
)

// segment reads up to and over the closing quote.
func (l *lexer) segment(q quoting) bool {
	for l.at < len(l.text) {
		i := strings.IndexByte(l.text[l.at:], '\'')
		if q == backslashes {
			i = strings.IndexAny(l.text[l.at:], `'\`)
		}
		if i < 0 {
			return false
		}
		l.at += i + 1
		switch {
		case l.text[l.at-1] == '\\':
			l.at++
		case q == bits || l.peek(0) != '\'':
			return true
		default:
			l.at++
		}
	}
	return false
}

// continuation finds the quote that goes on with a constant after white space
// that holds a newline, and perhaps -- comments (scan.l, quotecontinue); -1
// where there is none.
func (l *lexer) continuation() (at int, comment bool) {
	newline := false
	for i := l.at; i < len(l.text); i++ {
		switch c := l.text[i]; c {
		case '\n', '\r':
			newline = true
		case ' ', '\t', '\f':
		case '-':
			if i+1 >= len(l.text) || l.text[i+1] != '-' {
				return -1, false
			}
			comment = true
			for i+1 < len(l.text) && l.text[i+1] != '\n' && l.text[i+1] != '\r' {
				i++
			}
		case '\'':
			if newline {
				return i, comment
			}
			return -1, false
		default:
			return -1, false
		}
	}
	return -1, false
}

func (l *lexer) quoted() token {
	start := l.at
	for l.at++; ; {
		i := strings.IndexByte(l.text[l.at:], '"')
		if i < 0 {
			return l.cut()
		}
		l.at += i + 1
		if l.peek(0) != '"' {
			break
		}
		l.at++
	}
	if l.at-start == 2 {
		return tokenOdd // an empty name is an error
	}
	return tokenQuoted
}

// dollar reads $1 or $tag$…$tag$.
func (l *lexer) dollar() token {
	if c := l.peek(1); class[c] == classDigit {
		l.at++
		l.digits()
		if class[l.peek(0)] == classWord {
			return tokenOdd // junk after a parameter
		}
		return tokenParam
	}
	end := l.at + 1
	for end < len(l.text) && (class[l.text[end]] == classWord || class[l.text[end]] == classDigit && end > l.at+1) {
		end++
	}
	if end >= len(l.text) || l.text[end] != '$' {
		l.at++
		return tokenOdd
	}
	tag := l.text[l.at : end+1]
	body := strings.Index(l.text[end+1:], tag)
	if body < 0 {
		return l.cut()
	}
	l.at = end + 1 + body + len(tag)
	return tokenDollar
}

func (l *lexer) digits() {
	for l.at < len(l.text) && class[l.text[l.at]] == classDigit {
		l.at++
	}
}

// number reads a number that begins with a digit or a dot. Underscores, other
// bases and letters behind it are read differently by different versions.
func (l *lexer) number() token {
	start, kind := l.at, tokenInteger
	l.digits()
	if l.peek(0) == '.' {
		if l.peek(1) == '.' {
			return tokenOdd
		}
		kind = tokenNumber
		l.at++
		l.digits()
	}
	if c := l.peek(0); c == 'e' || c == 'E' {
		sign := 0
		if s := l.peek(1); s == '+' || s == '-' {
			sign = 1
		}
		if class[l.peek(1+sign)] != classDigit {
			return l.junk()
		}
		kind = tokenNumber
		l.at += 1 + sign
		l.digits()
	}
	if c := l.peek(0); class[c] == classWord || c == '$' { // 0E0$0 is 0 and the name E0$0
		return l.junk()
	}
	if kind == tokenInteger && !fitsInt32(l.text[start:l.at]) {
		kind = tokenNumber
	}
	return kind
}

func (l *lexer) junk() token {
	for class[l.peek(0)] == classWord || class[l.peek(0)] == classDigit || l.peek(0) == '$' {
		l.at++
	}
	return tokenOdd
}

func fitsInt32(digits string) bool {
	if len(digits) < 10 {
		return true
	}
	digits = strings.TrimLeft(digits, "0")
	return len(digits) < 10 || len(digits) == 10 && digits <= "2147483647"
}

// sign reads one sign, a comment, or a number that begins with a dot.
func (l *lexer) sign(c byte) token {
	switch {
	case c == '-' && l.peek(1) == '-':
		for l.at < len(l.text) && l.text[l.at] != '\n' && l.text[l.at] != '\r' {
			l.at++
		}
		return tokenComment
	case c == '/' && l.peek(1) == '*':
		return l.blockComment()
	case c == '.' && l.peek(1) == '.':
		l.at += 2
		return tokenOdd // one token of PL/pgSQL
	case c == '.' && class[l.peek(1)] == classDigit:
		return l.number()
	}
	l.at++
	return tokenSign
}

func (l *lexer) blockComment() token {
	l.at += 2
	for depth := 1; l.at < len(l.text); l.at++ {
		switch {
		case l.text[l.at] == '*' && l.peek(1) == '/':
			depth--
			l.at++
			if depth == 0 {
				l.at++
				return tokenComment
			}
		case l.text[l.at] == '/' && l.peek(1) == '*':
			depth++
			l.at++
		}
	}
	return l.cut()
}

// Classes of bytes.
const (
	classOther uint8 = iota
	classSpace
	classWord // may begin an identifier
	classDigit
	classSign
)

// class is a table and never changes.
var class = func() (t [256]uint8) {
	for _, c := range []byte(" \t\n\r\f") {
		t[c] = classSpace
	}
	for c := range 256 {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c >= 0x80:
			t[c] = classWord
		case c >= '0' && c <= '9':
			t[c] = classDigit
		}
	}
	for _, c := range []byte(",()[].;:+-*/%^<>=~!@#&|`?") {
		t[c] = classSign
	}
	return t
}()
