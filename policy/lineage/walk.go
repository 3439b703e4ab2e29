package lineage

import (
	"fmt"
	"slices"
)

// The kinds of a range table entry (RTEKind), commands (CmdType) and the rest
// that trees print as numbers. They are the same from PostgreSQL 15 to 18.
const (
	rteRelation, rteSubquery, rteJoin, rteFunction, rteTableFunc = 0, 1, 2, 3, 4
	rteValues, rteCTE, rteResult, rteGroup                       = 5, 6, 8, 9

	cmdSelect, cmdUpdate, cmdInsert, cmdDelete, cmdMerge, cmdUtility, cmdNothing = 1, 2, 3, 4, 5, 6, 7
)

// Analyse finds the facts of one statement. tree is the text of one message
// "rewritten parse tree:" for it. An error means that the statement must not
// run.
func (c *Catalog) Analyse(tree string, p Purpose) (*Facts, error) {
	if c.shapes == nil || len(tree) > maxShape || checkBreaks(tree) != nil {
		return c.analyse(tree, p)
	}
	shape := appendShape(make([]byte, 0, len(tree)), tree)
	if f := c.shapes.get(shape, p); f != nil {
		return f, nil
	}
	f, err := c.analyse(tree, p)
	if err == nil && len(f.Unknown) == 0 {
		c.shapes.put(shape, p, f)
	}
	return f, err
}

func (c *Catalog) analyse(tree string, p Purpose) (*Facts, error) {
	t, err := ReadTree(tree)
	if err != nil {
		return nil, err
	}
	w := newWalker(c, t)
	w.facts.Purpose = p
	if err := w.statement(t.Root()); err != nil {
		return nil, err
	}
	w.facts.labels = w.facts.labelsOf()
	return w.facts, nil
}

// queryColumns gives the columns of a stored query; an error makes one that
// nobody can tell anything about, which reads as opaque.
func (c *Catalog) queryColumns(t *Tree) []taint {
	w := newWalker(c, t)
	if err := w.statement(t.Root()); err != nil {
		return nil
	}
	return w.facts.outs
}

// walker follows values through one tree. The first error stays.
type walker struct {
	c     *Catalog
	t     *Tree
	facts *Facts
	done  map[int32][]taint // queries by their place in the tree
	memo  map[int32]taint   // expressions, likewise
	equal map[int32]bool    // comparisons for equality already noted
	args  []taint           // of the SQL function whose body this is
	stack []uint32          // SQL functions being followed
	row   uint32            // the relation whose row a stored expression is over
	depth int
	// equalities counts comparisons with constants, over all that is walked.
	equalities int
	err        error
}

func newWalker(c *Catalog, t *Tree) *walker {
	return &walker{c: c, t: t, facts: &Facts{catalog: c}, done: map[int32][]taint{}, memo: map[int32]taint{}, equal: map[int32]bool{}}
}

func (w *walker) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("%w: "+format, append([]any{ErrTree}, args...)...)
	}
}

func (w *walker) unknown(oid uint32) {
	if !slices.Contains(w.facts.Unknown, oid) {
		w.facts.Unknown = append(w.facts.Unknown, oid)
	}
}

// statement walks the queries of one statement: rules make several of one.
func (w *walker) statement(root Node) error {
	if root.at().kind != list {
		w.fail("no list of queries")
		return w.err
	}
	answers := 0
	for q := root.first(); q.t != nil; q = q.following() {
		outs := w.query(q, nil)
		tagged := q.is("canSetTag")
		if len(outs) > 0 {
			answers++
		}
		switch {
		case answers > 1:
			w.facts.many = true
			w.facts.outs = w.mix(w.facts.outs, outs)
		case len(outs) > 0 || tagged:
			w.facts.outs = outs
		}
	}
	if w.facts.Purpose == Keep {
		w.facts.Writes = append(w.facts.Writes, kept(w.facts.outs)...)
	}
	return w.err
}

// mix is what columns hold where either of two results may come.
func (w *walker) mix(a, b []taint) []taint {
	var all set
	for _, t := range append(append([]taint(nil), a...), b...) {
		all = all.union(t.from)
	}
	out := make([]taint, max(len(a), len(b)))
	for i := range out {
		out[i] = derived(all)
	}
	return out
}

