package lineage

// early gives what a node derives from whose parts are evaluated one by one, and
// no further than needed: that a part is evaluated at all tells what those
// before it are. It shows where a part has an effect, or reads a table, which
// the server counts.
func (w *walker) early(n Node, s *scope) taint {
	// COALESCE looks for NULL only, which a column may show.
	coalesce := n.tag() == "COALESCE" || n.tag() == "COALESCEEXPR"
	var all, before set
	nulls := coalesce
	for _, part := range partsOf(n) {
		if !before.empty() && w.shows(part) {
			w.note(before, Early, false)
		}
		t := w.expr(part, s)
		all, nulls = all.union(t.from), nulls && t.nulls
		if !(coalesce && t.nulls) {
			before = before.union(t.from)
		}
	}
	return derived(all).asNull(nulls)
}

// partsOf gives the parts of a node in the order of their evaluation.
func partsOf(n Node) []Node {
	var parts []Node
	if n.tag() == "ROWCOMPARE" || n.tag() == "ROWCOMPAREEXPR" {
		right := n.field("rargs").first()
		for left := n.field("largs").first(); left.t != nil; left = left.following() {
			parts = append(parts, left, right)
			right = right.following()
		}
		return parts
	}
	for c := n.first(); c.t != nil; c = c.following() {
		switch c.at().kind {
		case object:
			parts = append(parts, c)
		case list:
			for a := c.first(); a.t != nil; a = a.following() {
				parts = append(parts, a)
			}
		}
	}
	return parts
}

// shows reports whether evaluating an expression can be noticed.
func (w *walker) shows(n Node) bool {
	switch n.tag() {
	case "SUBLINK":
		return n.field("subselect").field("rtable").some()
	case "FUNCEXPR", "OPEXPR", "DISTINCTEXPR", "NULLIFEXPR", "SCALARARRAYOPEXPR":
		if w.functionShows(w.functionOf(n)) {
			return true
		}
	}
	for c := n.first(); c.t != nil; c = c.following() {
		if w.shows(c) {
			return true
		}
	}
	return false
}

func (w *walker) functionShows(id uint32) bool {
	fn := w.c.functions[id]
	if fn == nil {
		return id >= firstUserOID
	}
	return fn.sink || fn.danger != "" || id >= firstUserOID && fn.changes && !fn.trusted
}

// collated is COLLATE. By a collation that somebody made, other values may be
// equal than those that are the same.
func (w *walker) collated(n Node, s *scope) taint {
	t := w.expr(n.field("arg"), s)
	if madeCollation(n) {
		return derived(t.from)
	}
	return t
}

func madeCollation(n Node) bool {
	oid, ok := n.number("collOid")
	return !ok || oid >= firstUserOID
}

// coerced is a cast to a domain, whose checks are given the value.
func (w *walker) coerced(n Node, s *scope) taint {
	t := w.expr(n.field("arg"), s)
	if t.from.empty() {
		return t
	}
	id, ok := n.number("resulttype")
	if !ok {
		w.fail("a domain has no type")
	}
	for _, check := range w.c.domains[uint32(id)] {
		w.call(check, repeat(t.from, 8), t.from)
	}
	return t
}
