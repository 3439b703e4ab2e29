package sql

import (
	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
)

// selectStmt covers SELECT, VALUES, TABLE and set operations.
func (w *walker) selectStmt(n *pg.SelectStmt) {
	w.asReading(func() {
		w.effect("read")
		w.with(n.GetWithClause(), func() { w.rest(n, n.GetWithClause(), n.GetIntoClause()) })
		if into := n.GetIntoClause(); into != nil {
			w.effect("ddl", "write")
			w.target(into.GetRel())
		}
	})
}

// rest visits all children of a node but those given, which were visited in
// their own way.
func (w *walker) rest(m proto.Message, but ...proto.Message) {
	skip := map[proto.Message]bool{}
	for _, b := range but {
		if b != nil && b.ProtoReflect().IsValid() {
			skip[b] = true
		}
	}
	eachChild(m, func(child proto.Message) {
		if !skip[child] {
			w.node(child)
		}
	})
}

// target notes a relation that is written. It is never a WITH query: PostgreSQL
// looks targets up among relations only (parse_clause.c, setTargetTable).
func (w *walker) target(r *pg.RangeVar) {
	if r == nil {
		return
	}
	name := relationName(r)
	w.writes.add(name)
	if r.GetRelname() == "pg_settings" {
		w.effect("session")
		w.unknown("writing to pg_settings changes settings")
	}
}

func (w *walker) insertStmt(n *pg.InsertStmt) {
	w.asReading(func() {
		w.effect("write")
		w.target(n.GetRelation())
		if n.GetOnConflictClause() != nil || len(n.GetReturningList()) > 0 {
			w.readTarget(n.GetRelation())
		}
		w.massUpsert(n)
		w.with(n.GetWithClause(), func() {
			if values := n.GetSelectStmt().GetSelectStmt(); isPlainValues(values) {
				w.nodes(values.GetValuesLists()) // constants read nothing
			} else {
				w.node(n.GetSelectStmt())
			}
			w.nodes(n.GetCols())
			w.node(n.GetOnConflictClause())
			w.nodes(n.GetReturningList())
		})
	})
}

// massUpsert: ON CONFLICT DO UPDATE over a query without a condition of its own
// may touch every row that the table has.
func (w *walker) massUpsert(n *pg.InsertStmt) {
	conflict := n.GetOnConflictClause()
	source := n.GetSelectStmt().GetSelectStmt()
	if conflict.GetAction() != pg.OnConflictAction_ONCONFLICT_UPDATE || source == nil || isPlainValues(source) {
		return
	}
	c := conditions{target: &pg.RangeVar{}}
	where := source.GetWhereClause()
	w.unbounded = w.unbounded || where == nil || !c.bounds(where)
	w.literal = w.literal || c.literal
}

func isPlainValues(s *pg.SelectStmt) bool {
	return s != nil && len(s.GetValuesLists()) > 0 && s.GetWithClause() == nil &&
		s.GetSortClause() == nil && s.GetLimitCount() == nil && s.GetLimitOffset() == nil
}

func (w *walker) readTarget(r *pg.RangeVar) {
	w.effect("read")
	w.reads.add(relationName(r))
}

func (w *walker) updateStmt(n *pg.UpdateStmt) {
	w.asReading(func() {
		w.effect("write")
		w.target(n.GetRelation())
		w.readTarget(n.GetRelation())
		w.condition(n.GetWhereClause(), n.GetRelation())
		w.with(n.GetWithClause(), func() { w.rest(n, n.GetWithClause(), n.GetRelation()) })
	})
}

func (w *walker) deleteStmt(n *pg.DeleteStmt) {
	w.asReading(func() {
		w.effect("write")
		w.target(n.GetRelation())
		w.readTarget(n.GetRelation())
		w.condition(n.GetWhereClause(), n.GetRelation())
		w.with(n.GetWithClause(), func() { w.rest(n, n.GetWithClause(), n.GetRelation()) })
	})
}

// mergeStmt: the join bounds what WHEN MATCHED touches; WHEN NOT MATCHED BY
// SOURCE touches every other row of the target, but for its own condition.
func (w *walker) mergeStmt(n *pg.MergeStmt) {
	w.asReading(func() {
		w.effect("write")
		w.target(n.GetRelation())
		w.readTarget(n.GetRelation())
		w.condition(n.GetJoinCondition(), n.GetRelation())
		for _, m := range n.GetMergeWhenClauses() {
			when := m.GetMergeWhenClause()
			bySource := when.GetMatchKind() == pg.MergeMatchKind_MERGE_WHEN_NOT_MATCHED_BY_SOURCE
			if bySource && when.GetCommandType() != pg.CmdType_CMD_NOTHING {
				w.condition(when.GetCondition(), n.GetRelation())
			}
		}
		w.with(n.GetWithClause(), func() { w.rest(n, n.GetWithClause(), n.GetRelation()) })
	})
}

// condition judges the condition of a write: without one, or with one that is
// the same for every row, it may touch every row.
func (w *walker) condition(where *pg.Node, target *pg.RangeVar) {
	c := conditions{target: target}
	if where != nil && c.bounds(where) {
		w.hasWhere = true
	} else {
		w.unbounded = true
	}
	w.literal = w.literal || c.literal
}
