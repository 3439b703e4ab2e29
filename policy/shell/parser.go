package shell

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// maxNesting bounds how many things that nest may begin in a command that is
// parsed: the parser descends once for each.
const maxNesting = 500

// parse reads a command as bash does. It is nil where that is not possible. The
// parser is not ours: where it panics it has not understood.
func parse(text string) (file *syntax.File) {
	if openings(text) > maxNesting {
		return nil
	}
	defer func() {
		if recover() != nil {
			file = nil
		}
	}()
	parsed, err := syntax.NewParser(syntax.Variant(syntax.LangBash), syntax.KeepComments(true)).Parse(strings.NewReader(text), "")
	if err != nil {
		return nil
	}
	return parsed
}

// openings counts what may nest in a text, generously.
func openings(text string) int {
	n := 0
	for _, open := range [...]string{"(", "{", "[", "`", "<<", "!", "if", "while", "until", "for", "case", "select", "function", "time", "coproc"} {
		n += strings.Count(text, open)
	}
	return n
}

// agreed reports whether the parser, too, finds one simple command of exactly
// these words.
func agreed(text string, words []string) bool {
	file := parse(text)
	if file == nil || len(file.Stmts) != 1 || len(file.Last) > 0 {
		return false
	}
	st := file.Stmts[0]
	if st.Negated || st.Background || st.Coprocess || st.Disown || st.Semicolon.IsValid() || len(st.Redirs) > 0 || len(st.Comments) > 0 {
		return false
	}
	call, ok := st.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Assigns) > 0 {
		return false
	}
	return slices.EqualFunc(call.Args, words, func(w *syntax.Word, plain string) bool {
		text, known := literal(w)
		return known && text == plain
	})
}

// literal is what a word of the parser stands for, where nothing has to be
// computed for it.
func literal(w *syntax.Word) (text string, known bool) {
	var b strings.Builder
	for _, part := range w.Parts {
		switch p := part.(type) {
		case *syntax.Lit:
			if strings.ContainsAny(p.Value, "*?[{~") {
				return "", false
			}
			b.WriteString(unescaped(p.Value))
		case *syntax.SglQuoted:
			if p.Dollar {
				return "", false
			}
			b.WriteString(p.Value)
		case *syntax.DblQuoted:
			if p.Dollar || !quoted(&b, p.Parts) {
				return "", false
			}
		default:
			return "", false
		}
	}
	return b.String(), true
}

func quoted(b *strings.Builder, parts []syntax.WordPart) bool {
	for _, part := range parts {
		lit, ok := part.(*syntax.Lit)
		if !ok {
			return false
		}
		b.WriteString(unescaped(lit.Value))
	}
	return true
}

// unescaped drops backslashes as outside of quotes: good enough for names of
// programs, which is all that is asked of words that have any.
func unescaped(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if i++; s[i] == '\n' {
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
