package lineage

import (
	"strings"
	"sync"
)

// maxShapes bounds the trees whose facts a catalog keeps, and maxShape the size
// of one, in bytes.
const (
	maxShapes = 1024
	maxShape  = 32 << 10
)

// shapes are facts by the tree they follow from, without its constants and
// places: nothing else of a tree that the walk reads is left out, so that equal
// shapes have equal facts.
type shapes struct {
	mu    sync.RWMutex
	facts map[shapeKey]*Facts
}

type shapeKey struct {
	tree string
	p    Purpose
}

func (s *shapes) get(tree []byte, p Purpose) *Facts {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.facts[shapeKey{string(tree), p}]
}

func (s *shapes) put(tree []byte, p Purpose, f *Facts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.facts == nil || len(s.facts) >= maxShapes {
		s.facts = map[shapeKey]*Facts{}
	}
	s.facts[shapeKey{string(tree), p}] = f
}

// The fields whose values a shape leaves out. A name that looks like one of them
// is followed by the next field, and not by a number.
const (
	constantField = ":constvalue"
	locationField = ":location"
	startField    = ":stmt_location"
	lengthField   = ":stmt_len"
	listStart     = ":list_start" // of an IN list, from PostgreSQL 18 on
	listEnd       = ":list_end"
)

// appendShape appends the shape of a tree: the places of its line breaks, the
// bytes of its constants and all places within the statement's text are left
// out. The text must have passed checkBreaks.
func appendShape(dst []byte, text string) []byte {
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case '\\':
			n := min(2, len(text)-i)
			dst = append(dst, text[i:i+n]...)
			i += n
		case ' ', '\n':
			dst = append(dst, ' ')
			i++
			if i < len(text) && text[i] == ':' {
				dst, i = appendField(dst, text, i)
			}
		default:
			end := i + 1
			for end < len(text) && text[end] != ' ' && text[end] != '\n' && text[end] != '\\' {
				end++
			}
			dst = append(dst, text[i:end]...)
			i = end
		}
	}
	return dst
}

// appendField appends a field's name at i, and skips its value where the shape
// leaves it out.
func appendField(dst []byte, text string, i int) ([]byte, int) {
	rest := text[i:]
	var name string
	switch {
	case strings.HasPrefix(rest, constantField):
		name = constantField
	case strings.HasPrefix(rest, locationField):
		name = locationField
	case strings.HasPrefix(rest, startField):
		name = startField
	case strings.HasPrefix(rest, lengthField):
		name = lengthField
	case strings.HasPrefix(rest, listStart):
		name = listStart
	case strings.HasPrefix(rest, listEnd):
		name = listEnd
	default:
		return dst, i
	}
	at := number(rest, len(name))
	if at > 0 && name == constantField {
		at = bytesOf(rest, at)
	}
	if at <= 0 {
		return dst, i
	}
	return append(append(dst, name...), " #"...), i + at
}

// number gives the end of the space and the number that stand at a place, 0
// where they do not.
func number(text string, at int) int {
	if at = blank(text, at); at == 0 {
		return 0
	}
	from := at
	for at < len(text) && (text[at] >= '0' && text[at] <= '9' || text[at] == '-') {
		at++
	}
	if at == from || at < len(text) && !ends(text[at]) {
		return 0
	}
	return at
}

// bytesOf gives the end of " [ 1 2 -3 ]", 0 where it does not stand there.
func bytesOf(text string, at int) int {
	if at = blank(text, at); at == 0 || at == len(text) || text[at] != '[' {
		return 0
	}
	for at++; at < len(text); at++ {
		switch c := text[at]; {
		case c == ']':
			return at + 1
		case c >= '0' && c <= '9', c == '-', c == ' ', c == '\n':
		default:
			return 0
		}
	}
	return 0
}

func blank(text string, at int) int {
	if at < len(text) && (text[at] == ' ' || text[at] == '\n') {
		return at + 1
	}
	return 0
}

func ends(c byte) bool { return c == ' ' || c == '\n' || c == '}' || c == ')' }
