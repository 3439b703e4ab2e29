package sql

// Count gives a query that counts the rows which an UPDATE or DELETE of one
// table would touch, without touching them, or "" where that cannot be said by
// moving its own words: one that joins, has a WITH or follows a cursor. The
// query shows how much is meant; nothing may be allowed on its strength.
func (s *Statement) Count() string {
	w := wordsOf(s.Text)
	if !w.sure || len(w.places) < 3 {
		return ""
	}
	switch {
	case s.Facts.Kind == "delete" && w.places[0].word == "delete" && w.places[1].word == "from":
		if w.has("using") {
			return ""
		}
		return w.count(2, len(w.places))
	case s.Facts.Kind == "update" && w.places[0].word == "update":
		set := w.find("set")
		if set < 2 || w.has("from") {
			return ""
		}
		return w.count(1, set)
	}
	return ""
}

// count builds the query from the target, which begins at a place and ends
// before another or the condition, and the condition.
func (w words) count(from, to int) string {
	end := len(w.text)
	if i := w.find("returning"); i >= 0 {
		end, to = w.places[i].start, min(to, i)
	}
	condition := ""
	if i := w.find("where"); i >= 0 {
		if i+1 < len(w.places) && w.places[i+1].word == "current" {
			return ""
		}
		condition, to = w.text[w.places[i].start:end], min(to, i)
	}
	if to <= from {
		return ""
	}
	return "SELECT count(*) FROM " + w.text[w.places[from].start:w.places[to-1].end] + " " + condition
}
