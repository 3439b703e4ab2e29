package lineage

import "slices"

// The numbers of SubLinkType and ParamKind that matter here.
const (
	subExists, subMulti            = 0, 5
	paramExtern, paramSub, paramMU = 0, 2, 3
)

// expr gives what a value derives from. Every node, known or not, derives from
// everything beneath it, but for those that are known to take a part of it or
// to carry no value.
func (w *walker) expr(n Node, s *scope) taint {
	if w.err != nil || n.t == nil {
		return clean
	}
	switch v := n.at(); v.kind {
	case object:
	case list:
		return w.beneath(n, s)
	default:
		return clean
	}
	if t, ok := w.memo[n.i]; ok {
		return t
	}
	if w.depth++; w.depth > maxDepth {
		w.fail("it nests too deeply")
	}
	defer func() { w.depth-- }()
	t := w.node(n, s)
	w.memo[n.i] = t // each node is of one query, and looked at more than once
	return t
}

func (w *walker) node(n Node, s *scope) taint {
	switch n.tag() {
	case "VAR":
		return w.variable(n, s)
	case "CONST":
		return clean
	case "PARAM":
		return w.param(n, s)
	case "RELABELTYPE":
		return w.expr(n.field("arg"), s)
	case "COLLATEEXPR", "COLLATE":
		return w.collated(n, s)
	case "COERCETODOMAIN":
		return w.coerced(n, s)
	case "BOOLEXPR", "COALESCE", "COALESCEEXPR", "ROWCOMPARE", "ROWCOMPAREEXPR", "JSONEXPR":
		return w.early(n, s)
	case "SUBLINK":
		return w.sublink(n, s)
	case "QUERY":
		return w.rowOf(w.query(n, s))
	case "FUNCEXPR", "OPEXPR", "DISTINCTEXPR", "NULLIFEXPR", "SCALARARRAYOPEXPR", "WINDOWFUNC", "AGGREF":
		return w.called(n, s)
	case "NULLTEST", "GROUPINGFUNC", "CURRENTOFEXPR":
		return w.valueless(n, s)
	case "FIELDSELECT":
		return w.fieldOf(n, s)
	case "CASE", "CASEEXPR":
		return w.choice(n, s)
	case "ARRAY", "ARRAYEXPR", "BOOLEANTEST": // never NULL
		return w.beneath(n, s).asNull(true)
	case "COERCEVIAIO", "MINMAX", "MINMAXEXPR", "ROW", "ROWEXPR": // ROW (NULL) IS NULL is true
		return w.beneath(n, s).asNull(w.allNulls(n, s))
	}
	return w.beneath(n, s)
}

func (w *walker) beneath(n Node, s *scope) taint {
	var from set
	for c := n.first(); c.t != nil; c = c.following() {
		if v := c.at(); v.kind == object || v.kind == list {
			from = from.union(w.expr(c, s).from)
		}
	}
	return derived(from)
}

func (w *walker) rowOf(outs []taint) taint {
	var all set
	for i := range outs {
		all = all.union(outs[i].from)
	}
	return derived(all)
}

// variable resolves a VAR in its query, or one around it.
func (w *walker) variable(n Node, s *scope) taint {
	entry, ok1 := n.number("varno")
	column, ok2 := n.number("varattno")
	up, ok3 := n.number("varlevelsup")
	if !ok1 || !ok2 || !ok3 || column < -100 || column > 1664 {
		w.fail("a variable has no place")
		return derived(opaqueSet)
	}
	if w.row != 0 && s == nil && up == 0 {
		return w.c.column(w.row, int16(column))
	}
	for ; up > 0 && s != nil; up-- {
		s = s.up
	}
	if s == nil {
		w.fail("a variable is of no query")
		return derived(opaqueSet)
	}
	return w.column(int(entry), int16(column), s)
}

// param is $n, of the client or of the function whose body this is; a column of
// the sublink that it stands in, which counts as a whole; or one of those that
// UPDATE … SET (a, b) = (SELECT …) takes from a sublink among the targets.
func (w *walker) param(n Node, s *scope) taint {
	kind, ok := n.number("paramkind")
	id, ok2 := n.number("paramid")
	switch {
	case !ok || !ok2:
		w.fail("a parameter has no number")
	case kind == paramExtern && w.args != nil:
		if id >= 1 && int(id) <= len(w.args) {
			return w.args[id-1]
		}
		return derived(opaqueSet)
	case kind == paramMU:
		var from set
		eachObject(s.q.field("targetList"), "SUBLINK", func(l Node) {
			if t, _ := l.number("subLinkType"); t == subMulti {
				from = from.union(w.expr(l, s).from)
			}
		})
		return derived(from)
	}
	return clean
}

