package sql

import "strings"

// Use tells what a statement does with the query inside it.
type Use uint8

// The uses of an inner query.
const (
	NoQuery  Use = iota // there is none, or none that could be found
	Itself              // the statement is the query
	Returned            // its rows go to the client, now or under a name: COPY, DECLARE, PREPARE
	Kept                // it makes a relation: CREATE TABLE AS, SELECT INTO, CREATE VIEW
	Planned             // its plan goes to the client: EXPLAIN
)

// Inner gives the text of the query inside a statement as PostgreSQL would
// parse it by itself, and what becomes of it. The grammar has said what kind of
// statement it is; from that, the words around the query are known.
func (s *Statement) Inner() (query string, use Use) {
	switch s.Facts.Kind {
	case "select", "insert", "update", "delete", "merge", "values", "table":
		return s.Text, Itself
	case "select_into":
		return kept(withoutInto(s.Text), Kept)
	}
	w := wordsOf(s.Text)
	switch s.Facts.Kind {
	case "prepare":
		return kept(w.after("as"), Returned)
	case "declare":
		return kept(w.after("for"), Returned)
	case "create_table_as", "create_materialized_view":
		return kept(w.without("with data", "with no data").after("as"), Kept)
	case "create_view":
		if w.has("recursive") {
			return "", NoQuery
		}
		return kept(w.without("with check option", "with local check option", "with cascaded check option").after("as"), Kept)
	case "explain":
		return kept(w.explained(), Planned)
	case "copy_out", "copy_in":
		if s.Copy != nil && s.Copy.Query {
			return kept(w.bracketed(), Returned)
		}
	}
	return "", NoQuery
}

// Arguments gives a query of what EXECUTE passes to the statement that it runs,
// "" where it passes nothing. It is not sure where the text has no such query.
func (s *Statement) Arguments() (query string, sure bool) {
	w := wordsOf(s.Text)
	at := w.find("execute")
	if !w.sure || at < 0 || at+1 >= len(w.places) {
		return "", false
	}
	switch rest := w.places[at+2:]; {
	case len(rest) == 0:
		return "", true
	case len(rest) == 1 && rest[0].word == "(":
		return "SELECT " + w.text[rest[0].start+1:rest[0].end-1], true
	}
	return "", false
}

// Filter gives the query whose condition is that of COPY FROM … WHERE, "" where
// it has none.
func (s *Statement) Filter() (query string, sure bool) {
	w := wordsOf(s.Text)
	if !w.sure || s.Copy == nil || s.Copy.Table == "" {
		return "", false
	}
	if !w.has("where") {
		return "", true
	}
	return "SELECT FROM ONLY " + s.Copy.Table + " WHERE " + w.after("where"), true
}

func kept(query string, use Use) (string, Use) {
	if strings.TrimSpace(query) == "" {
		return "", NoQuery
	}
	return query, use
}

// place is a token outside brackets, or a bracket that opens there.
type place struct {
	word       string // lower case; quoted names and constants are "?"
	start, end int    // of a bracket: the whole of it
}

// words are the tokens of a statement at its outermost level, without white
// space, comments and the semicolon at its end.
type words struct {
	text   string
	places []place
	sure   bool
}

func wordsOf(text string) words {
	w := words{text: text, sure: true}
	l := lexer{text: text}
	depth, open := 0, 0
	for l.at < len(text) {
		start := l.at
		t := l.next()
		if t == tokenOdd && l.at == len(text) && !strings.HasPrefix(strings.ToLower(text[start:]), "u&") {
			w.sure = false
		}
		switch {
		case t == tokenSpace || t == tokenComment:
		case t == tokenSign && text[start] == '(':
			if depth++; depth == 1 {
				open = start
			}
		case t == tokenSign && text[start] == ')':
			if depth--; depth == 0 {
				w.places = append(w.places, place{"(", open, l.at})
			}
		case depth > 0:
		case t == tokenSign && text[start] == ';':
			w.text = text[:start]
		case t == tokenWord:
			w.places = append(w.places, place{strings.ToLower(text[start:l.at]), start, l.at})
		default:
			w.places = append(w.places, place{"?", start, l.at})
		}
	}
	w.sure = w.sure && depth == 0
	return w
}

func (w words) has(word string) bool { return w.find(word) >= 0 }

func (w words) find(word string) int {
	for i := range w.places {
		if w.places[i].word == word {
			return i
		}
	}
	return -1
}

// after gives what follows the first of a word.
func (w words) after(word string) string {
	i := w.find(word)
	if i < 0 || !w.sure {
		return ""
	}
	return w.text[w.places[i].end:]
}

// without takes the first ending that the statement has away.
func (w words) without(endings ...string) words {
	for _, ending := range endings {
		n := len(strings.Fields(ending))
		if n > len(w.places) {
			continue
		}
		tail := w.places[len(w.places)-n:]
		var got []string
		for _, p := range tail {
			got = append(got, p.word)
		}
		if strings.Join(got, " ") == ending {
			w.text, w.places = w.text[:tail[0].start], w.places[:len(w.places)-n]
			return w
		}
	}
	return w
}

// explained is what follows EXPLAIN and its options, which stand in brackets
// unless those hold a query.
func (w words) explained() string {
	if !w.sure || len(w.places) < 2 || w.places[0].word != "explain" {
		return ""
	}
	at := 1
	if p := w.places[1]; p.word == "(" && !opensQuery(w.text[p.start+1:p.end]) {
		at++
	} else {
		for at < len(w.places) && (w.places[at].word == "analyze" || w.places[at].word == "analyse" || w.places[at].word == "verbose") {
			at++
		}
	}
	if at == len(w.places) {
		return ""
	}
	return w.text[w.places[at].start:]
}

func opensQuery(inside string) bool {
	w := wordsOf(inside)
	if len(w.places) == 0 {
		return strings.Contains(inside, "(")
	}
	switch w.places[0].word {
	case "select", "with", "table", "values", "(":
		return true
	}
	return false
}

// bracketed is what the first brackets hold.
func (w words) bracketed() string {
	i := w.find("(")
	if i < 0 || !w.sure {
		return ""
	}
	return w.text[w.places[i].start+1 : w.places[i].end-1]
}

// withoutInto takes INTO and the name that follows it out of a SELECT.
func withoutInto(text string) string {
	w := wordsOf(text)
	i := w.find("into")
	if i < 0 || !w.sure {
		return ""
	}
	at := i + 1
	for at < len(w.places) && isAny(w.places[at].word, "temporary", "temp", "local", "global", "unlogged", "table") {
		at++
	}
	if at < len(w.places) {
		at++ // the name, or its first part
	}
	for at+1 < len(w.places) && w.text[w.places[at].start:w.places[at].end] == "." {
		at += 2
	}
	end := len(w.text)
	if at < len(w.places) {
		end = w.places[at].start
	}
	return w.text[:w.places[i].start] + " " + w.text[end:]
}

func isAny(word string, of ...string) bool {
	for _, o := range of {
		if word == o {
			return true
		}
	}
	return false
}
