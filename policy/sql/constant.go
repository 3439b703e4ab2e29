package sql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
)

// conditions judges whether a WHERE clause tells rows apart. It errs toward "it
// does not": then the statement counts as one that may touch every row.
type conditions struct {
	target *pg.RangeVar
	// literal is true where the answer depended on the value of a constant.
	literal bool
}

// truth is what is known of a boolean expression without looking at a row.
type truth uint8

const (
	varies      truth = iota // it depends on the row
	alwaysTrue               // (or null, for rows with nulls)
	alwaysFalse              // (or null)
	fixed                    // the same for every row, but not known here
)

// bounds reports whether the condition can leave rows out.
func (c *conditions) bounds(n *pg.Node) bool {
	return c.truth(n) == varies
}

func (c *conditions) truth(n *pg.Node) truth {
	switch {
	case n.GetBoolExpr() != nil:
		return c.boolean(n.GetBoolExpr())
	case n.GetAConst() != nil:
		return c.constant(n.GetAConst())
	case n.GetTypeCast() != nil:
		return c.cast(n.GetTypeCast())
	case n.GetAExpr() != nil:
		return c.comparison(n.GetAExpr())
	case n.GetCurrentOfExpr() != nil:
		return varies
	case n.GetCoalesceExpr() != nil:
		return c.coalesce(n.GetCoalesceExpr())
	case n.GetCaseExpr() != nil:
		return c.cases(n.GetCaseExpr())
	case n.GetBooleanTest() != nil:
		return c.truthTest(n.GetBooleanTest())
	}
	return c.byColumns(n)
}

// byColumns: an expression that names no column of the row is the same for
// every row.
func (c *conditions) byColumns(n proto.Message) truth {
	if c.readsRow(n) {
		return varies
	}
	return fixed
}

func (c *conditions) boolean(b *pg.BoolExpr) truth {
	args := b.GetArgs()
	if b.GetBoolop() == pg.BoolExprType_NOT_EXPR {
		switch t := c.truth(args[0]); t {
		case alwaysTrue:
			return alwaysFalse
		case alwaysFalse:
			return alwaysTrue
		default:
			return t
		}
	}
	if b.GetBoolop() == pg.BoolExprType_OR_EXPR {
		return c.or(args)
	}
	result := alwaysTrue
	for _, a := range args {
		switch c.truth(a) {
		case varies:
			return varies // one part that tells rows apart is enough
		case fixed:
			result = fixed
		case alwaysFalse:
			if result == alwaysTrue {
				result = alwaysFalse
			}
		}
	}
	return result
}

// or: one arm that does not look at the row may let every row through; so do
// two arms that contradict each other.
func (c *conditions) or(args []*pg.Node) truth {
	result := alwaysFalse
	for i, a := range args {
		switch t := c.truth(a); t {
		case alwaysTrue, fixed:
			return t
		case varies:
			result = varies
		}
		for _, b := range args[:i] {
			if c.contradict(a, b) {
				return alwaysTrue
			}
		}
	}
	return result
}

func (c *conditions) contradict(a, b *pg.Node) bool {
	if na, nb := a.GetNullTest(), b.GetNullTest(); na != nil && nb != nil {
		return na.GetNulltesttype() != nb.GetNulltesttype() && c.same(na.GetArg(), nb.GetArg())
	}
	if inner := negated(a); inner != nil {
		return c.same(inner, b)
	}
	if inner := negated(b); inner != nil {
		return c.same(inner, a)
	}
	ea, eb := a.GetAExpr(), b.GetAExpr()
	if ea == nil || eb == nil || ea.GetKind() != pg.A_Expr_Kind_AEXPR_OP || eb.GetKind() != pg.A_Expr_Kind_AEXPR_OP {
		return false
	}
	return complement(operator(ea), operator(eb)) && c.same(ea.GetLexpr(), eb.GetLexpr()) && c.same(ea.GetRexpr(), eb.GetRexpr())
}

func negated(n *pg.Node) *pg.Node {
	if b := n.GetBoolExpr(); b != nil && b.GetBoolop() == pg.BoolExprType_NOT_EXPR {
		return b.GetArgs()[0]
	}
	return nil
}

// complement: one of the two holds for every value that is not null.
func complement(a, b string) bool {
	switch a + " " + b {
	case "= <>", "<> =", "< >=", ">= <", "> <=", "<= >", "<= >=", ">= <=":
		return true
	}
	return false
}

