package lineage

// filled is a column that an expression fills in: a generated one, or one with
// a default. It holds what the expression derives from; a default is seen in
// the tree of an INSERT, but COPY and ALTER TABLE show none.
type filled struct {
	at   place
	tree *Tree // nil where it cannot be read
	// always is true for a generated column, which no value of its own can have.
	always bool
}

// expressions reads those that may bring something labelled: columns of the
// same row, or functions that are not the server's.
func (l *loader) expressions() {
	l.each(`select d.adrelid, d.adnum, d.adbin::pg_catalog.text, a.attgenerated <> '' from pg_catalog.pg_attrdef d
join pg_catalog.pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
where d.adrelid >= 16384::pg_catalog.oid and (a.attgenerated <> '' or d.adbin::pg_catalog.text ~ ':(funcid|opfuncid) [0-9]{5,}')`, func(f []string) {
		e := filled{at: place{l.oid(f[0]), int16(l.number(f[1]))}, always: f[3] == "t"}
		if t, err := ReadTree(f[2]); err == nil {
			e.tree = t
		}
		l.fills = append(l.fills, e)
	})
}

// fill puts what the expressions derive from where they put it, and reports
// whether there is more than before.
func (l *loader) fill() bool {
	more := false
	for _, e := range l.fills {
		from := l.derives(&e)
		if !e.always && from.within(unreadSet) {
			continue // code that names nothing labelled: most defaults that call any
		}
		if from = from.without(unreadSet); !from.within(l.c.places[e.at]) {
			l.put(e.at, from)
			l.names.add(l.c.relations[e.at.relation].name)
			more = true
		}
	}
	return more
}

func (l *loader) derives(e *filled) set {
	if e.tree == nil {
		return l.c.rows[e.at.relation].union(opaqueSet)
	}
	w := newWalker(l.c, e.tree)
	w.row = e.at.relation
	from := w.expr(e.tree.Root(), nil).from
	if w.err != nil {
		return l.c.rows[e.at.relation].union(opaqueSet)
	}
	return from
}
