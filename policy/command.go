package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// commandPattern is an entry of ssh.commands: words, with wildcards for some of
// them, or one exact text.
type commandPattern struct {
	written string
	words   []commandWord // nil where only the exact text matches
	wild    bool
}

// commandWord is one word of a pattern.
type commandWord struct {
	text string
	kind wordKind
}

type wordKind uint8

const (
	literalWord wordKind = iota
	prefixWord           // word*
	anyWord              // *: a word that is no option; at the end one or more
	restWords            // ** at the end: any words, or none
)

// parseCommand reads an entry. Without wildcards any text will do; with them it
// has to be such that some simple command matches it.
func parseCommand(s string) (commandPattern, error) {
	p := commandPattern{written: s}
	if strings.TrimSpace(s) == "" {
		return p, fmt.Errorf("is empty")
	}
	words, wild, err := commandWords(s)
	if p.wild = wild; err != nil && wild {
		return p, fmt.Errorf("%q: %w; only one simple command takes a *", s, err)
	}
	if err == nil {
		p.words = words
	}
	for i, w := range p.words {
		if w.kind == restWords && i < len(p.words)-1 {
			return p, fmt.Errorf("%q: ** is the last word of a pattern", s)
		}
	}
	return p, nil
}

// commandWords splits a pattern into words. In quotes, and only there, a word
// may have any character.
func commandWords(s string) (words []commandWord, wild bool, err error) {
	for rest := strings.TrimLeft(s, " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		var w commandWord
		var problem error
		w, rest, problem = firstCommandWord(rest)
		words, wild = append(words, w), wild || w.kind != literalWord
		if err == nil {
			err = problem
		}
	}
	return words, wild, err
}

func firstCommandWord(s string) (w commandWord, rest string, err error) {
	var b strings.Builder
	stars := 0
	for s != "" && s[0] != ' ' {
		c := s[0]
		s = s[1:]
		switch {
		case c == '*':
			stars++
		case c == '\'' || c == '"':
			end := strings.IndexByte(s, c)
			if end < 0 {
				return w, "", fmt.Errorf("a quote does not end")
			}
			b.WriteString(s[:end])
			s = s[end+1:]
		case !plainByte(c):
			err = fmt.Errorf("%q is not a plain character: put it in quotes", c)
			fallthrough
		default:
			b.WriteByte(c)
		}
		if stars > 0 && c != '*' {
			err = fmt.Errorf("a * stands at the end of a word")
		}
	}
	w.text = b.String()
	switch {
	case stars == 0:
	case stars == 1 && w.text != "":
		w.kind = prefixWord
	case stars == 1:
		w.kind = anyWord
	case stars == 2 && w.text == "":
		w.kind = restWords
	default:
		w.kind, err = restWords, fmt.Errorf("write *, word* or **")
	}
	return w, s, err
}

// plainByte reports whether a character may stand in a simple command without
// quotes.
func plainByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_/.-+,@:%=", c) >= 0
}

// match compares with an exec. It is certain only of the exact text, and of the
// words of a simple command.
func (p *commandPattern) match(text string, f *SSH) match {
	switch {
	case !p.wild && p.written == text:
		return yes
	case p.words == nil:
		return no
	case f.Simple && p.matchWords(f.Words):
		return yes
	case f.Hidden || p.named(f):
		return may
	}
	return no
}

func (p *commandPattern) matchWords(words []string) bool {
	for i, w := range p.words {
		last := i == len(p.words)-1
		switch {
		case w.kind == restWords:
			return true
		case i >= len(words):
			return false
		case w.kind == anyWord && last:
			return !slices.ContainsFunc(words[i:], isOption)
		case !w.matches(words[i]):
			return false
		}
	}
	return len(words) == len(p.words)
}

func (w *commandWord) matches(s string) bool {
	switch w.kind {
	case literalWord:
		return s == w.text
	case prefixWord: // /srv/* is not /srv/../etc
		return strings.HasPrefix(s, w.text) && !climbs(s)
	default:
		return !isOption(s)
	}
}

func isOption(s string) bool { return strings.HasPrefix(s, "-") }

// climbs reports whether a word has a .. among the parts of a path.
func climbs(s string) bool {
	return slices.Contains(strings.FieldsFunc(s, func(r rune) bool { return r == '/' || r == '=' || r == ':' || r == ',' }), "..")
}

// named reports whether a command has to do with a pattern though it is not
// certainly one that matches: it runs the same program, by whatever path or
// inside of another, and of a simple one all words of the pattern are there,
// in order, with others between them.
func (p *commandPattern) named(f *SSH) bool {
	first := &p.words[0]
	for i, program := range f.Programs {
		if !first.names(program) {
			continue
		}
		inner := !f.Simple || len(f.Programs) > 1 && f.Programs[i] != f.Words[0]
		if inner || p.among(f.Words[1:]) {
			return true
		}
	}
	return false
}

// names reports whether the first word of a pattern may mean a program: rm is
// /bin/rm, and =rm where zsh reads it.
func (w *commandWord) names(program string) bool {
	a, b := path.Base(w.text), path.Base(strings.TrimLeft(program, "="))
	switch w.kind {
	case literalWord:
		return a == b
	case prefixWord:
		return strings.HasSuffix(w.text, "/") || strings.HasPrefix(b, a)
	default:
		return true
	}
}

// among reports whether the fixed words of a pattern occur in order.
func (p *commandPattern) among(words []string) bool {
	for _, w := range p.words[1:] {
		if w.kind != literalWord && w.kind != prefixWord {
			continue
		}
		i := slices.IndexFunc(words, func(s string) bool {
			return s == w.text || w.kind == prefixWord && strings.HasPrefix(s, w.text)
		})
		if i < 0 {
			return false
		}
		words = words[i+1:]
	}
	return true
}

type commandPatterns []commandPattern

func (ps commandPatterns) match(text string, f *SSH) match {
	best := no
	for i := range ps {
		best = max(best, ps[i].match(text, f))
	}
	return best
}

func (ps commandPatterns) String() string {
	written := make([]string, len(ps))
	for i := range ps {
		written[i] = ps[i].written
	}
	return strings.Join(written, ", ")
}