func (w *walker) sublink(n Node, s *scope) taint {
	outs := w.query(n.field("subselect"), s)
	test := w.expr(n.field("testexpr"), s)
	kind, ok := n.number("subLinkType")
	switch {
	case !ok:
		w.fail("a sublink has no type")
	case kind == subExists:
		return clean // whether there are rows is what its own conditions infer
	case len(outs) == 1 && kind == 4: // EXPR: the value itself
		return outs[0]
	}
	return derived(w.rowOf(outs).from.union(test.from))
}

// valueless nodes tell nothing of the value, only that there is one; what is
// beneath is walked for what it calls. IS NULL of a computed value may tell
// much.
func (w *walker) valueless(n Node, s *scope) taint {
	t := w.expr(n.field("arg"), s)
	if n.tag() == "NULLTEST" && !w.keepsNull(n.field("arg"), s) {
		return derived(t.from).asNull(true)
	}
	return clean
}

// keepsNull reports whether that an expression is NULL tells nothing.
func (w *walker) keepsNull(n Node, s *scope) bool {
	if number, ok := n.number("varattno"); n.tag() == "VAR" && ok && number == 0 {
		return w.plainRow(n, s)
	}
	return w.expr(n, s).nulls
}

// plainRow reports whether every column of a row holds values as they are.
func (w *walker) plainRow(n Node, s *scope) bool {
	up, _ := n.number("varlevelsup")
	entry, _ := n.number("varno")
	for ; up > 0 && s != nil; up-- {
		s = s.up
	}
	if s == nil || entry < 1 || int(entry) > len(s.tables) {
		return false
	}
	e := s.tables[entry-1]
	if kind, _ := e.number("rtekind"); kind == rteRelation {
		oid := w.relation(e)
		return w.c.plainRow(oid)
	}
	return !slices.ContainsFunc(w.entry(int(entry), s), func(t taint) bool { return !t.nulls })
}

// fieldOf takes one field of a row where it can be told apart.
func (w *walker) fieldOf(n Node, s *scope) taint {
	arg := n.field("arg")
	field, ok := n.number("fieldnum")
	if !ok || field < 1 || field > 1664 {
		w.fail("a field has no number")
		return derived(opaqueSet)
	}
	switch arg.tag() {
	case "VAR":
		if number, _ := arg.number("varattno"); number != 0 {
			break
		}
		up, _ := arg.number("varlevelsup")
		entry, _ := arg.number("varno")
		at := s
		for ; up > 0 && at != nil; up-- {
			at = at.up
		}
		if at != nil {
			return w.column(int(entry), int16(field), at)
		}
	case "ROW", "ROWEXPR":
		at := arg.field("args").first()
		for i := int64(1); i < field && at.t != nil; i++ {
			at = at.following()
		}
		w.expr(arg, s)
		return w.expr(at, s)
	case "FUNCEXPR":
		if outs := w.returnedBy(arg, 0, s); int(field) <= len(outs) && len(outs) > 1 {
			return outs[field-1]
		}
	}
	return derived(w.expr(arg, s).from)
}

// choice is CASE. What it chooses by is in the value; that it chooses at all
// may show otherwise, in what a branch does, so its conditions infer as well.
func (w *walker) choice(n Node, s *scope) taint {
	from := w.expr(n.field("arg"), s).from
	subject, nulls := from, from.empty()
	for c := n.field("args").first(); c.t != nil; c = c.following() {
		if subject.empty() {
			w.condition(c.field("expr"), s, Case)
		} else {
			w.conditionOn(n.field("arg"), c.field("expr"), subject, s)
		}
		test, result := w.expr(c.field("expr"), s), w.expr(c.field("result"), s)
		nulls = nulls && test.from.empty() && result.nulls
		from = from.union(test.from).union(result.from)
	}
	other := w.expr(n.field("defresult"), s)
	return derived(from.union(other.from)).asNull(nulls && other.nulls)
}

// returnedBy gives the n columns that a function in FROM returns; n of 0 asks
// for however many are known.
func (w *walker) returnedBy(call Node, n int, s *scope) []taint {
	whole := w.expr(call, s)
	if call.tag() == "FUNCEXPR" {
		id, _ := call.number("funcid")
		if outs := w.tableOf(uint32(id), call, n, s); outs != nil {
			return outs
		}
	}
	outs := make([]taint, n)
	for i := range outs {
		outs[i] = derived(whole.from)
	}
	if n == 1 {
		outs[0] = whole
	}
	return outs
}
