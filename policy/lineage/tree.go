package lineage

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The bounds of a tree. PostgreSQL's own stack bounds the depth of what it can
// analyse, so neither is met by a statement that a person wrote.
const (
	MaxTree  = 16 << 20 // bytes
	maxDepth = 6000
)

// ErrTree tells that a text is not a query tree as PostgreSQL prints it.
var ErrTree = errors.New("not a query tree as PostgreSQL prints it")

// Tree is what nodeToString printed, read. The zero value is empty. It refers
// to the text that it was read from, which must not change.
type Tree struct {
	text  string
	nodes []node // the first is none
}

// node is one value: children are linked through next.
type node struct {
	kind        kind
	name        string // of the field that it is the value of
	text        string // the tag of an object, else the characters of a token
	child, next int32
}

type kind uint8

const (
	null   kind = iota // <>
	token              // a word, a number, a quoted string; backslashes still in it
	list               // ( … )
	object             // { TAG :field value … }
	datum              // N [ bytes ]
)

// ReadTree reads the text of one printed list of queries, or of one node.
//
// The form is that of nodeToString: each field has exactly one value, and only
// constvalue may be a length and bytes in brackets. That is what keeps a name
// chosen by a client, such as an alias called ":targetList", from being taken
// for a field.
func ReadTree(text string) (*Tree, error) {
	if len(text) > MaxTree {
		return nil, fmt.Errorf("%w: %d bytes are too many", ErrTree, len(text))
	}
	if err := checkBreaks(text); err != nil {
		return nil, err
	}
	r := &treeReader{text: text, nodes: make([]node, 1, len(text)/11+8)}
	r.value("", 0)
	r.space()
	if r.err == nil && r.at != len(text) {
		r.fail("something follows it")
	}
	if r.err != nil {
		return nil, r.err
	}
	return &Tree{text: text, nodes: r.nodes}, nil
}

// lineLength is LINELEN of format_node_dump (PostgreSQL src/backend/nodes/print.c).
const lineLength = 78

// checkBreaks refuses a text in which a line may have been broken within a
// word. The server breaks lines at a space, which the newline replaces, but
// where a line of 78 bytes has none it breaks anywhere, even between a
// backslash and what it quotes.
func checkBreaks(text string) error {
	for at, from := -1, 0; ; from = at + 1 {
		next := strings.IndexByte(text[from:], '\n')
		if next < 0 {
			return nil
		}
		at = from + next
		start := at - lineLength
		if start < 0 || start > 0 && text[start-1] != '\n' {
			continue
		}
		if strings.IndexByte(text[start+1:at], ' ') < 0 {
			return fmt.Errorf("%w: a line may be broken within a word", ErrTree)
		}
	}
}

// treeReader reads by recursive descent. The first error stays.
type treeReader struct {
	text  string
	at    int
	nodes []node
	err   error
}

func (r *treeReader) fail(why string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: byte %d: %s", ErrTree, r.at, why)
	}
	r.at = len(r.text)
}

func (r *treeReader) space() {
	for r.at < len(r.text) && (r.text[r.at] == ' ' || r.text[r.at] == '\n') {
		r.at++
	}
}

func (r *treeReader) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

func (r *treeReader) add(k kind, name, text string) int32 {
	r.nodes = append(r.nodes, node{kind: k, name: name, text: text})
	return int32(len(r.nodes) - 1)
}

// value reads one value and gives its place.
func (r *treeReader) value(name string, depth int) int32 {
	if depth > maxDepth {
		r.fail("it nests too deeply")
		return 0
	}
	r.space()
	switch r.peek() {
	case '{':
		return r.object(name, depth)
	case '(':
		return r.list(name, depth)
	}
	word := r.word()
	if word == "<>" {
		return r.add(null, name, "")
	}
	if name == "constvalue" {
		return r.datum(name, word)
	}
	return r.add(token, name, word)
}

// word reads a token: up to a space or a bracket that no backslash quotes.
func (r *treeReader) word() string {
	from := r.at
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\n', '(', ')', '{', '}':
			if r.at == from {
				r.fail("a value is missing")
			}
			return r.text[from:r.at]
		case '\\':
			r.at++
			if r.at == len(r.text) {
				r.fail("it ends within a word")
				return ""
			}
		case '\t', '\r', 0:
			r.fail("a word holds white space")
			return ""
		}
		r.at++
	}
	if r.at == from {
		r.fail("it ends where a value is due")
	}
	return r.text[from:r.at]
}

