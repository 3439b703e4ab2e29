package lineage

// The bounds of what counts as looking up a value: more comparisons in one
// statement are a search.
const maxEqualities = 16

// infer notes that a statement's rows depend on an expression.
func (w *walker) infer(n Node, s *scope, c Clause) {
	w.note(w.expr(n, s).from, c, false)
}

func (w *walker) note(from set, c Clause, equality bool) {
	if from.empty() {
		return
	}
	for i := range w.facts.Inferences {
		have := &w.facts.Inferences[i]
		if have.Clause == c && have.Equality == equality {
			have.from = have.from.union(from)
			return
		}
	}
	w.facts.Inferences = append(w.facts.Inferences, Inference{Clause: c, Equality: equality, from: from})
}

// condition notes what a condition infers: AND, OR, NOT and IS TRUE are those
// of their parts.
func (w *walker) condition(n Node, s *scope, c Clause) {
	if w.err != nil || !n.some() {
		return
	}
	switch n.tag() {
	case "BOOLEXPR":
		for a := n.field("args").first(); a.t != nil; a = a.following() {
			w.condition(a, s, c)
		}
		return
	case "BOOLEANTEST":
		w.condition(n.field("arg"), s, c)
		return
	case "OPEXPR", "DISTINCTEXPR":
		if w.equality(n, s, c) {
			return
		}
	case "SCALARARRAYOPEXPR":
		if w.oneOf(n, s, c) {
			return
		}
	}
	if n.at().kind == list {
		for a := n.first(); a.t != nil; a = a.following() {
			w.condition(a, s, c)
		}
		return
	}
	w.infer(n, s, c)
}

// equality notes "column = constant" and reports whether it is that.
func (w *walker) equality(n Node, s *scope, c Clause) bool {
	left := n.field("args").first()
	right := left.following()
	if right.t == nil || right.following().t != nil || !w.comparesEqual(n) {
		return false
	}
	if w.constant(left) {
		left, right = right, left
	}
	t := w.expr(left, s)
	if t.from.empty() || !t.plain || !w.constant(right) {
		return false
	}
	w.expr(right, s)
	w.lookup(n, t.from, c, 1)
	return true
}

// oneOf notes "column IN (constants)", likewise.
func (w *walker) oneOf(n Node, s *scope, c Clause) bool {
	left := n.field("args").first()
	right := left.following()
	if right.tag() != "ARRAY" && right.tag() != "ARRAYEXPR" || !w.comparesEqual(n) || !w.constant(right) {
		return false
	}
	t := w.expr(left, s)
	if t.from.empty() || !t.plain {
		return false
	}
	count := 0
	for e := right.field("elements").first(); e.t != nil; e = e.following() {
		count++
	}
	w.lookup(n, t.from, c, count)
	return true
}

// conditionOn is a branch of CASE subject WHEN value.
func (w *walker) conditionOn(subject, test Node, from set, s *scope) {
	args := test.field("args").first().following()
	if t := w.expr(subject, s); test.tag() == "OPEXPR" && w.comparesEqual(test) && w.constant(args) && t.plain {
		w.lookup(test, from, Case, 1)
		return
	}
	w.note(from, Case, false)
	w.condition(test, s, Case)
}

func (w *walker) lookup(n Node, from set, c Clause, count int) {
	if !w.equal[n.i] {
		w.equal[n.i] = true
		w.equalities += count
	}
	w.note(from, c, w.equalities <= maxEqualities)
}

func (w *walker) comparesEqual(n Node) bool {
	op, ok := n.number("opno")
	return ok && w.c.equality[uint32(op)]
}

