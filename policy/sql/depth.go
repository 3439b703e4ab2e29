package sql

import "strings"

// depth bounds how deep the parse tree of a text can be, without parsing it:
// the parser, and what walks its tree, recurse. Operators chained side by side
// nest as well (1+1+1 is a tree of depth 3); commas end such chains, while
// joins, set operations and CASE count up to the end of their parenthesis.
func depth(text string) int {
	var d depthCount
	l := lexer{text: text}
	for l.at < len(text) {
		start := l.at
		switch l.next() {
		case tokenSign, tokenOdd:
			d.sign(text[start])
		case tokenWord:
			d.word(text[start:l.at])
		}
	}
	return d.most
}

// depthCount keeps the chains of the parentheses that are open.
type depthCount struct {
	open []level
	now  level
	// sum is what the open parentheses before now add up to.
	sum, most int
}

type level struct{ chain, lasting int }

func (d *depthCount) sign(c byte) {
	switch c {
	case '(', '[':
		d.open = append(d.open, d.now)
		d.sum += d.now.chain + d.now.lasting + 1
		d.now = level{}
	case ')', ']':
		if n := len(d.open); n > 0 {
			d.now, d.open = d.open[n-1], d.open[:n-1]
			d.sum -= d.now.chain + d.now.lasting + 1
			d.now.chain++
		}
	case ',':
		d.now.chain = 0
	case ';':
		d.now = level{}
	case '.':
	default:
		d.now.chain++
	}
	d.note()
}

func (d *depthCount) word(w string) {
	switch len(w) {
	case 2, 3, 4, 5, 6, 7, 8, 9:
	default:
		return
	}
	switch strings.ToLower(w) {
	case "join", "union", "except", "intersect", "case", "select", "with", "explain", "else":
		d.now.lasting++
	case "not", "is", "in", "like", "ilike", "similar", "between", "collate", "at", "isnull", "notnull", "overlaps", "array":
		d.now.chain++
	default:
		return
	}
	d.note()
}

func (d *depthCount) note() { d.most = max(d.most, d.sum+d.now.chain+d.now.lasting) }