func (r *treeReader) list(name string, depth int) int32 {
	self := r.add(list, name, "")
	last := int32(0)
	for r.at++; r.err == nil; {
		r.space()
		if r.peek() == ')' {
			r.at++
			return self
		}
		if r.at >= len(r.text) {
			r.fail("a list does not end")
			break
		}
		last = r.link(self, last, r.value("", depth+1))
	}
	return 0
}

func (r *treeReader) link(self, last, child int32) int32 {
	if last == 0 {
		r.nodes[self].child = child
	} else {
		r.nodes[last].next = child
	}
	return child
}

func (r *treeReader) object(name string, depth int) int32 {
	r.at++
	self := r.add(object, name, r.name("a tag"))
	last := int32(0)
	for r.err == nil {
		r.space()
		switch r.peek() {
		case '}':
			r.at++
			return self
		case ':':
			r.at++
			field := r.name("a field")
			r.once(self, field)
			last = r.link(self, last, r.value(field, depth+1))
		default:
			r.fail("a field is due")
		}
	}
	return 0
}

// name reads the letters of a tag or of a field's name.
func (r *treeReader) name(what string) string {
	from := r.at
	for r.at < len(r.text) {
		c := r.text[r.at]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' {
			r.at++
			continue
		}
		break
	}
	if r.at == from {
		r.fail(what + " has no name")
	}
	return r.text[from:r.at]
}

// once refuses a field that the object has already.
func (r *treeReader) once(self int32, field string) {
	for i := r.nodes[self].child; i != 0; i = r.nodes[i].next {
		if n := r.nodes[i].name; len(n) == len(field) && n == field {
			r.fail("a field comes twice")
			return
		}
	}
}

// datum reads "[ bytes ]" after the length.
func (r *treeReader) datum(name, length string) int32 {
	if _, err := strconv.ParseUint(length, 10, 32); err != nil {
		r.fail("a constant has no length")
		return 0
	}
	r.space()
	if r.word() != "[" {
		r.fail("a constant has no bytes")
		return 0
	}
	from := r.at
	for r.err == nil {
		r.space()
		word := r.word()
		if word == "]" {
			return r.add(datum, name, r.text[from:r.at-1])
		}
		if _, err := strconv.ParseInt(word, 10, 16); err != nil {
			r.fail("a constant holds something else than bytes")
		}
	}
	return 0
}

// Node is one value of a Tree. The zero Node is none: it has no tag, no fields
// and no elements.
type Node struct {
	t *Tree
	i int32
}

// Root is the value that was read.
func (t *Tree) Root() Node {
	if len(t.nodes) < 2 {
		return Node{}
	}
	return Node{t, 1}
}

func (n Node) at() *node {
	if n.t == nil {
		return &node{}
	}
	return &n.t.nodes[n.i]
}

// tag is the tag of an object, else "".
func (n Node) tag() string {
	if v := n.at(); v.kind == object {
		return v.text
	}
	return ""
}

// some reports whether there is a value: <> is none.
func (n Node) some() bool { return n.t != nil && n.at().kind != null }

func (n Node) first() Node { return n.link(n.at().child) }

func (n Node) following() Node { return n.link(n.at().next) }

func (n Node) link(i int32) Node {
	if i == 0 {
		return Node{}
	}
	return Node{n.t, i}
}

// field gives the value of a field, none where the object has no such field.
func (n Node) field(name string) Node {
	v := n.at()
	if v.kind != object {
		return Node{}
	}
	for i := v.child; i != 0; i = n.t.nodes[i].next {
		if f := n.t.nodes[i].name; len(f) == len(name) && f == name {
			return Node{n.t, i}
		}
	}
	return Node{}
}

// word is the token as printed, backslashes included; "" for all else.
func (n Node) word() string {
	if v := n.at(); v.kind == token {
		return v.text
	}
	return ""
}

// is reports whether the field is printed as true.
func (n Node) is(name string) bool { return n.field(name).word() == "true" }

// number gives an integer field.
func (n Node) number(name string) (int64, bool) {
	v, err := strconv.ParseInt(n.field(name).word(), 10, 64)
	return v, err == nil
}

// text takes the backslashes off a word. A newline that was quoted may have
// been a space: both read as a space.
func unquoteWord(word string) string {
	if strings.IndexByte(word, '\\') < 0 {
		return word
	}
	var b strings.Builder
	for i := 0; i < len(word); i++ {
		if word[i] == '\\' && i+1 < len(word) {
			i++
		}
		if word[i] == '\n' {
			b.WriteByte(' ')
			continue
		}
		b.WriteByte(word[i])
	}
	return b.String()
}
