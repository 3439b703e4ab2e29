package sql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"hoop/policy"
)

// walker gathers the facts of one statement from its parse tree. It descends
// into every node, also of kinds that it does not know, so that a relation or
// a function cannot hide in one.
type walker struct {
	effects, reads, writes, functions, settings set

	// writing is true while relations met are objects of a utility statement
	// rather than inputs of a query.
	writing bool
	ctes    []set // the WITH names in sight, the innermost last
	// literal is true once a fact depended on the value of a constant.
	literal             bool
	hasWhere, unbounded bool
	why                 string // what could not be resolved
}

type set map[string]bool

func (s *set) add(word string) {
	if *s == nil {
		*s = set{}
	}
	(*s)[word] = true
}

func (s set) sorted() []string {
	if len(s) == 0 {
		return nil
	}
	words := make([]string, 0, len(s))
	for w := range s {
		words = append(words, w)
	}
	slices.Sort(words)
	return words
}

// unknown marks the statement as one that is not understood. The first reason
// stands.
func (w *walker) unknown(why string) {
	if w.why == "" {
		w.why = why
	}
}

func (w *walker) effect(words ...string) {
	for _, word := range words {
		w.effects.add(word)
	}
}

// node visits one node and everything beneath it.
func (w *walker) node(m proto.Message) {
	switch n := m.(type) {
	case *pg.SelectStmt:
		w.selectStmt(n)
	case *pg.InsertStmt:
		w.insertStmt(n)
	case *pg.UpdateStmt:
		w.updateStmt(n)
	case *pg.DeleteStmt:
		w.deleteStmt(n)
	case *pg.MergeStmt:
		w.mergeStmt(n)
	case *pg.RangeVar:
		w.relation(n)
	case *pg.FuncCall:
		w.funcCall(n)
	case *pg.TableLikeClause:
		w.asReading(func() { w.relation(n.GetRelation()) })
	case *pg.Constraint:
		w.constraint(n)
	case *pg.LockingClause, *pg.RoleSpec, *pg.Alias:
		// FOR UPDATE OF names aliases, not relations; the others hold no nodes.
	default:
		w.children(m)
	}
}

// children visits what hangs beneath a node, whatever its kind.
func (w *walker) children(m proto.Message) { eachChild(m, w.node) }

// eachChild calls visit for every message directly beneath one.
func eachChild(m proto.Message, visit func(proto.Message)) {
	if m == nil {
		return
	}
	m.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Message() == nil {
			return true
		}
		if !fd.IsList() {
			visit(v.Message().Interface())
			return true
		}
		for i := range v.List().Len() {
			visit(v.List().Get(i).Message().Interface())
		}
		return true
	})
}

func (w *walker) nodes(list []*pg.Node) {
	for _, n := range list {
		w.node(n)
	}
}

func (w *walker) asReading(visit func()) {
	was := w.writing
	w.writing = false
	visit()
	w.writing = was
}

// constraint: a foreign key reads the table that it refers to.
func (w *walker) constraint(n *pg.Constraint) {
	w.asReading(func() { w.relation(n.GetPktable()) })
	w.node(n.GetRawExpr())
	w.node(n.GetWhereClause())
	w.nodes(n.GetExclusions())
}

// relation notes a relation that a query reads or a utility statement changes.
func (w *walker) relation(r *pg.RangeVar) {
	if r == nil || r.GetRelname() == "" {
		return
	}
	if w.writing {
		w.writes.add(relationName(r))
		return
	}
	if r.GetSchemaname() == "" && w.isCTE(r.GetRelname()) {
		return
	}
	w.reads.add(relationName(r))
}

func (w *walker) isCTE(name string) bool {
	return slices.ContainsFunc(w.ctes, func(s set) bool { return s[name] })
}

// relationName writes the name as facts carry it. The database before it must
// be the current one (PostgreSQL refuses others), so it says nothing.
func relationName(r *pg.RangeVar) string {
	if r.GetSchemaname() == "" {
		return policy.QuoteName(r.GetRelname())
	}
	return policy.QuoteName(r.GetSchemaname()) + "." + policy.QuoteName(r.GetRelname())
}

// stringList reads a list of String nodes, as names are kept; nil where
// something else is among them.
func stringList(list []*pg.Node) []string {
	var parts []string
	for _, n := range list {
		s, ok := n.GetNode().(*pg.Node_String_)
		if !ok {
			return nil
		}
		parts = append(parts, s.String_.GetSval())
	}
	return parts
}

// qualifiedName writes the last two parts of a name as facts carry it.
func qualifiedName(parts []string) string {
	parts = parts[max(0, len(parts)-2):]
	quoted := make([]string, len(parts))
	for i, p := range parts {
		quoted[i] = policy.QuoteName(p)
	}
	return strings.Join(quoted, ".")
}

// with visits the WITH list and then the body, in which its names are seen.
// PostgreSQL, parse_cte.c: without RECURSIVE a name is in sight of the queries
// after its own, with RECURSIVE of all of them.
func (w *walker) with(clause *pg.WithClause, body func()) {
	if clause == nil {
		body()
		return
	}
	scope := set{}
	w.ctes = append(w.ctes, scope)
	if clause.GetRecursive() {
		for _, n := range clause.GetCtes() {
			scope[n.GetCommonTableExpr().GetCtename()] = true
		}
	}
	for _, n := range clause.GetCtes() {
		cte := n.GetCommonTableExpr()
		w.children(cte)
		scope[cte.GetCtename()] = true
	}
	body()
	w.ctes = w.ctes[:len(w.ctes)-1]
}

// facts gives what was gathered.
func (w *walker) facts(kind string) *policy.SQL {
	f := &policy.SQL{
		Kind: kind, Effects: w.effects.sorted(), Reads: w.reads.sorted(), Writes: w.writes.sorted(),
		Functions: w.functions.sorted(), Settings: w.settings.sorted(),
		HasWhere: w.hasWhere, Unbounded: w.unbounded, Unknown: w.why != "", Why: w.why,
	}
	f.Tables = slices.Concat(f.Reads, f.Writes)
	slices.Sort(f.Tables)
	f.Tables = slices.Compact(f.Tables)
	return f
}