// scope is one query with what its variables mean.
type scope struct {
	q       Node
	up      *scope
	tables  []Node
	columns map[int][]taint // of entries already looked at
	command int64
	busy    map[int]bool // entries being looked at
}

// query gives the visible columns of a query: its results, or what it returns
// of the rows that it wrote.
func (w *walker) query(q Node, up *scope) []taint {
	if outs, ok := w.done[q.i]; ok {
		return outs
	}
	if q.tag() != "QUERY" {
		w.fail("%q is no query", q.tag())
	}
	if w.depth++; w.depth > maxDepth {
		w.fail("it nests too deeply")
	}
	defer func() { w.depth-- }()
	if w.err != nil {
		return nil
	}
	s := &scope{q: q, up: up, columns: map[int][]taint{}, busy: map[int]bool{}}
	s.command, _ = q.number("commandType")
	for e := q.field("rtable").first(); e.t != nil; e = e.following() {
		s.tables = append(s.tables, e)
	}
	outs := w.parts(s)
	w.done[q.i] = outs
	return outs
}

// parts walks everything that a query is made of.
func (w *walker) parts(s *scope) []taint {
	q := s.q
	switch s.command {
	case cmdSelect, cmdUpdate, cmdInsert, cmdDelete, cmdMerge:
	case cmdNothing:
		return nil
	case cmdUtility:
		w.fail("a utility statement shows no query")
		return nil
	default:
		w.fail("command %d is not known", s.command)
		return nil
	}
	for c := q.field("cteList").first(); c.t != nil; c = c.following() {
		w.cte(c, s)
	}
	for i := range s.tables {
		w.entry(i+1, s)
	}
	w.from(q.field("jointree"), s)
	outs := w.outputs(s)
	w.clauses(s, outs)
	w.writes(s)
	return outs
}

// outputs computes the columns that a query shows.
func (w *walker) outputs(s *scope) []taint {
	targets := s.q.field("targetList")
	if s.command != cmdSelect {
		for t := targets.first(); t.t != nil; t = t.following() {
			w.expr(t, s) // for what is called in it
		}
		return w.returned(s)
	}
	if set := s.q.field("setOperations"); set.some() {
		return w.setOperation(set, s)
	}
	return w.targets(targets, s)
}

func (w *walker) targets(list Node, s *scope) []taint {
	var outs []taint
	for t := list.first(); t.t != nil; t = t.following() {
		if t.tag() != "TARGETENTRY" {
			w.fail("%q is no target", t.tag())
			return nil
		}
		out := w.expr(t.field("expr"), s)
		if !t.is("resjunk") {
			outs = append(outs, out)
		}
	}
	return outs
}

// returned is RETURNING. A trigger may have changed the rows.
func (w *walker) returned(s *scope) []taint {
	outs := w.targets(s.q.field("returningList"), s)
	if len(outs) > 0 && w.triggered(s) != nil {
		for i := range outs {
			outs[i] = derived(outs[i].from.union(opaqueSet))
		}
	}
	return outs
}

// column gives one column of an entry of the range table; 0 is the row.
func (w *walker) column(entry int, number int16, s *scope) taint {
	if entry < 1 || entry > len(s.tables) {
		w.fail("entry %d is not in the range table", entry)
		return derived(opaqueSet)
	}
	e := s.tables[entry-1]
	if kind, _ := e.number("rtekind"); kind == rteRelation {
		return w.c.column(w.relation(e), number)
	}
	if number < 0 {
		return clean
	}
	outs := w.entry(entry, s)
	if number > 0 && int(number) <= len(outs) {
		return outs[number-1]
	}
	var all set // the row, or a column that SEARCH or CYCLE adds
	for i := range outs {
		all = all.union(outs[i].from)
	}
	return derived(all)
}

// relation is the OID of an entry that is one; one that is not known yet may
// hold anything.
func (w *walker) relation(e Node) uint32 {
	oid, ok := e.number("relid")
	if !ok || oid <= 0 || oid > 1<<32-1 {
		w.fail("a relation has no OID")
		return 0
	}
	if !w.c.knows(uint32(oid)) {
		w.unknown(uint32(oid))
	}
	if !slices.Contains(w.facts.Relations, uint32(oid)) {
		w.facts.Relations = append(w.facts.Relations, uint32(oid))
	}
	return uint32(oid)
}
