package sql

import (
	"context"
	"flag"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"hoop/cli/demo/pg"
)

var effectStatements = flag.Int("effects", 400, "how many generated statements TestNoEffectIsCalledReading tries")

const effectsSchema = `
create table t (id serial primary key, v text unique, n int default 0);
create table child () inherits (t);
insert into t (v, n) select 'v' || g, g from generate_series(1, 20) g;
create sequence s;
create function touch(x anyelement) returns anyelement language plpgsql as $$ begin update t set n = n + 1 where id = 1; return x; end $$;
create function peek(x int) returns int language sql stable as 'select x + 1';
create procedure work() language plpgsql as $$ begin insert into t (v) values ('worked'); end $$;
create type pair as (a int, b text);
create materialized view mv as select count(*) from t`

// TestNoEffectIsCalledReading runs generated statements on a real server, each
// in a transaction that is rolled back, and looks for what they changed. A
// statement that changed something must not be called one that only reads.
func TestNoEffectIsCalledReading(t *testing.T) {
	w := newEffectWorld(t)
	g := &statements{rand: rand.New(rand.NewSource(7))}
	ran, changed, quiet := 0, 0, 0
	for range *effectStatements {
		text := g.statement()
		effects, ok := w.run(text)
		if !ok {
			continue
		}
		ran++
		reading := w.reading(text)
		switch {
		case len(effects) > 0 && reading:
			t.Errorf("called reading, and it changed %s: %s", strings.Join(effects, ", "), text)
		case len(effects) > 0:
			changed++
		case reading:
			quiet++
		}
	}
	t.Logf("%d statements ran: %d changed something, %d of the others are called reading", ran, changed, quiet)
	if ran < *effectStatements/2 || changed < ran/10 || quiet < ran/10 {
		t.Error("the statements say too little")
	}
}

func FuzzEffects(f *testing.F) {
	f.Add(int64(1))
	w := newEffectWorld(f)
	f.Fuzz(func(t *testing.T, seed int64) {
		g := &statements{rand: rand.New(rand.NewSource(seed))}
		for range 20 {
			text := g.statement()
			if effects, ok := w.run(text); ok && len(effects) > 0 && w.reading(text) {
				t.Errorf("called reading, and it changed %s: %s", strings.Join(effects, ", "), text)
			}
		}
	})
}

// effectWorld is a server and a session with it.
type effectWorld struct {
	t    testing.TB
	conn *pgconn.PgConn
	old  map[string]string
}

