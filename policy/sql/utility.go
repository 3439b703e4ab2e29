package sql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// explain: without ANALYZE the statement is planned and not run, so it changes
// nothing; code stays, as planning may call functions.
func (w *walker) explain(n *pg.ExplainStmt) string {
	inner := &walker{ctes: w.ctes}
	kind := inner.statement(n.GetQuery(), &finding{})
	w.functions, w.why, w.literal = inner.functions, inner.why, inner.literal
	if runs(n.GetOptions()) {
		w.effects, w.reads, w.writes, w.settings = inner.effects, inner.reads, inner.writes, inner.settings
		w.hasWhere, w.unbounded = inner.hasWhere, inner.unbounded
	} else {
		w.reads = union(inner.reads, inner.writes)
		if inner.effects["code"] {
			w.effect("code")
		}
	}
	w.effect("read")
	if kind == "" {
		w.unknown("the statement to explain is not known")
	}
	return "explain"
}

func union(a, b set) set {
	var u set
	for word := range a {
		u.add(word)
	}
	for word := range b {
		u.add(word)
	}
	return u
}

// runs finds ANALYZE among the options of EXPLAIN. Only a value that PostgreSQL
// surely reads as false switches it off (defGetBoolean).
func runs(options []*pg.Node) bool {
	for _, o := range options {
		if d := o.GetDefElem(); strings.EqualFold(d.GetDefname(), "analyze") && !saysFalse(d.GetArg()) {
			return true
		}
	}
	return false
}

func saysFalse(arg *pg.Node) bool {
	if b := arg.GetBoolean(); b != nil {
		return !b.GetBoolval()
	}
	if i := arg.GetInteger(); i != nil {
		return i.GetIval() == 0
	}
	switch strings.ToLower(arg.GetString_().GetSval()) {
	case "false", "off":
		return true
	}
	return false
}

// prepare: the statement inside is judged here as if it ran.
func (w *walker) prepare(n *pg.PrepareStmt, f *finding) string {
	inner := &walker{}
	kind := inner.statement(n.GetQuery(), &finding{})
	f.name = n.GetName()
	if kind != "" {
		f.prepared = inner.facts(kind)
	}
	*w = *inner
	if kind == "" {
		w.unknown("the statement to prepare is not known")
	}
	return "prepare"
}

func (w *walker) fetch(n *pg.FetchStmt, f *finding) string {
	f.name = n.GetPortalname()
	w.effect("read")
	return pick(n.GetIsmove(), "move", "fetch")
}

func (w *walker) createTableAs(n *pg.CreateTableAsStmt) string {
	w.effect("ddl", "write")
	w.target(n.GetInto().GetRel())
	if n.GetQuery().GetExecuteStmt() != nil {
		w.effect("code")
		w.unknown("EXECUTE runs a statement that was prepared earlier")
	}
	w.node(n.GetQuery())
	if n.GetObjtype() == pg.ObjectType_OBJECT_MATVIEW {
		return "create_materialized_view"
	}
	return "create_table_as"
}

func (w *walker) transaction(n *pg.TransactionStmt) string {
	w.effect("transaction")
	switch n.GetKind() {
	case pg.TransactionStmtKind_TRANS_STMT_BEGIN, pg.TransactionStmtKind_TRANS_STMT_START:
		return "begin"
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT:
		return "commit"
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK:
		return "rollback"
	case pg.TransactionStmtKind_TRANS_STMT_SAVEPOINT:
		return "savepoint"
	case pg.TransactionStmtKind_TRANS_STMT_RELEASE:
		return "release"
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:
		return "rollback_to"
	}
	w.effect("admin") // a prepared transaction outlives its session and holds its locks
	switch n.GetKind() {
	case pg.TransactionStmtKind_TRANS_STMT_PREPARE:
		return "prepare_transaction"
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT_PREPARED:
		return "commit_prepared"
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_PREPARED:
		return "rollback_prepared"
	}
	return ""
}

// set covers SET, RESET and SET TRANSACTION.
func (w *walker) set(n *pg.VariableSetStmt) string {
	switch n.GetKind() {
	case pg.VariableSetKind_VAR_SET_MULTI:
		w.effect(pick(n.GetName() == "SESSION CHARACTERISTICS", "session", "transaction"))
		return "set_transaction"
	case pg.VariableSetKind_VAR_RESET, pg.VariableSetKind_VAR_RESET_ALL:
		w.effect("session")
		w.settingNames(n)
		return "reset"
	}
	w.effect("session")
	w.settingNames(n)
	return "set"
}

// settingNames notes what a SET changes. Names of settings have no case.
func (w *walker) settingNames(n *pg.VariableSetStmt) {
	switch {
	case n.GetKind() == pg.VariableSetKind_VAR_RESET_ALL:
		w.settings.add("all")
	case n.GetName() != "":
		w.settings.add(strings.ToLower(n.GetName()))
	}
}