func (c *conditions) constant(k *pg.A_Const) truth {
	if k.GetIsnull() {
		return alwaysFalse
	}
	if b, ok := k.GetVal().(*pg.A_Const_Boolval); ok {
		if b.Boolval.GetBoolval() {
			return alwaysTrue
		}
		return alwaysFalse
	}
	return fixed
}

// cast reads 't'::bool and the like; any other cast is judged by its columns.
func (c *conditions) cast(t *pg.TypeCast) truth {
	k := t.GetArg().GetAConst()
	names := stringList(t.GetTypeName().GetNames())
	if k == nil || len(names) == 0 || names[len(names)-1] != "bool" {
		if k == nil && len(names) > 0 && names[len(names)-1] == "bool" {
			return c.truth(t.GetArg())
		}
		return c.byColumns(t)
	}
	if s, ok := k.GetVal().(*pg.A_Const_Sval); ok {
		c.literal = true
		word := strings.ToLower(strings.TrimSpace(s.Sval.GetSval()))
		if word != "" && (strings.HasPrefix("false", word) || strings.HasPrefix("no", word) || word == "off" || word == "of" || word == "0") {
			return alwaysFalse
		}
		return alwaysTrue
	}
	return c.constant(k)
}

func (c *conditions) comparison(e *pg.A_Expr) truth {
	left, right := e.GetLexpr(), e.GetRexpr()
	switch e.GetKind() {
	case pg.A_Expr_Kind_AEXPR_OP, pg.A_Expr_Kind_AEXPR_NOT_DISTINCT:
		if left != nil && (e.GetKind() == pg.A_Expr_Kind_AEXPR_NOT_DISTINCT || reflexive(operator(e))) && c.same(left, right) {
			return alwaysTrue // x = x, for every x that is not null
		}
		return c.constants(e)
	case pg.A_Expr_Kind_AEXPR_LIKE, pg.A_Expr_Kind_AEXPR_ILIKE:
		if k, ok := right.GetAConst().GetVal().(*pg.A_Const_Sval); ok && operator(e)[0] != '!' {
			c.literal = true
			if strings.Trim(k.Sval.GetSval(), "%") == "" && k.Sval.GetSval() != "" {
				return alwaysTrue
			}
		}
	case pg.A_Expr_Kind_AEXPR_IN, pg.A_Expr_Kind_AEXPR_OP_ANY:
		if c.listHas(right, left) {
			return alwaysTrue
		}
	case pg.A_Expr_Kind_AEXPR_BETWEEN:
		if ends := right.GetList().GetItems(); len(ends) == 2 && c.same(left, ends[0]) && c.same(left, ends[1]) {
			return alwaysTrue
		}
	}
	return c.byColumns(e)
}

// constants folds a comparison of two constants; of anything else it asks
// whether a column takes part.
func (c *conditions) constants(e *pg.A_Expr) truth {
	l, r := e.GetLexpr().GetAConst(), e.GetRexpr().GetAConst()
	if l == nil || r == nil {
		return c.byColumns(e)
	}
	c.literal = true
	same := proto.Equal(bare(l), bare(r))
	switch operator(e) {
	case "=":
		return known(same)
	case "<>":
		return known(!same)
	}
	return fixed
}

func known(b bool) truth {
	if b {
		return alwaysTrue
	}
	return alwaysFalse
}

// listHas finds x among the items of x IN (…) or = ANY (ARRAY[…]).
func (c *conditions) listHas(list, x *pg.Node) bool {
	items := list.GetList().GetItems()
	if a := list.GetAArrayExpr(); a != nil {
		items = a.GetElements()
	}
	for _, i := range items {
		if c.same(i, x) {
			return true
		}
	}
	return false
}

func (c *conditions) coalesce(e *pg.CoalesceExpr) truth {
	for _, a := range e.GetArgs() {
		if t := c.truth(a); t != varies {
			return t // an argument that ignores the row may answer for every row
		}
	}
	return varies
}

// cases: a branch whose condition and answer both ignore the row may answer
// for every row.
func (c *conditions) cases(e *pg.CaseExpr) truth {
	uniform := true
	for _, a := range e.GetArgs() {
		answer := c.truth(a.GetCaseWhen().GetResult())
		if e.GetArg() == nil {
			switch c.truth(a.GetCaseWhen().GetExpr()) {
			case alwaysFalse:
				continue
			case alwaysTrue:
				return answer
			case fixed:
				if answer != varies {
					return fixed
				}
			}
		}
		uniform = uniform && answer == alwaysTrue
	}
	if uniform && e.GetDefresult() != nil && c.truth(e.GetDefresult()) == alwaysTrue {
		return alwaysTrue
	}
	return c.byColumns(e)
}

