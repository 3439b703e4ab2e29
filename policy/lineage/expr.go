package lineage

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
	if w.depth++; w.depth > maxDepth {
		w.fail("it nests too deeply")
	}
	defer func() { w.depth-- }()
	switch n.tag() {
	case "VAR":
		return w.variable(n, s)
	case "CONST":
		return clean
	case "PARAM":
		return w.param(n, s)
	case "RELABELTYPE", "COLLATEEXPR", "COLLATE", "COERCETODOMAIN":
		return w.expr(n.field("arg"), s)
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
	if n.tag() == "NULLTEST" && !keepsNull(n.field("arg")) {
		return derived(t.from)
	}
	return clean
}

// keepsNull reports whether an expression is NULL just where the variable in it
// is: casts are strict.
func keepsNull(n Node) bool {
	switch n.tag() {
	case "VAR":
		return true
	case "RELABELTYPE", "COLLATEEXPR", "COERCEVIAIO":
		return keepsNull(n.field("arg"))
	}
	return false
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
	subject := from
	for c := n.field("args").first(); c.t != nil; c = c.following() {
		if subject.empty() {
			w.condition(c.field("expr"), s, Case)
		} else {
			w.conditionOn(n.field("arg"), c.field("expr"), subject, s)
		}
		from = from.union(w.expr(c, s).from)
	}
	return derived(from.union(w.expr(n.field("defresult"), s).from))
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
