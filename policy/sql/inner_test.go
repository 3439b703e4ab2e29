package sql

import (
	"strings"
	"testing"
)

func TestInner(t *testing.T) {
	for _, c := range []struct {
		text, query string
		use         Use
	}{
		{"SELECT 1", "SELECT 1", Itself},
		{"UPDATE t SET a = 1;", "UPDATE t SET a = 1;", Itself},
		{"/* as */ PREPARE \"as\" (int, text) AS SELECT 'as', $1 -- x", "SELECT 'as', $1 -- x", Returned},
		{"DECLARE \"for\" BINARY CURSOR WITH HOLD FOR SELECT 1 FOR UPDATE", "SELECT 1 FOR UPDATE", Returned},
		{"COPY (SELECT ')', (1)) TO STDOUT (FORMAT csv)", "SELECT ')', (1)", Returned},
		{"COPY t (a) TO STDOUT", "", NoQuery},
		{"EXPLAIN SELECT 1", "SELECT 1", Planned},
		{"EXPLAIN ANALYZE VERBOSE DELETE FROM t", "DELETE FROM t", Planned},
		{"EXPLAIN (ANALYZE, FORMAT json) SELECT 1", "SELECT 1", Planned},
		{"EXPLAIN (SELECT 1)", "(SELECT 1)", Planned},
		{"EXPLAIN ((SELECT 1) UNION SELECT 2)", "((SELECT 1) UNION SELECT 2)", Planned},
		{"CREATE TABLE t (a, b) WITH (fillfactor = 70) AS SELECT 1 AS c, 2 WITH NO DATA;", "SELECT 1 AS c, 2", Kept},
		{"CREATE TEMP TABLE t AS TABLE u", "TABLE u", Kept},
		{"CREATE VIEW v AS SELECT 1 WITH CASCADED CHECK OPTION", "SELECT 1", Kept},
		{"CREATE RECURSIVE VIEW v (a) AS SELECT 1", "", NoQuery},
		{"CREATE MATERIALIZED VIEW v AS SELECT 1", "SELECT 1", Kept},
		{"SELECT a INTO TEMP TABLE s.\"into\" FROM t", "SELECT a   FROM t", Kept},
		{"WITH x AS (SELECT 1) SELECT * INTO y FROM x", "WITH x AS (SELECT 1) SELECT *   FROM x", Kept},
		{"SET a = 1", "", NoQuery},
	} {
		st := analyseText(t, c.text)
		if len(st) != 1 {
			t.Fatalf("%s: %d statements", c.text, len(st))
		}
		query, use := st[0].Inner()
		if strings.Join(strings.Fields(query), " ") != strings.Join(strings.Fields(c.query), " ") || use != c.use {
			t.Errorf("%s (%s): %q, %d", c.text, st[0].Facts.Kind, query, use)
		}
	}
}
