package shell

import (
	"fmt"
	"strings"
)

// plainWords splits a command that consists of nothing but plain words: each a
// run of harmless characters, a quoted section, or one and then the other, as
// in --name='a b'. Where there is anything else it says what, and where.
func plainWords(text string) (words []string, why string) {
	for i := 0; i < len(text); {
		if text[i] == ' ' {
			i++
			continue
		}
		word, n, why := plainWord(text[i:], len(words) == 0)
		if why != "" {
			return nil, fmt.Sprintf("%s at character %d", why, i+n+1)
		}
		words = append(words, word)
		i += n
	}
	if len(words) == 0 {
		return nil, "it is empty"
	}
	return words, ""
}

// plainWord reads the word that a text begins with, and tells how far it went.
func plainWord(text string, first bool) (word string, n int, why string) {
	for n < len(text) && bare(text, n, first) {
		n++
	}
	word = text[:n]
	if n == len(text) || text[n] == ' ' {
		return word, n, ""
	}
	quote := text[n]
	if first || quote != '\'' && quote != '"' {
		return "", n, name(text[n:], n == 0)
	}
	for end := n + 1; end < len(text); end++ {
		switch c := text[end]; {
		case c == quote:
			return closed(text, word+text[n+1:end], end+1)
		case !quotable(c, quote):
			return "", end, name(text[end:], false)
		}
	}
	return "", n, "a quote that does not end"
}

// closed: nothing may follow a quoted section in its word. 'a”b' is a'b in a
// zsh with RC_QUOTES.
func closed(text, word string, n int) (string, int, string) {
	if n < len(text) && text[n] != ' ' {
		return "", n, "a word that goes on after a quoted part,"
	}
	return word, n, ""
}

// bare reports whether the character at i of a word means itself, unquoted, to
// every shell.
func bare(word string, i int, first bool) bool {
	c := word[i]
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '/', c == '.':
		return true
	case c == '-', c == '+':
		return !first || i > 0 // zsh: - is a modifier
	case c == ',', c == '@':
		return !first // csh: @ computes
	case c == ':':
		return !first // csh: a label
	case c == '%':
		return i > 0 && !first // a job; fish: %self
	case c == '=':
		// An assignment in the first word. At the beginning zsh reads the path of
		// a program, and with MAGIC_EQUAL_SUBST after = and : as well.
		return !first && i > 0 && word[i-1] != '=' && word[i-1] != ':'
	}
	return false
}

// quotable reports whether a character means itself in quotes to every shell.
// csh substitutes history in both kinds of quotes, fish reads backslashes in
// both.
func quotable(c, quote byte) bool {
	switch c {
	case '!', '\\':
		return false
	case '$', '`':
		return quote == '\''
	}
	return c >= ' ' && c < 0x7f
}

// name says what a character that is not plain is, for people.
func name(text string, begins bool) string {
	c := text[0]
	switch {
	case c == '\n' || c == '\r':
		return "a line break"
	case c < ' ' || c == 0x7f:
		return fmt.Sprintf("a control character (0x%02x)", c)
	case c >= 0x80:
		return "a character that is not ASCII"
	case begins && strings.IndexByte("-+=%:@,", c) >= 0:
		return fmt.Sprintf("a word that begins with %c", c)
	}
	return fmt.Sprintf("%s (%c)", kind(c), c)
}

func kind(c byte) string {
	switch c {
	case ';', '&':
		return "a list or background command"
	case '|':
		return "a pipe"
	case '<', '>':
		return "a redirection"
	case '$', '`':
		return "an expansion"
	case '*', '?', '[', ']', '{', '}', '~', '^':
		return "a pattern"
	case '(', ')':
		return "a subshell"
	case '\\':
		return "an escape"
	case '!':
		return "history or negation"
	case '#':
		return "a comment"
	case '=':
		return "an assignment"
	case '\'', '"':
		return "a quote where the program's name stands"
	}
	return "a special character"
}
