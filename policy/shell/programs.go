package shell

import (
	"slices"
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

// maxInner bounds how deep commands inside of commands are followed, maxCalls
// how many of them all in all.
const (
	maxInner = 8
	maxCalls = 5_000
)

// finder collects the programs that a command names.
type finder struct {
	found        map[string]bool
	hidden       bool
	depth, calls int
}

// word is one word of a command: what it stands for, where that is known.
type word struct {
	text  string
	known bool
}

// programs lists what a command names, and whether it may run more.
func programs(text string) (found []string, hidden bool) {
	f := finder{found: map[string]bool{}}
	f.text(text)
	for name := range f.found {
		found = append(found, name)
	}
	slices.Sort(found)
	return found, f.hidden
}

// text follows shell text. The parser reads as bash; where another shell may
// find other commands in it, they are hidden.
func (f *finder) text(text string) {
	if f.depth++; f.depth > maxInner {
		f.hidden = true
		return
	}
	defer func() { f.depth-- }()
	file := parse(text)
	if file == nil || foreign(text) {
		f.hidden = true
	}
	if file == nil {
		return
	}
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CallExpr:
			f.call(words(n.Args))
		case *syntax.SglQuoted:
			f.hidden = f.hidden || strings.Contains(n.Value, `\`) // fish reads it
		case *syntax.Comment, *syntax.DeclClause, *syntax.LetClause, *syntax.ArithmCmd, *syntax.ArithmExp, *syntax.FuncDecl,
			*syntax.ExtGlob, *syntax.CoprocClause: // coproc may have a name, or not
			f.hidden = true
		}
		return true
	})
}

// foreign reports whether a text has what bash and other shells read apart.
func foreign(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool {
		return r == '!' || r == '^' || r < ' ' && r != '\n' && r != '\t' || r == 0x7f
	})
}

func words(args []*syntax.Word) []word {
	out := make([]word, len(args))
	for i, a := range args {
		out[i].text, out[i].known = literal(a)
	}
	return out
}

// call takes one simple command, and what it in turn runs.
func (f *finder) call(words []word) {
	if len(words) == 0 {
		return
	}
	if f.calls++; !words[0].known || f.depth >= maxInner || f.calls > maxCalls {
		f.hidden = true
		return
	}
	f.depth++
	defer func() { f.depth-- }()
	f.found[words[0].text] = true
	name, args := base(words[0].text), words[1:]
	switch name {
	case "eval":
		f.joined(args)
	case "and", "or", "not", "begin", "coproc", "foreach", "repeat", "switch", "always": // keywords, if not of bash
		f.hidden = true
	case "source", ".", "trap", "alias", "enable", "function", "fc", "complete", "compgen", "bind", "zmodload", "autoload":
		f.hidden = true
	case "find":
		f.find(args)
	default:
		if w, ok := wrapperOf(name); ok {
			f.wrapped(&w, args)
		}
	}
}

// joined follows words that a program puts together and gives to a shell.
func (f *finder) joined(words []word) {
	texts := make([]string, len(words))
	for i, w := range words {
		if !w.known {
			f.hidden = true
			return
		}
		texts[i] = w.text
	}
	f.text(strings.Join(texts, " "))
}

// find runs what follows -exec and its like, up to ; or +.
func (f *finder) find(args []word) {
	for i, a := range args {
		if !a.known {
			f.hidden = true
		}
		switch a.text {
		case "-exec", "-execdir", "-ok", "-okdir":
			f.call(args[i+1:])
		}
	}
}
