package sql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"

	"hoop/policy"
)

// finding is what the analysis says of one statement.
type finding struct {
	facts    *policy.SQL
	copy     *CopyFacts
	prepared *policy.SQL // of the statement inside PREPARE
	name     string
	// literalFree is true where the same text with other constants has the same
	// facts.
	literalFree bool
}

// find gathers the facts of one parsed statement.
func find(stmt *pg.Node) finding {
	w := &walker{}
	f := finding{}
	kind := w.statement(stmt, &f)
	if kind == "" {
		kind = "unknown"
		w.unknown("the kind of statement is not known")
	}
	f.facts = w.facts(kind)
	switch kind {
	case "select", "insert", "update", "delete":
		f.literalFree = !w.literal && w.why == ""
	}
	return f
}

// statement visits a whole statement and gives its kind, "" where it is not
// known.
func (w *walker) statement(stmt *pg.Node, f *finding) string {
	switch n := stmt.GetNode().(type) {
	case *pg.Node_SelectStmt:
		w.node(n.SelectStmt)
		if into(n.SelectStmt) {
			return "select_into"
		}
		return "select"
	case *pg.Node_InsertStmt:
		w.node(n.InsertStmt)
		return "insert"
	case *pg.Node_UpdateStmt:
		w.node(n.UpdateStmt)
		return "update"
	case *pg.Node_DeleteStmt:
		w.node(n.DeleteStmt)
		return "delete"
	case *pg.Node_MergeStmt:
		w.node(n.MergeStmt)
		return "merge"
	case *pg.Node_ExplainStmt:
		return w.explain(n.ExplainStmt)
	case *pg.Node_PrepareStmt:
		return w.prepare(n.PrepareStmt, f)
	case *pg.Node_CopyStmt:
		return w.copy(n.CopyStmt, f)
	case *pg.Node_DeclareCursorStmt:
		f.name = n.DeclareCursorStmt.GetPortalname()
		w.node(n.DeclareCursorStmt.GetQuery())
		return "declare"
	case *pg.Node_FetchStmt:
		return w.fetch(n.FetchStmt, f)
	case *pg.Node_CreateTableAsStmt:
		return w.createTableAs(n.CreateTableAsStmt)
	case *pg.Node_ViewStmt:
		w.effect("ddl")
		w.target(n.ViewStmt.GetView())
		w.node(n.ViewStmt.GetQuery())
		return "create_view"
	case *pg.Node_TransactionStmt:
		return w.transaction(n.TransactionStmt)
	case *pg.Node_VariableSetStmt:
		return w.set(n.VariableSetStmt)
	}
	return w.utility(stmt, f)
}

// into finds SELECT … INTO, also in the first arm of a set operation, where
// PostgreSQL takes it from.
func into(s *pg.SelectStmt) bool {
	for ; s != nil; s = s.GetLarg() {
		if s.GetIntoClause() != nil {
			return true
		}
	}
	return false
}

// utility visits the statements in which every relation is an object that they
// change.
func (w *walker) utility(stmt *pg.Node, f *finding) string {
	w.writing = true
	defer func() { w.writing = false }()
	if kind := w.byObject(stmt); kind != "" {
		w.node(stmt)
		return kind
	}
	field, body := inside(stmt)
	u, ok := utilityOf(field)
	if !ok {
		return w.special(stmt)
	}
	w.effect(strings.Fields(u.effects)...)
	w.details(stmt, f)
	if field != "create_schema_stmt" && field != "truncate_stmt" {
		w.node(body)
	}
	return u.kind
}

// inside gives the name and the message of the statement in a node.
func inside(stmt *pg.Node) (string, proto.Message) {
	if stmt == nil {
		return "", nil
	}
	r := stmt.ProtoReflect()
	fd := r.WhichOneof(r.Descriptor().Oneofs().ByName("node"))
	if fd == nil {
		return "", nil
	}
	return string(fd.Name()), r.Get(fd).Message().Interface()
}

// details notes what a plain visit of the node would miss.
func (w *walker) details(stmt *pg.Node, f *finding) {
	switch n := stmt.GetNode().(type) {
	case *pg.Node_ExecuteStmt:
		f.name = n.ExecuteStmt.GetName()
		w.unknown("EXECUTE runs a statement that was prepared earlier")
	case *pg.Node_DeallocateStmt:
		f.name = n.DeallocateStmt.GetName()
	case *pg.Node_ClosePortalStmt:
		f.name = n.ClosePortalStmt.GetPortalname()
	case *pg.Node_DoStmt:
		w.unknown("DO runs code that is not analysed")
	case *pg.Node_TruncateStmt:
		w.unbounded = true
		w.nodes(n.TruncateStmt.GetRelations())
	case *pg.Node_CommentStmt:
		w.objectRelation(n.CommentStmt.GetObjtype(), n.CommentStmt.GetObject())
	case *pg.Node_SecLabelStmt:
		w.objectRelation(n.SecLabelStmt.GetObjtype(), n.SecLabelStmt.GetObject())
	case *pg.Node_AlterRoleSetStmt:
		w.settingNames(n.AlterRoleSetStmt.GetSetstmt())
	case *pg.Node_AlterDatabaseSetStmt:
		w.settingNames(n.AlterDatabaseSetStmt.GetSetstmt())
	case *pg.Node_AlterSystemStmt:
		w.settingNames(n.AlterSystemStmt.GetSetstmt())
	case *pg.Node_CreateSchemaStmt:
		for _, element := range n.CreateSchemaStmt.GetSchemaElts() {
			w.statement(element, &finding{})
			w.writing = true
		}
	}
}

// special visits the statements whose kind depends on a flag in them.
func (w *walker) special(stmt *pg.Node) string {
	switch n := stmt.GetNode().(type) {
	case *pg.Node_CreateFunctionStmt:
		w.effect("ddl")
		w.node(n.CreateFunctionStmt)
		return pick(n.CreateFunctionStmt.GetIsProcedure(), "create_procedure", "create_function")
	case *pg.Node_VacuumStmt:
		w.effect("admin")
		w.node(n.VacuumStmt)
		return pick(n.VacuumStmt.GetIsVacuumcmd(), "vacuum", "analyze")
	case *pg.Node_GrantStmt:
		w.effect("admin")
		w.node(n.GrantStmt)
		return pick(n.GrantStmt.GetIsGrant(), "grant", "revoke")
	case *pg.Node_GrantRoleStmt:
		w.effect("admin")
		return pick(n.GrantRoleStmt.GetIsGrant(), "grant_role", "revoke_role")
	case *pg.Node_DiscardStmt:
		w.effect("session")
		if n.DiscardStmt.GetTarget() == pg.DiscardMode_DISCARD_ALL {
			w.settings.add("all")
		}
		return "discard"
	case *pg.Node_LockStmt:
		return w.lock(n.LockStmt)
	}
	return ""
}

func pick(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// lock: ACCESS SHARE is what every SELECT takes (pg_dump asks for it); the
// other modes keep writers or readers out.
func (w *walker) lock(n *pg.LockStmt) string {
	const accessShare = 1
	w.writing = n.GetMode() != accessShare
	w.effect(pick(w.writing, "write", "read"))
	w.node(n)
	return "lock"
}
