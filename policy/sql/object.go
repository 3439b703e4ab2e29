package sql

import (
	pg "github.com/pganalyze/pg_query_go/v6"
)

// byObject gives the kind of the statements that name the type of their object:
// ALTER, DROP, RENAME, OWNER TO, SET SCHEMA and CREATE by definition list.
func (w *walker) byObject(stmt *pg.Node) string {
	verb, object := "", pg.ObjectType_OBJECT_TYPE_UNDEFINED
	switch n := stmt.GetNode().(type) {
	case *pg.Node_AlterTableStmt:
		verb, object = "alter_", n.AlterTableStmt.GetObjtype()
	case *pg.Node_RenameStmt:
		verb, object = "alter_", renamed(n.RenameStmt)
		w.objectRelation(n.RenameStmt.GetRenameType(), n.RenameStmt.GetObject())
	case *pg.Node_AlterOwnerStmt:
		verb, object = "alter_", n.AlterOwnerStmt.GetObjectType()
		w.objectRelation(object, n.AlterOwnerStmt.GetObject())
	case *pg.Node_AlterObjectSchemaStmt:
		verb, object = "alter_", n.AlterObjectSchemaStmt.GetObjectType()
		w.objectRelation(object, n.AlterObjectSchemaStmt.GetObject())
	case *pg.Node_AlterObjectDependsStmt:
		verb, object = "alter_", n.AlterObjectDependsStmt.GetObjectType()
		w.objectRelation(object, n.AlterObjectDependsStmt.GetObject())
	case *pg.Node_AlterFunctionStmt:
		verb, object = "alter_", n.AlterFunctionStmt.GetObjtype()
	case *pg.Node_DefineStmt:
		verb, object = "create_", n.DefineStmt.GetKind()
	case *pg.Node_DropStmt:
		verb, object = "drop_", n.DropStmt.GetRemoveType()
		for _, o := range n.DropStmt.GetObjects() {
			w.objectRelation(object, o)
		}
	default:
		return ""
	}
	w.effect("ddl")
	if sharedObject(object) {
		w.effect("admin")
	}
	return verb + objectWord(object)
}

// renamed: renaming a column or constraint alters what it belongs to.
func renamed(n *pg.RenameStmt) pg.ObjectType {
	switch n.GetRenameType() {
	case pg.ObjectType_OBJECT_COLUMN:
		return n.GetRelationType()
	case pg.ObjectType_OBJECT_ATTRIBUTE:
		return pg.ObjectType_OBJECT_TYPE
	case pg.ObjectType_OBJECT_TABCONSTRAINT:
		return pg.ObjectType_OBJECT_TABLE
	case pg.ObjectType_OBJECT_DOMCONSTRAINT:
		return pg.ObjectType_OBJECT_DOMAIN
	}
	return n.GetRenameType()
}

// sharedObject: changing one of these takes or gives power beyond a schema.
func sharedObject(t pg.ObjectType) bool {
	switch t {
	case pg.ObjectType_OBJECT_ROLE, pg.ObjectType_OBJECT_DATABASE, pg.ObjectType_OBJECT_TABLESPACE,
		pg.ObjectType_OBJECT_FDW, pg.ObjectType_OBJECT_FOREIGN_SERVER, pg.ObjectType_OBJECT_USER_MAPPING,
		pg.ObjectType_OBJECT_EXTENSION, pg.ObjectType_OBJECT_EVENT_TRIGGER, pg.ObjectType_OBJECT_PUBLICATION,
		pg.ObjectType_OBJECT_SUBSCRIPTION, pg.ObjectType_OBJECT_POLICY, pg.ObjectType_OBJECT_LANGUAGE,
		pg.ObjectType_OBJECT_ACCESS_METHOD, pg.ObjectType_OBJECT_PARAMETER_ACL:
		return true
	}
	return false
}

// objectRelation notes the relation that an object named by a list of words is,
// or belongs to.
func (w *walker) objectRelation(t pg.ObjectType, object *pg.Node) {
	parts := stringList(object.GetList().GetItems())
	switch t {
	case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW, pg.ObjectType_OBJECT_INDEX,
		pg.ObjectType_OBJECT_SEQUENCE, pg.ObjectType_OBJECT_FOREIGN_TABLE:
	case pg.ObjectType_OBJECT_COLUMN, pg.ObjectType_OBJECT_TRIGGER, pg.ObjectType_OBJECT_RULE, pg.ObjectType_OBJECT_POLICY,
		pg.ObjectType_OBJECT_TABCONSTRAINT:
		parts = parts[:max(0, len(parts)-1)] // the last word is the object's own
	default:
		return
	}
	if len(parts) > 0 {
		w.writes.add(qualifiedName(parts))
	}
}
