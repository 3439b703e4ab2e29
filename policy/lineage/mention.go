package lineage

import (
	"strings"
	"unicode/utf8"
)

// mentions are the names by which code that nobody analyses may reach labelled
// values. They are compared without regard to case or schema.
type mentions struct {
	names map[string]bool
	sinks bool // and the names of functions that keep what they are given
}

// reaching are names of the server's own that lead to values of tables.
var reaching = []string{
	"execute", "pg_stats", "pg_stats_ext", "pg_stats_ext_exprs", "pg_statistic", "pg_statistic_ext_data", "pg_stat_activity", "pg_largeobject",
	"pg_authid", "pg_shadow", "pg_user_mapping", "pg_user_mappings", "pg_subscription", "pg_cursors", "pg_prepared_statements",
	"pg_stat_statements", "pg_toast",
}

func newMentions() *mentions {
	m := &mentions{names: map[string]bool{}}
	for _, name := range reaching {
		m.names[name] = true
	}
	return m
}

// newKeepers are the names by which code that changes no table may still keep
// what it is given.
func newKeepers() *mentions {
	return &mentions{names: map[string]bool{"execute": true, "call": true, "notify": true, "set": true}, sinks: true}
}

// add takes the last part of a name.
func (m *mentions) add(name string) bool {
	name = strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])
	if m.names[name] {
		return false
	}
	m.names[name] = true
	return true
}

// in reports whether a body has one of the names in it, also within a string
// or a comment, or is written so that this cannot be told.
func (m *mentions) in(body string) bool {
	found := false
	eachWord(body, func(word string, at int) {
		word = strings.ToLower(word)
		found = found || m.names[word] || word == "u" && at+1 < len(body) && body[at] == '&' ||
			m.sinks && listed(sinks, word) || listedDanger(word)
	})
	return found
}

func listedDanger(name string) bool {
	for i := range dangers {
		if listed(dangers[i].names, name) {
			return true
		}
	}
	return false
}

// eachWord calls f with each identifier, and where it ends. What stands in
// double quotes is one, whatever it holds.
func eachWord(s string, f func(word string, end int)) {
	for i := 0; i < len(s); {
		switch {
		case s[i] == '"':
			end := strings.IndexByte(s[i+1:], '"')
			if end < 0 {
				end = len(s) - i - 1
			}
			f(s[i+1:i+1+end], i+1+end)
			i++ // what is within is read word by word as well
		case isWord(s[i]):
			from := i
			for i < len(s) && isWord(s[i]) {
				i++
			}
			f(s[from:i], i)
		default:
			i++
		}
	}
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= utf8.RuneSelf
}

// wholeRow reports whether a trigger's body uses NEW or OLD other than to
// return it or to take a field of it.
func wholeRow(body string) bool {
	last, found := "", false
	eachWord(body, func(word string, end int) {
		word = strings.ToLower(word)
		if (word == "new" || word == "old") && last != "return" && !strings.HasPrefix(strings.TrimLeft(body[end:], " \t\r\n"), ".") {
			found = true
		}
		last = word
	})
	return found
}
