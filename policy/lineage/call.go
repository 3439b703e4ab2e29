package lineage

import (
	"slices"
	"strings"
)

// count(any) and count(*) (pg_proc.dat).
const countAny, countStar = 2147, 2803

// maxStack bounds how deep SQL functions that call each other are followed.
const maxStack = 20

// called gives what the result of a call derives from: its arguments, and what
// the function reads by itself.
func (w *walker) called(n Node, s *scope) taint {
	if n.tag() == "AGGREF" {
		return w.aggregate(n, s)
	}
	args := w.beneath(n, s)
	id := w.functionOf(n)
	if id == 0 {
		return derived(args.from.union(opaqueSet))
	}
	each := w.arguments(n, s)
	if n.tag() == "WINDOWFUNC" && (id == countAny || id == countStar) && allNulls(each) {
		return derived(w.expr(n.field("aggfilter"), s).from).asNull(true)
	}
	return derived(w.call(id, each, args.from)).asNull(w.c.showsNoNull(n.tag(), id, each))
}

// functionOf is the OID of what a node calls.
func (w *walker) functionOf(n Node) uint32 {
	field := "opfuncid"
	switch n.tag() {
	case "FUNCEXPR":
		field = "funcid"
	case "WINDOWFUNC":
		field = "winfnoid"
	case "AGGREF":
		field = "aggfnoid"
	}
	id, ok := n.number(field)
	if !ok || id < 0 || id > 1<<32-1 {
		w.fail("a call has no function")
		return 0
	}
	return uint32(id)
}

func (w *walker) arguments(n Node, s *scope) []taint {
	args := []taint{}
	for a := n.field("args").first(); a.t != nil; a = a.following() {
		if a.tag() == "TARGETENTRY" {
			a = a.field("expr")
		}
		t := w.expr(a, s)
		t.fixed = w.constant(a)
		args = append(args, t)
	}
	return args
}

// aggregate is a call with ORDER BY, DISTINCT and FILTER of its own. How many
// rows there are tells nothing of the values in them.
func (w *walker) aggregate(n Node, s *scope) taint {
	w.condition(n.field("aggfilter"), s, Filter)
	all := w.beneath(n, s).from
	if counts(n) && !n.field("aggdistinct").some() && w.countsNull(n, s) {
		return derived(w.expr(n.field("aggfilter"), s).from).asNull(true)
	}
	each, id := w.arguments(n, s), w.functionOf(n)
	return derived(w.call(id, each, all)).asNull(w.c.showsNoNull(n.tag(), id, each))
}

// countsNull reports whether what is counted is NULL just where a variable is.
func (w *walker) countsNull(n Node, s *scope) bool {
	for a := n.field("args").first(); a.t != nil; a = a.following() {
		if e := a.field("expr"); !w.keepsNull(e, s) && !w.constant(e) {
			return false
		}
	}
	return true
}

// call gives what a function's result derives from, args being the union of
// each. It notes what is dangerous about the call.
func (w *walker) call(id uint32, each []taint, args set) set {
	from := w.calls(id, each, args)
	w.facts.Code = w.facts.Code || id >= firstUserOID && !from.empty()
	return from
}

func (w *walker) calls(id uint32, each []taint, args set) set {
	fn := w.c.functions[id]
	if fn == nil {
		if id < firstUserOID {
			return args // the server's own
		}
		w.unknown(id)
		w.facts.Blind = true
		return args.union(opaqueSet)
	}
	w.judgeCall(fn, args)
	for _, part := range fn.parts {
		args = args.union(w.call(part, repeat(args, 8), args))
	}
	switch {
	case fn.trusted, fn.kind == 'a', id < firstUserOID, fn.language == "c" && listed(pure, fn.extension):
		return args.union(fn.values())
	case fn.readable:
		return args.union(w.rowOf(w.follow(id, fn, each)).from)
	case fn.language == "internal":
		return args
	}
	if (fn.volatile || fn.keeps && !fn.trusted) && !args.empty() {
		w.facts.Calls = append(w.facts.Calls, Call{Function: fn.name, Approve: true,
			Why: "it is given labelled values, may keep them, and nobody knows what it does"})
	}
	w.facts.Blind = w.facts.Blind || fn.own().has(opaque)
	return args.union(fn.own())
}