// constant reports whether an expression has one value for the whole
// statement, and calls nothing but the server's own casts.
func (w *walker) constant(n Node) bool {
	switch n.tag() {
	case "CONST":
		return true
	case "PARAM":
		kind, ok := n.number("paramkind")
		if id, _ := n.number("paramid"); ok && kind == paramExtern && w.args != nil { // of an SQL function
			return id >= 1 && int(id) <= len(w.args) && w.args[id-1].fixed
		}
		return ok && kind == paramExtern
	case "COLLATEEXPR", "COLLATE":
		return !madeCollation(n) && w.constant(n.field("arg"))
	case "RELABELTYPE", "COERCEVIAIO", "COERCETODOMAIN":
		return w.constant(n.field("arg"))
	case "FUNCEXPR":
		id, ok := n.number("funcid")
		return ok && id < firstUserOID && w.allConstant(n.field("args"))
	case "ARRAY", "ARRAYEXPR":
		return w.allConstant(n.field("elements"))
	}
	return false
}

func (w *walker) allConstant(list Node) bool {
	for e := list.first(); e.t != nil; e = e.following() {
		if !w.constant(e) {
			return false
		}
	}
	return true
}

// from walks FROM and WHERE.
func (w *walker) from(n Node, s *scope) {
	switch n.tag() {
	case "":
		if n.some() {
			w.fail("no join tree")
		}
	case "FROMEXPR":
		for e := n.field("fromlist").first(); e.t != nil; e = e.following() {
			w.from(e, s)
		}
		w.condition(n.field("quals"), s, Where)
	case "JOINEXPR":
		w.from(n.field("larg"), s)
		w.from(n.field("rarg"), s)
		w.condition(n.field("quals"), s, Join)
	case "RANGETBLREF":
	default:
		w.fail("%q is no part of a join tree", n.tag())
	}
}

// clauses walks all that decides which rows come and in what order.
func (w *walker) clauses(s *scope, outs []taint) {
	q := s.q
	w.condition(q.field("havingQual"), s, Having)
	w.infer(q.field("limitCount"), s, Limit)
	w.infer(q.field("limitOffset"), s, Limit)
	w.sorted(q.field("sortClause"), s, Order)
	for c := q.field("windowClause").first(); c.t != nil; c = c.following() {
		w.sorted(c.field("partitionClause"), s, Window)
		w.sorted(c.field("orderClause"), s, Window)
		w.infer(c.field("startOffset"), s, Window)
		w.infer(c.field("endOffset"), s, Window)
	}
	w.grouped(q.field("groupClause"), s, outs, Group)
	if s.command == cmdSelect && !q.field("setOperations").some() {
		w.grouped(q.field("distinctClause"), s, outs, Distinct)
	}
	if q.is("hasTargetSRFs") {
		for t := q.field("targetList").first(); t.t != nil; t = t.following() {
			w.rowsOf(t.field("expr"), s, Rows)
		}
	}
	if conflict := q.field("onConflict"); conflict.some() {
		w.condition(conflict.field("onConflictWhere"), s, Conflict)
		w.infer(conflict.field("arbiterElems"), s, Conflict)
		w.infer(conflict.field("arbiterWhere"), s, Conflict)
	}
	w.condition(q.field("mergeJoinCondition"), s, Merge)
	for a := q.field("mergeActionList").first(); a.t != nil; a = a.following() {
		w.condition(a.field("qual"), s, Merge)
	}
}

// key gives what a sort or group clause refers to.
func (w *walker) key(clause Node, s *scope) taint {
	ref, ok := clause.number("tleSortGroupRef")
	if !ok {
		w.fail("a sort clause has no target")
	}
	for t := s.q.field("targetList").first(); t.t != nil; t = t.following() {
		if r, _ := t.number("ressortgroupref"); r == ref {
			return w.expr(t.field("expr"), s)
		}
	}
	w.fail("a sort clause has no target")
	return clean
}

func (w *walker) sorted(list Node, s *scope, c Clause) {
	for e := list.first(); e.t != nil; e = e.following() {
		w.note(w.key(e, s).from, c, false)
	}
}

