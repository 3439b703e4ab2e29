package lineage

import (
	"errors"
	"strings"
	"testing"
)

const small = `({QUERY :commandType 1 :canSetTag true :rtable <> :jointree <> :targetList ({TARGETENTRY :expr {CONST :consttype 23 ` +
	`:constvalue 4 [ 1 0 0 0 -1 0 0 0 ]} :resno 1 :resname a\ b :resjunk false})})`

func TestReadTree(t *testing.T) {
	tree, err := ReadTree(small)
	if err != nil {
		t.Fatal(err)
	}
	target := tree.Root().first().field("targetList").first()
	if got := unquoteWord(target.field("resname").word()); got != "a b" {
		t.Errorf("resname is %q", got)
	}
	if target.field("expr").tag() != "CONST" || target.field("resjunk").word() != "false" {
		t.Error("the fields of a target are mixed up")
	}
}

func TestReadTreeRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                 "",
		"no end":                  small[:len(small)-1],
		"more":                    small + " x",
		"two values":              "{A :b c d}",
		"no value":                "{A :b}",
		"no value before another": "{A :b :c d}",
		"a field twice":           "{A :b c :b d}",
		"bytes elsewhere":         "{A :b 4 [ 1 ]}",
		"no bytes":                "{A :constvalue 4}",
		"letters for bytes":       "{A :constvalue 4 [ a ]}",
		"no tag":                  "{ :b c}",
		"too deep":                strings.Repeat("(", maxDepth+10) + strings.Repeat(")", maxDepth+10),
		"a broken word":           "{A :b " + strings.Repeat("c", 72) + "\n" + strings.Repeat("d", 9) + "}\n" + strings.Repeat("e", 78) + "\n",
	} {
		if _, err := ReadTree(text); !errors.Is(err, ErrTree) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzReadTree: what reads must read the same when it is printed again, so no
// byte of the text is taken for something else than it is.
func FuzzReadTree(f *testing.F) {
	f.Add(small)
	f.Add(`({A :b <> :c (i 1 2) :d "x\ y"} x)`)
	f.Fuzz(func(t *testing.T, text string) {
		tree, err := ReadTree(text)
		if err != nil {
			return
		}
		printed := printTree(tree.Root())
		again, err := ReadTree(printed)
		if err != nil {
			return // a line may be too long to tell
		}
		if twice := printTree(again.Root()); twice != printed {
			t.Errorf("%q reads as %q, that as %q", text, printed, twice)
		}
		if strip(text) != strip(printed) {
			t.Errorf("%q was read as %q", text, printed)
		}
	})
}

func strip(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '\n' {
			return -1
		}
		return r
	}, s)
}

func printTree(n Node) string {
	var b strings.Builder
	v := n.at()
	switch v.kind {
	case null:
		return "<>"
	case token:
		return v.text
	case datum:
		return v.text
	case list:
		b.WriteByte('(')
		for c := n.first(); c.t != nil; c = c.following() {
			b.WriteByte(' ')
			b.WriteString(printTree(c))
		}
		b.WriteByte(')')
	case object:
		b.WriteString("{" + v.text)
		for c := n.first(); c.t != nil; c = c.following() {
			b.WriteString(" :" + c.at().name + " " + printTree(c))
		}
		b.WriteByte('}')
	}
	return b.String()
}

// FuzzAnalyse: a tree that is no query of PostgreSQL's is refused or judged,
// in bounded time, without a panic, and never with fewer columns than it shows.
func FuzzAnalyse(f *testing.F) {
	f.Add(small)
	f.Fuzz(func(t *testing.T, text string) {
		c := &Catalog{columns: make([]labelled, reserved)}
		facts, err := c.Analyse(text, Return)
		if (facts == nil) == (err == nil) {
			t.Error("neither facts nor an error, or both")
		}
	})
}