// own is what code that cannot be followed may bring.
func (fn *function) own() set {
	if fn.carries || fn.language != "plpgsql" && fn.language != "sql" {
		return opaqueSet
	}
	return unreadSet
}

// values is what the server's own functions return that is labelled.
func (fn *function) values() set {
	var all set
	for _, from := range fn.valueAt {
		all = all.union(from)
	}
	return all
}

func repeat(from set, n int) []taint {
	args := make([]taint, n)
	for i := range args {
		args[i] = derived(from)
	}
	return args
}

func (w *walker) judgeCall(fn *function, args set) {
	why := fn.danger
	if why == "" && fn.sink && !args.empty() {
		why = "it would keep or tell labelled values where no mask reaches"
	}
	if why == "" {
		return
	}
	call := Call{Function: fn.name, Why: why}
	if !slices.Contains(w.facts.Calls, call) {
		w.facts.Calls = append(w.facts.Calls, call)
	}
}

// follow walks the body of an SQL function with its arguments.
func (w *walker) follow(id uint32, fn *function, args []taint) []taint {
	if slices.Contains(w.stack, id) || len(w.stack) >= maxStack {
		return []taint{derived(opaqueSet)}
	}
	w.facts.PathBodies = w.facts.PathBodies || !fn.pinned
	var outs []taint
	for _, t := range fn.body {
		in := newWalker(w.c, t)
		in.facts, in.args, in.depth = w.facts, args, w.depth
		in.stack = append(slices.Clone(w.stack), id)
		in.equalities = w.equalities
		outs = in.lastOf(t.Root())
		w.equalities = in.equalities
		if in.err != nil {
			return []taint{derived(opaqueSet)}
		}
	}
	return outs
}

// lastOf walks every query of a body's statement and gives the columns of the
// one that returns.
func (w *walker) lastOf(root Node) (outs []taint) {
	for q := root.first(); q.t != nil; q = q.following() {
		if o := w.query(q, nil); len(o) > 0 {
			outs = o
		}
	}
	return outs
}

// tableOf gives the n columns of a function's result, nil where they cannot be
// told apart.
func (w *walker) tableOf(id uint32, call Node, n int, s *scope) []taint {
	fn := w.c.functions[id]
	if fn == nil {
		return nil
	}
	if len(fn.valueAt) > 0 && n > 0 {
		outs := make([]taint, n)
		for i := range outs {
			outs[i] = derived(w.beneath(call, s).from.union(fn.valueAt[i+1]))
		}
		return outs
	}
	if !fn.readable || fn.trusted {
		return nil
	}
	outs := w.follow(id, fn, w.arguments(call, s))
	if n > 0 && len(outs) != n {
		return nil
	}
	return outs
}

// rowsOf notes that how many rows a function returns depends on its arguments.
func (w *walker) rowsOf(n Node, s *scope, c Clause) {
	switch n.tag() {
	case "FUNCEXPR":
		if n.is("funcretset") && !w.byShape(n) {
			w.infer(n.field("args"), s, c)
			return
		}
	case "OPEXPR":
		if n.is("opretset") {
			w.infer(n.field("args"), s, c)
			return
		}
	case "QUERY", "SUBLINK":
		return
	}
	for a := n.first(); a.t != nil; a = a.following() {
		w.rowsOf(a, s, c)
	}
}

// byShape reports whether a function returns a row for each field of a row, so
// that their number tells nothing of the values.
func (w *walker) byShape(n Node) bool {
	fn := w.c.functions[w.functionOf(n)]
	if fn == nil || !fn.structural {
		return false
	}
	arg := n.field("args").first()
	id, _ := arg.number("funcid")
	if arg.tag() != "FUNCEXPR" || !w.c.rowMaker(uint32(id)) {
		return false
	}
	of := arg.field("args").first()
	number, ok := of.number("varattno")
	return of.tag() == "VAR" && ok && number == 0 || of.tag() == "ROW" || of.tag() == "ROWEXPR"
}

// rowMaker is a function that makes one value of a row: to_json, to_jsonb,
// row_to_json, hstore.
func (c *Catalog) rowMaker(id uint32) bool {
	if fn := c.functions[id]; fn != nil {
		return strings.HasSuffix(fn.name, ".hstore") && listed(pure, fn.extension)
	}
	switch id {
	case 3155, 3156, 3176, 3787: // row_to_json, row_to_json(record, bool), to_json, to_jsonb
		return true
	}
	return false
}