func newEffectWorld(t testing.TB) *effectWorld {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	server, err := pg.Start(ctx, pg.Options{Settings: map[string]string{"shared_buffers": "32MB", "autovacuum": "off"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	if _, err := server.Exec(ctx, "postgres", effectsSchema); err != nil {
		t.Fatal(err)
	}
	w := &effectWorld{t: t}
	if w.conn, err = pgconn.Connect(ctx, server.URL("postgres")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.conn.Close(context.Background()) })
	w.old = w.state()
	return w
}

// looks are queries whose answers a statement changes by what it does. Names of
// PREPARE and DECLARE are not among them: what they stand for is judged when
// they are used.
var looks = map[string]string{
	"tables":          "select md5(string_agg(t.*::text, ',' order by id)) from t",
	"sequences":       "select array[(select (last_value, is_called)::text from s), (select (last_value, is_called)::text from t_id_seq)]",
	"the catalog":     "select (select count(*) from pg_class) + (select count(*) from pg_proc) + (select count(*) from pg_description) + (select count(*) from pg_largeobject_metadata)",
	"settings":        "select md5(string_agg(name || setting, ',' order by name)) || coalesce(current_setting('my.x', true), '') from pg_settings where name <> 'transaction_isolation' and name !~ '^transaction_'",
	"advisory locks":  "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
	"the transaction": "select coalesce(pg_current_xact_id_if_assigned()::text, '')",
	"listening":       "select count(*) from pg_listening_channels()",
}

func (w *effectWorld) state() map[string]string {
	out := map[string]string{}
	for name, query := range looks {
		results, err := w.conn.Exec(context.Background(), query).ReadAll()
		if err != nil {
			w.t.Fatalf("%s: %v", query, err)
		}
		out[name] = string(results[0].Rows[0][0])
	}
	return out
}

// run gives what a statement changed; false where it fails.
func (w *effectWorld) run(text string) (effects []string, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	defer func() {
		reset := "rollback; discard all; select setval('s', 1, false), setval('t_id_seq', 20)"
		if _, err := w.conn.Exec(ctx, reset).ReadAll(); err != nil && !strings.Contains(err.Error(), "DISCARD") {
			w.t.Fatalf("%s: %v", text, err)
		}
		_, _ = w.conn.Exec(ctx, "rollback").ReadAll()
		_, _ = w.conn.Exec(ctx, "discard all").ReadAll()
		if _, err := w.conn.Exec(ctx, "select setval('s', 1, false), setval('t_id_seq', 20)").ReadAll(); err != nil {
			w.t.Fatal(err)
		}
	}()
	if _, err := w.conn.Exec(ctx, "begin; set local statement_timeout = 2000").ReadAll(); err != nil {
		w.t.Fatal(err)
	}
	before := w.state()
	if _, err := w.conn.Exec(ctx, text).ReadAll(); err != nil {
		return nil, false
	}
	for name, after := range w.state() {
		if after != before[name] && !(name == "the transaction" && lockingRows(text)) {
			effects = append(effects, name)
		}
	}
	slices.Sort(effects)
	return effects, true
}

// lockingRows: FOR UPDATE writes who holds a row, and changes nothing.
func lockingRows(text string) bool {
	return strings.Contains(text, " FOR UPDATE") || strings.Contains(text, " FOR SHARE")
}

// reading reports whether facts say that nothing but reading happens.
func (w *effectWorld) reading(text string) bool {
	for _, s := range shared().Statements(context.Background(), text) {
		if s.Facts.Unknown || slices.ContainsFunc(s.Facts.Effects, func(e string) bool { return e != "read" }) {
			return false
		}
	}
	return true
}

// statements writes statements, some of which hide an effect.
type statements struct{ rand *rand.Rand }

func (g *statements) pick(of ...string) string { return of[g.rand.Intn(len(of))] }

// value is an expression, of any type.
func (g *statements) value(depth int) string {
	if depth <= 0 {
		return g.pick("1", "n", "id", "length(v)", "now()::text", "'x'", "current_user", "(SELECT max(n) FROM t)",
			"nextval('s')", "setval('s', 5)", "touch(1)", "peek(2)", "set_config('my.x', 'y', false)", "pg_advisory_lock(7)",
			"pg_try_advisory_xact_lock(8)", "lo_create(0)", "lo_from_bytea(0, 'x')", "pg_catalog.nextval('s'::regclass)",
			"txid_current()", "pg_current_xact_id()", "random()", "clock_timestamp()::text", "currval('s')", "lastval()", "setseed(0.5)",
			"query_to_xml('select nextval(''s'')', false, false, '')", "ts_rewrite('a'::tsquery, 'select ''a''::tsquery, touch(''b''::tsquery)')",
			"pg_export_snapshot()", "pg_sequence_last_value('s')", "set_bit('x'::bytea, 0, 1)", "obj_description(1)", "version()",
			`U&"n\0065xtval"('s')`, `"nextval"('s')`, "pg_notify('c', 'p')", "txid_current_if_assigned()", "gen_random_uuid()::text")
	}
	a := g.value(depth - 1)
	return g.pick("("+a+")", "coalesce("+a+"::text, 'z')", "CASE WHEN n > 2 THEN "+a+"::text ELSE '' END", "(SELECT "+a+")", "ARRAY["+a+"]",
		"ROW("+a+", 1)", "("+a+" IS NULL)", "format('%s', "+a+")", "count("+a+") OVER ()", "(SELECT x FROM (SELECT "+a+" AS x) q)", "jsonb_build_object('k', "+a+")",
		"EXISTS (SELECT "+a+")", "(n, "+a+"::text) IN (SELECT 1, 'x')", "greatest("+a+"::text, 'b')", "concat_ws(',', VARIADIC ARRAY["+a+"::text])")
}

func (g *statements) query() string {
	v := g.value(g.rand.Intn(3))
	return g.pick(
		"SELECT "+v+" FROM t", "SELECT id FROM t WHERE "+v+" IS NOT NULL", "SELECT id FROM t ORDER BY "+v+"::text", "SELECT 1 FROM t GROUP BY "+v+", n, id, v",
		"SELECT max(id) FROM t HAVING count(*) FILTER (WHERE "+strings.ReplaceAll(v, "count(", "length(")+" IS NULL) >= 0", "SELECT id FROM t LIMIT (SELECT 3 WHERE "+g.value(0)+" IS NOT NULL)",
		"WITH q AS MATERIALIZED (SELECT "+v+" AS a FROM t) SELECT * FROM q", "SELECT * FROM t, LATERAL (SELECT "+v+" AS a) l", "VALUES (1), (2)",
		"SELECT * FROM t JOIN LATERAL (SELECT "+v+" AS b) j ON true", "SELECT "+v+" FROM t UNION ALL SELECT "+v+" FROM t", "TABLE t", "SELECT * FROM ONLY t FOR UPDATE",
		"SELECT * FROM t FOR SHARE SKIP LOCKED", "WITH d AS (DELETE FROM t WHERE id = 3 RETURNING *) SELECT * FROM d", "WITH i AS (INSERT INTO t (v) VALUES ('new')) SELECT 1",
		"WITH u AS NOT MATERIALIZED (UPDATE t SET n = 9 RETURNING n) SELECT count(*) FROM u", "SELECT * FROM generate_series(1, 3) g WHERE "+strings.NewReplacer("n >", "g >", "n,", "g,").Replace(g.value(0))+" IS NOT NULL",
		"SELECT * FROM ROWS FROM (peek(1), generate_series(1,2)) f", "SELECT * INTO made FROM t", "WITH RECURSIVE r(k) AS (SELECT 1 UNION ALL SELECT k+1 FROM r WHERE k < 3) SELECT k, (SELECT "+g.value(0)+" FROM t LIMIT 1) FROM r",
		"SELECT t.touch FROM (SELECT 1 AS touch) t", "SELECT id FROM t TABLESAMPLE SYSTEM (50)", "SELECT xmlforest("+v+" AS a) FROM t", "SELECT 1 WHERE "+g.value(0)+" IS DISTINCT FROM NULL",
	)
}

func (g *statements) statement() string {
	q := g.query()
	switch g.rand.Intn(16) {
	case 0:
		return "EXPLAIN " + q
	case 1:
		return "EXPLAIN " + g.pick("ANALYZE ", "(ANALYZE) ", "(ANALYZE false) ", "(ANALYZE 0, VERBOSE) ", "(ANALYZE on, TIMING off) ", "(VERBOSE, ANALYZE 'true') ") + q
	case 2:
		return "COPY (" + q + ") TO STDOUT"
	case 3:
		return "DECLARE c CURSOR FOR " + q + g.pick("", "; FETCH ALL FROM c", "; MOVE 2 FROM c; CLOSE c")
	case 4:
		return "PREPARE p AS " + q + g.pick("", "; EXECUTE p", "; DEALLOCATE p")
	case 5:
		return g.pick("CREATE TEMP TABLE x AS ", "CREATE TABLE x AS ", "CREATE VIEW x AS ", "CREATE MATERIALIZED VIEW x AS ") + q
	case 6:
		return g.pick("INSERT INTO t (v) VALUES ('z')", "INSERT INTO t (v) SELECT 'a' WHERE false", "UPDATE t SET n = n WHERE false", "DELETE FROM t", "TRUNCATE child", "MERGE INTO t USING (SELECT 1 AS k) m ON t.id = k WHEN MATCHED THEN DELETE",
			"INSERT INTO t (id, v) VALUES (1, 'v1') ON CONFLICT (id) DO UPDATE SET n = 5", "INSERT INTO t (id, v) VALUES (1, 'v1') ON CONFLICT DO NOTHING")
	case 7:
		return g.pick("SET work_mem = '5MB'", "SET LOCAL my.x = 'q'", "RESET work_mem", "RESET ALL", "SHOW work_mem", "SHOW ALL", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "LISTEN c", "NOTIFY c, 'x'", "UNLISTEN *",
			"LOCK TABLE t", "LOCK TABLE t IN ACCESS SHARE MODE", "SET CONSTRAINTS ALL DEFERRED", "DISCARD PLANS", "DISCARD TEMP", "SAVEPOINT a", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "CHECKPOINT")
	case 8:
		return g.pick("DO $$ BEGIN PERFORM nextval('s'); END $$", "DO $$ BEGIN NULL; END $$", "CALL work()", "COMMENT ON TABLE t IS 'x'", "ANALYZE t", "REFRESH MATERIALIZED VIEW mv", "REINDEX TABLE t", "CREATE INDEX ON t (n)", "ALTER TABLE t ADD c int",
			"GRANT SELECT ON t TO public", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'select 1'", "DROP VIEW IF EXISTS nothing", "SECURITY LABEL ON TABLE t IS NULL", "IMPORT FOREIGN SCHEMA x FROM SERVER y INTO z", "ALTER SEQUENCE s RESTART")
	case 9:
		return fmt.Sprintf("SELECT 1; %s; SELECT 2", q)
	}
	return q
}
