package lineage

// entry gives the columns of an entry of the range table, having walked it. A
// relation has none here: Catalog.column knows them.
func (w *walker) entry(number int, s *scope) []taint {
	if outs, ok := s.columns[number]; ok || w.err != nil {
		return outs
	}
	if s.busy[number] {
		w.fail("entry %d refers to itself", number)
		return nil
	}
	s.busy[number] = true
	outs := w.look(s.tables[number-1], s)
	delete(s.busy, number)
	s.columns[number] = outs
	return outs
}

func (w *walker) look(e Node, s *scope) []taint {
	if e.tag() != "RANGETBLENTRY" && e.tag() != "RTE" {
		w.fail("%q is no entry of a range table", e.tag())
		return nil
	}
	kind, _ := e.number("rtekind")
	switch kind {
	case rteRelation:
		if oid := w.relation(e); w.c.Labelled(oid) {
			w.facts.Touches = true
		}
		if sample := e.field("tablesample"); sample.some() {
			w.infer(sample, s, Sample)
		}
		return nil
	case rteSubquery:
		return w.labelView(e, w.query(e.field("subquery"), s))
	case rteJoin:
		return w.exprs(e.field("joinaliasvars"), s)
	case rteFunction:
		return w.functionEntry(e, s)
	case rteTableFunc:
		return w.tableFunction(e, s)
	case rteValues:
		return w.values(e.field("values_lists"), s)
	case rteCTE:
		return w.cteEntry(e, s)
	case rteResult:
		return nil
	case rteGroup:
		return w.exprs(e.field("groupexprs"), s)
	}
	w.fail("kind %d of an entry is not known", kind)
	return nil
}

// labelView adds the labels of a view's own columns. From PostgreSQL 16 on its
// entry names the view; before, the first entry of its query (OLD) does.
func (w *walker) labelView(e Node, outs []taint) []taint {
	oid, _ := e.number("relid")
	if oid == 0 {
		if first := e.field("subquery").field("rtable").first(); first.field("relkind").word() == "v" {
			oid, _ = first.number("relid")
		}
	}
	if oid == 0 || w.c.rows[uint32(oid)].empty() {
		return outs
	}
	for i := range outs {
		if from := w.c.places[place{uint32(oid), int16(i + 1)}]; !from.empty() {
			outs[i] = w.c.either(outs[i], asIs(from))
		}
	}
	return outs
}

func (w *walker) exprs(list Node, s *scope) []taint {
	var outs []taint
	for e := list.first(); e.t != nil; e = e.following() {
		outs = append(outs, w.expr(e, s))
	}
	return outs
}

// values unites the rows of VALUES, column by column.
func (w *walker) values(rows Node, s *scope) []taint {
	var outs []taint
	for row := rows.first(); row.t != nil; row = row.following() {
		i := 0
		for e := row.first(); e.t != nil; e = e.following() {
			if i == len(outs) {
				outs = append(outs, clean)
			}
			if t := w.expr(e, s); !t.from.empty() {
				outs[i] = w.c.either(outs[i], t)
			}
			i++
		}
	}
	return outs
}

// tableFunction is XMLTABLE or JSON_TABLE: what is in its arguments decides how
// many rows come.
func (w *walker) tableFunction(e Node, s *scope) []taint {
	f := e.field("tablefunc")
	w.infer(f, s, From)
	from := w.expr(f, s).from
	var outs []taint
	for c := f.field("colnames").first(); c.t != nil; c = c.following() {
		outs = append(outs, derived(from))
	}
	return append(outs, derived(from))
}

// functionEntry is ROWS FROM, or a single function. WITH ORDINALITY adds a
// column that counts.
func (w *walker) functionEntry(e Node, s *scope) []taint {
	var outs []taint
	var all set
	for f := e.field("functions").first(); f.t != nil; f = f.following() {
		n, ok := f.number("funccolcount")
		if !ok || n < 0 || n > 1664 {
			w.fail("a function has no columns")
			return nil
		}
		call := f.field("funcexpr")
		for _, t := range w.returnedBy(call, int(n), s) {
			all = all.union(t.from)
			outs = append(outs, t)
		}
		w.rowsOf(call, s, From)
	}
	return append(outs, derived(all))
}

// cte walks a common table expression for what it does; one that is recursive
// is walked when it is used.
func (w *walker) cte(c Node, s *scope) []taint {
	q := c.field("ctequery")
	if !c.is("cterecursive") {
		return w.query(q, s)
	}
	if outs, ok := w.done[c.i]; ok {
		return outs
	}
	w.done[c.i] = nil
	for {
		w.forget(q)
		outs := w.query(q, s)
		if w.err != nil || sameColumns(w.done[c.i], outs) {
			return outs
		}
		w.done[c.i] = outs
	}
}

// forget makes the queries at and beneath a node be walked again.
func (w *walker) forget(n Node) {
	delete(w.memo, n.i)
	if n.tag() == "QUERY" || n.tag() == "COMMONTABLEEXPR" && n.is("cterecursive") {
		delete(w.done, n.i)
	}
	for c := n.first(); c.t != nil; c = c.following() {
		w.forget(c)
	}
}

func sameColumns(a, b []taint) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].plain != b[i].plain || a[i].nulls != b[i].nulls || !a[i].from.within(b[i].from) || !b[i].from.within(a[i].from) {
			return false
		}
	}
	return true
}

// cteEntry finds the expression that an entry names. Names that read the same
// are taken together: which is meant may not be told apart.
func (w *walker) cteEntry(e Node, s *scope) []taint {
	up, ok := e.number("ctelevelsup")
	if !ok {
		w.fail("a CTE has no level")
		return nil
	}
	holder := s
	for ; up > 0 && holder != nil; up-- {
		holder = holder.up
	}
	if holder == nil {
		w.fail("a CTE is not there")
		return nil
	}
	name := unquoteWord(e.field("ctename").word())
	var outs []taint
	found := 0
	for c := holder.q.field("cteList").first(); c.t != nil; c = c.following() {
		if unquoteWord(c.field("ctename").word()) != name {
			continue
		}
		columns := w.cte(c, holder)
		if found++; found == 1 {
			outs = append(outs, columns...)
			continue
		}
		outs = w.mix(outs, columns)
	}
	if found == 0 {
		w.fail("a CTE is not there")
	}
	return outs
}