// grouped notes GROUP BY and DISTINCT. Equal values are told from others by
// them, and come in order. That tells nothing where every key is a labelled
// column as it is and all that is shown beside is as hidden as they are; it is
// then no longer plain, because the order would fill up what a mask leaves.
func (w *walker) grouped(list Node, s *scope, outs []taint, c Clause) {
	var keys set
	harmless := true
	for e := list.first(); e.t != nil; e = e.following() {
		k := w.key(e, s)
		keys = keys.union(k.from)
		harmless = harmless && k.plain && !k.from.empty()
	}
	if keys.empty() {
		return
	}
	if !harmless || !w.hidden(s, outs) {
		w.note(keys, c, false)
	}
	for i := range outs {
		outs[i].plain = outs[i].plain && outs[i].from.empty()
	}
}

// hidden reports whether everything that a query shows is labelled, constant or
// a count of rows.
func (w *walker) hidden(s *scope, outs []taint) bool {
	i := 0
	for t := s.q.field("targetList").first(); t.t != nil; t = t.following() {
		if t.is("resjunk") {
			continue
		}
		e := t.field("expr")
		if i >= len(outs) || outs[i].from.empty() && !w.constant(e) && !counts(e) {
			return false
		}
		i++
	}
	return true
}

func counts(e Node) bool {
	id, _ := e.number("aggfnoid")
	return e.tag() == "AGGREF" && (id == countAny || id == countStar)
}

// The numbers of SetOperation.
const setUnion = 1

// setOperation unites the columns of its arms. But for UNION ALL it compares
// rows, which infers like DISTINCT does, or like a comparison where an arm is
// constant.
func (w *walker) setOperation(n Node, s *scope) []taint {
	switch n.tag() {
	case "RANGETBLREF":
		number, _ := n.number("rtindex")
		if number < 1 || int(number) > len(s.tables) {
			w.fail("a set operation has no arm")
			return nil
		}
		return w.entry(int(number), s)
	case "SETOPERATIONSTMT":
	default:
		w.fail("%q is no set operation", n.tag())
		return nil
	}
	left, right := w.setOperation(n.field("larg"), s), w.setOperation(n.field("rarg"), s)
	if len(left) != len(right) {
		w.fail("the arms of a set operation differ")
		return nil
	}
	outs := make([]taint, len(left))
	for i := range outs {
		outs[i] = w.c.either(left[i], right[i])
	}
	op, ok := n.number("op")
	if !ok || op != setUnion || !n.is("all") {
		w.compared(n, left, right, outs, s)
	}
	return outs
}

// compared notes what a set operation that compares rows infers, and makes its
// columns derived ones, for the order that they come in.
func (w *walker) compared(n Node, left, right, outs []taint, s *scope) {
	all := w.rowOf(outs).from
	if all.empty() {
		return
	}
	plain, every := true, true
	for i := range outs {
		every = every && !left[i].from.empty() && !right[i].from.empty()
		plain = plain && outs[i].plain && !outs[i].from.empty()
		outs[i].plain = outs[i].from.empty()
	}
	switch {
	case !plain:
		w.note(all, SetOp, false)
	case every: // labelled with labelled of the same kind
	default:
		constants := w.constantRows(n.field("larg"), s) + w.constantRows(n.field("rarg"), s)
		if constants == 0 {
			w.note(all, SetOp, false)
			return
		}
		w.lookup(n, all, SetOp, constants)
	}
}

// constantRows counts the rows of an arm that is made of constants alone; 0
// where it is not.
func (w *walker) constantRows(arm Node, s *scope) int {
	number, _ := arm.number("rtindex")
	if arm.tag() != "RANGETBLREF" || number < 1 || int(number) > len(s.tables) {
		return 0
	}
	q := s.tables[number-1].field("subquery")
	from := q.field("jointree").field("fromlist").first()
	if q.field("setOperations").some() {
		return 0
	}
	if from.t == nil {
		for t := q.field("targetList").first(); t.t != nil; t = t.following() {
			if !w.constant(t.field("expr")) {
				return 0
			}
		}
		return 1
	}
	return 0
}