func (c *conditions) truthTest(b *pg.BooleanTest) truth {
	t := c.truth(b.GetArg())
	if t == varies {
		return varies
	}
	return fixed
}

// reflexive: x op x holds for every x that is not null.
func reflexive(op string) bool {
	return op == "=" || op == "<=" || op == ">=" || op == "~=" || op == "@>" || op == "<@"
}

func operator(e *pg.A_Expr) string {
	names := stringList(e.GetName())
	if len(names) == 0 {
		return " "
	}
	return names[len(names)-1]
}

// same reports whether two expressions are equal but for where they stand. One
// that calls a function may give another value each time; it still counts.
func (c *conditions) same(a, b *pg.Node) bool {
	if a == nil || b == nil {
		return false
	}
	a, b = c.unqualified(a), c.unqualified(b)
	equal := proto.Equal(bare(a), bare(b))
	if hasConstant(a) || hasConstant(b) {
		c.literal = true
	}
	return equal
}

// unqualified takes the table off a column of the target, so that t.id is id.
func (c *conditions) unqualified(n *pg.Node) *pg.Node {
	fields := n.GetColumnRef().GetFields()
	names := stringList(fields)
	if len(names) < 2 || names[len(names)-2] != c.alias() {
		return n
	}
	return &pg.Node{Node: &pg.Node_ColumnRef{ColumnRef: &pg.ColumnRef{Fields: fields[len(fields)-1:]}}}
}

func (c *conditions) alias() string {
	if a := c.target.GetAlias().GetAliasname(); a != "" {
		return a
	}
	return c.target.GetRelname()
}

func hasConstant(m proto.Message) bool {
	if k, ok := m.(*pg.A_Const); ok {
		_, word := k.GetVal().(*pg.A_Const_Boolval)
		return !word && !k.GetIsnull()
	}
	found := false
	eachChild(m, func(child proto.Message) { found = found || hasConstant(child) })
	return found
}

// bare copies a node without its places in the text.
func bare(m proto.Message) proto.Message {
	m = proto.Clone(m)
	clearLocation(m)
	return m
}

func clearLocation(m proto.Message) {
	r := m.ProtoReflect()
	if fd := r.Descriptor().Fields().ByName("location"); fd != nil {
		r.Clear(fd)
	}
	eachChild(m, clearLocation)
}

// readsRow reports whether an expression names a column of the target's rows.
// A column of another table is none; inside a subquery only one that is
// qualified by the target surely is.
func (c *conditions) readsRow(m proto.Message) bool {
	switch n := m.(type) {
	case *pg.ColumnRef:
		names := stringList(n.GetFields())
		return len(names) < 2 || names[len(names)-2] == c.alias()
	case *pg.CurrentOfExpr:
		return true
	case *pg.SubLink:
		if n.GetTestexpr() != nil && c.readsRow(n.GetTestexpr()) && !c.everyRowOf(n) {
			return true
		}
		return c.correlated(n.GetSubselect())
	}
	found := false
	eachChild(m, func(child proto.Message) { found = found || c.readsRow(child) })
	return found
}

// everyRowOf recognises id IN (SELECT id FROM the same table), which holds for
// every row.
func (c *conditions) everyRowOf(n *pg.SubLink) bool {
	s := n.GetSubselect().GetSelectStmt()
	if s == nil || s.GetWhereClause() != nil || s.GetLimitCount() != nil || s.GetLimitOffset() != nil ||
		s.GetHavingClause() != nil || len(s.GetFromClause()) != 1 {
		return false
	}
	from := s.GetFromClause()[0].GetRangeVar()
	return from != nil && from.GetRelname() == c.target.GetRelname()
}

func (c *conditions) correlated(m proto.Message) bool {
	if n, ok := m.(*pg.ColumnRef); ok {
		names := stringList(n.GetFields())
		return len(names) > 1 && names[len(names)-2] == c.alias()
	}
	found := false
	eachChild(m, func(child proto.Message) { found = found || c.correlated(child) })
	return found
}
