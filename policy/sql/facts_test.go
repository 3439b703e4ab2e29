package sql

import (
	"strings"
	"testing"

	"hoop/policy"
)

// brief writes facts on one line: kind, effects, then what is not empty.
func brief(f *policy.SQL) string {
	parts := []string{f.Kind, strings.Join(f.Effects, "+")}
	for _, list := range []struct {
		mark  string
		words []string
	}{{"r", f.Reads}, {"w", f.Writes}, {"f", f.Functions}, {"s", f.Settings}} {
		if len(list.words) > 0 {
			parts = append(parts, list.mark+":"+strings.Join(list.words, ","))
		}
	}
	for _, flag := range []struct {
		word string
		set  bool
	}{{"where", f.HasWhere}, {"unbounded", f.Unbounded}, {"unknown", f.Unknown}} {
		if flag.set {
			parts = append(parts, flag.word)
		}
	}
	return strings.Join(parts, " ")
}

// factCases state what is to be found of each statement.
var factCases = []struct{ sql, want string }{
	// Queries.
	{`SELECT 1`, "select read"},
	{`select * from customers`, "select read r:customers"},
	{`SELECT * FROM Public.Customers c, ONLY orders`, "select read r:orders,public.customers"},
	{`SELECT * FROM "Order"`, `select read r:"Order"`},
	{`SELECT * FROM "a.b"."c""d"`, `select read r:"a.b"."c""d"`},
	{`SELECT * FROM U&"cu\0073tomers"`, "select read r:customers"},
	{`SELECT * FROM shop.public.customers`, "select read r:public.customers"},
	{`TABLE customers`, "select read r:customers"},
	{`VALUES (1), (2)`, "select read"},
	{`SELECT (SELECT max(ssn) FROM customers)`, "select read r:customers f:max"},
	{`SELECT 1 WHERE EXISTS (SELECT FROM a WHERE x IN (SELECT y FROM b))`, "select read r:a,b"},
	{`SELECT * FROM a JOIN b USING (id) LEFT JOIN LATERAL (SELECT * FROM c) x ON true`, "select read r:a,b,c"},
	{`SELECT 1 UNION SELECT x FROM a EXCEPT (SELECT y FROM b ORDER BY (SELECT 1 FROM c))`, "select read r:a,b,c"},
	{`SELECT * FROM a ORDER BY (SELECT 1 FROM b) LIMIT (SELECT 2 FROM c) OFFSET (SELECT 3 FROM d)`, "select read r:a,b,c,d"},
	{`SELECT * FROM a GROUP BY (SELECT 1 FROM b) HAVING (SELECT true FROM c)`, "select read r:a,b,c"},
	{`SELECT sum(x) FILTER (WHERE x > (SELECT 1 FROM b)) OVER (PARTITION BY (SELECT 1 FROM c)) FROM a`, "select read r:a,b,c f:sum"},
	{`SELECT DISTINCT ON ((SELECT 1 FROM b)) * FROM a`, "select read r:a,b"},
	{`SELECT * FROM a FOR UPDATE OF a`, "select read r:a"},
	{`SELECT * FROM a x FOR UPDATE OF x SKIP LOCKED`, "select read r:a"},
	{`SELECT * FROM a TABLESAMPLE bernoulli (10)`, "select read r:a"},
	{`SELECT CASE WHEN true THEN (SELECT 1 FROM a) ELSE ARRAY(SELECT 1 FROM b) END`, "select read r:a,b"},
	{`SELECT x::text COLLATE "C", y[1:(SELECT 1 FROM b)], (z).f FROM a`, "select read r:a,b"},
	{`SELECT ROW(a.*) FROM a`, "select read r:a"},
	{`SELECT * INTO b FROM a`, "select_into ddl+read+write r:a w:b"},
	{`SELECT * INTO TEMP b FROM a UNION SELECT * FROM c`, "select_into ddl+read+write r:a,c w:b"},
	{`SELECT current_user, current_date, session_user`, "select read"},
	{`SELECT * FROM XMLTABLE('/r' PASSING (SELECT d FROM docs) COLUMNS x text)`, "select read r:docs"},
	{`SELECT * FROM JSON_TABLE((SELECT d FROM docs), '$[*]' COLUMNS (x int PATH '$.x'))`, "select read r:docs"},
	{`SELECT JSON_OBJECT('a': (SELECT 1 FROM t))`, "select read r:t"},
	{`SELECT GROUPING(a) FROM t GROUP BY ROLLUP (a)`, "select read r:t"},

	// WITH: names are in scope where PostgreSQL says so.
	{`WITH x AS (SELECT * FROM a) SELECT * FROM x`, "select read r:a"},
	{`WITH a AS (SELECT * FROM a) SELECT * FROM a`, "select read r:a"},
	{`WITH x AS (SELECT 1), y AS (SELECT * FROM x) SELECT * FROM y`, "select read"},
	{`WITH y AS (SELECT * FROM x), x AS (SELECT 1) SELECT * FROM y`, "select read r:x"},
	{`WITH RECURSIVE y AS (SELECT * FROM x), x AS (SELECT 1) SELECT * FROM y`, "select read"},
	{`WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n+1 FROM t WHERE n < 9) SELECT sum(n) FROM t`, "select read f:sum"},
	{`SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x) s, x`, "select read r:x"},
	{`WITH x AS (SELECT 1) SELECT * FROM public.x`, "select read r:public.x"},
	{`WITH x AS (SELECT 1) SELECT (SELECT 1 FROM x WHERE EXISTS (SELECT 1 FROM x, z))`, "select read r:z"},
	{`WITH x AS (WITH y AS (SELECT 1) SELECT * FROM y) SELECT * FROM x, y`, "select read r:y"},
	{`WITH x AS (SELECT 1) SELECT * FROM x UNION SELECT * FROM x`, "select read"},
	{`WITH "X" AS (SELECT 1) SELECT * FROM x`, "select read r:x"},
	{`WITH x AS (SELECT 1) DELETE FROM x WHERE id = 1`, "delete read+write r:x w:x where"},
	{`WITH x AS (DELETE FROM orders RETURNING *) SELECT count(*) FROM x`, "select read+write r:orders w:orders f:count unbounded"},
	{`WITH x AS (INSERT INTO log VALUES (1)) SELECT 1`, "select read+write w:log"},
	{`WITH x AS (UPDATE a SET b = 1 WHERE id = 2 RETURNING *) INSERT INTO c SELECT * FROM x`, "insert read+write r:a w:a,c where"},
	{`WITH x AS (MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN DELETE RETURNING *) SELECT * FROM x`, "select read+write r:a,b w:a where"},
	{`SELECT * FROM (SELECT * FROM (WITH q AS (SELECT * FROM deep) SELECT * FROM q) z) y`, "select read r:deep"},

	// Writes.
	{`INSERT INTO a VALUES (1, 'x')`, "insert write w:a"},
	{`INSERT INTO a DEFAULT VALUES`, "insert write w:a"},
	{`INSERT INTO a SELECT * FROM b`, "insert read+write r:b w:a"},
	{`INSERT INTO a VALUES ((SELECT 1 FROM b))`, "insert read+write r:b w:a"},
	{`INSERT INTO a VALUES (1) RETURNING *`, "insert read+write r:a w:a"},
	{`INSERT INTO a VALUES (1) ON CONFLICT (id) DO UPDATE SET x = excluded.x`, "insert read+write r:a w:a"},
	{`INSERT INTO a SELECT * FROM a ON CONFLICT (id) DO UPDATE SET x = 0`, "insert read+write r:a w:a unbounded"},
	{`INSERT INTO a SELECT * FROM b WHERE id = 1 ON CONFLICT (id) DO UPDATE SET x = 0`, "insert read+write r:a,b w:a"},
	{`INSERT INTO a AS t (b[1], c) VALUES (1, now())`, "insert write w:a f:now"},
	{`UPDATE a SET b = 1`, "update read+write r:a w:a unbounded"},
	{`UPDATE a SET b = 1 WHERE id = 1`, "update read+write r:a w:a where"},
	{`UPDATE a SET b = c.x FROM c WHERE c.id = a.id`, "update read+write r:a,c w:a where"},
	{`UPDATE a SET (b, c) = (SELECT 1, 2 FROM d) WHERE id = 1 RETURNING (SELECT 1 FROM e)`, "update read+write r:a,d,e w:a where"},
	{`DELETE FROM a`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM ONLY public.a USING b WHERE a.id = b.id`, "delete read+write r:b,public.a w:public.a where"},
	{`DELETE FROM a WHERE CURRENT OF c`, "delete read+write r:a w:a where"},
	{`MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN UPDATE SET x = 1 WHEN NOT MATCHED THEN INSERT VALUES (1)`, "merge read+write r:a,b w:a where"},
	{`MERGE INTO a USING b ON true WHEN MATCHED THEN DELETE`, "merge read+write r:a,b w:a unbounded"},
	{`MERGE INTO a USING b ON a.id = b.id WHEN NOT MATCHED BY SOURCE THEN DELETE`, "merge read+write r:a,b w:a where unbounded"},
	{`TRUNCATE a, b CASCADE`, "truncate write w:a,b unbounded"},
	{`UPDATE pg_settings SET setting = 'x' WHERE name = 'search_path'`, "update read+session+write r:pg_settings w:pg_settings where unknown"},

	// Conditions that let every row through.
	{`DELETE FROM a WHERE true`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a WHERE NOT false`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a WHERE 1 = 1`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a WHERE 'a' = 'a'`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a WHERE 't'::bool`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a WHERE id = 1 OR true`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a WHERE id = 1 OR 1 = 1`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a WHERE id = 1 OR NOT (id = 1)`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a WHERE id = 1 OR id <> 1`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a WHERE id IS NULL OR a.id IS NOT NULL`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a WHERE id = id`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a t WHERE t.id >= id`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a WHERE id IS NOT DISTINCT FROM id`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a WHERE name LIKE '%'`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a WHERE id IN (1, id)`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a WHERE id BETWEEN id AND id`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a WHERE coalesce(true, id = 1)`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a WHERE CASE WHEN true THEN true ELSE id = 1 END`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a WHERE CASE WHEN random() < 2 THEN true ELSE id = 1 END`, "delete read+write r:a w:a f:random unbounded"},
	{`DELETE FROM a WHERE (1 = 1) IS TRUE`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a WHERE random() < 2`, "delete read+write r:a w:a f:random unbounded"},
	{`DELETE FROM a WHERE $1`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a WHERE length('x') = 1`, "delete read+write r:a w:a f:length unbounded"},
	{`DELETE FROM a WHERE EXISTS (SELECT 1 FROM b)`, "delete read+write r:a,b w:a unbounded"},
	{`DELETE FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = 1)`, "delete read+write r:a,b w:a unbounded"},
	{`DELETE FROM a WHERE id IN (SELECT id FROM a)`, "delete read+write r:a w:a unbounded"},
	{`DELETE FROM a USING b WHERE b.x = 1`, "delete read+write r:a,b w:a unbounded"},
	{`UPDATE a SET x = 1 WHERE ((true AND NOT (false)))`, "update read+write r:a w:a unbounded"},
	// And some that do not.
	{`DELETE FROM a WHERE id = 1 AND true`, "delete read+write r:a w:a where"},
	{`DELETE FROM a WHERE id = 1 OR id = 2`, "delete read+write r:a w:a where"},
	{`DELETE FROM a WHERE id = $1`, "delete read+write r:a w:a where"},
	{`DELETE FROM a WHERE name LIKE 'x%'`, "delete read+write r:a w:a where"},
	{`DELETE FROM a WHERE name NOT LIKE '%'`, "delete read+write r:a w:a where"},
	{`DELETE FROM a WHERE id IN (SELECT id FROM b)`, "delete read+write r:a,b w:a where"},
	{`DELETE FROM a WHERE id IN (SELECT id FROM a WHERE old)`, "delete read+write r:a w:a where"},
	{`DELETE FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.a_id = a.id)`, "delete read+write r:a,b w:a where"},
	{`DELETE FROM a WHERE done`, "delete read+write r:a w:a where"},
	{`DELETE FROM a WHERE created < now() - interval '1 day'`, "delete read+write r:a w:a f:now where"},
	{`DELETE FROM a WHERE CASE WHEN kind = 1 THEN done ELSE false END`, "delete read+write r:a w:a where"},

	// Functions.
	{`SELECT lower(name), pg_catalog.upper(name) FROM a`, "select read r:a f:lower,pg_catalog.upper"},
	{`SELECT my_function(1)`, "select code+read f:my_function"},
	{`SELECT public.lower('A')`, "select code+read f:public.lower"},
	{`SELECT "Lower"('A')`, `select code+read f:"Lower"`},
	{`SELECT * FROM generate_series(1, 3) g, unnest(ARRAY[1]) u`, "select read f:generate_series,unnest"},
	{`SELECT * FROM ROWS FROM (json_to_record('{}') AS (a int), pg_ls_dir('.')) x`, "select file+read f:json_to_record,pg_ls_dir"},
	{`SELECT nextval('s')`, "select read+write f:nextval"},
	{`SELECT setval('s', 1)`, "select read+write f:setval"},
	{`SELECT currval('s')`, "select read f:currval"},
	{`SELECT pg_read_file('/etc/passwd')`, "select file+read f:pg_read_file"},
	{`SELECT pg_terminate_backend(1)`, "select admin+read f:pg_terminate_backend"},
	{`SELECT pg_reload_conf()`, "select admin+read f:pg_reload_conf"},
	{`SELECT pg_sleep(1)`, "select read f:pg_sleep"},
	{`SELECT pg_notify('c', 'x')`, "select read+write f:pg_notify"},
	{`SELECT pg_advisory_lock(1)`, "select read+session f:pg_advisory_lock"},
	{`SELECT query_to_xml('DELETE FROM a', true, true, '')`, "select code+read f:query_to_xml"},
	{`SELECT table_to_xml('customers', true, true, '')`, "select code+read f:table_to_xml"},
	{`SELECT * FROM dblink('x', 'y') AS t(a int)`, "select code+read f:dblink"},
	{`SELECT lo_import('/etc/passwd')`, "select file+read f:lo_import"},
	{`SELECT lo_unlink(1)`, "select read+write f:lo_unlink"},
	{`SELECT pg_create_logical_replication_slot('a', 'b')`, "select admin+read f:pg_create_logical_replication_slot"},
	{`SELECT pg_stat_reset()`, "select admin+read f:pg_stat_reset"},
	{`SELECT pg_stat_get_numscans(1)`, "select read f:pg_stat_get_numscans"},
	{`SELECT set_config('Search_Path', 'x', false)`, "select read+session f:set_config s:search_path"},
	{`SELECT pg_catalog.set_config('a' || 'b', 'x', false)`, "select read+session f:pg_catalog.set_config unknown"},
	{`SELECT count(*), sum(x) FROM a`, "select read r:a f:count,sum"},
	{`SELECT EXTRACT(year FROM now()), x AT TIME ZONE 'UTC' FROM a`, "select read r:a f:now,pg_catalog.extract,pg_catalog.timezone"},
	{`DELETE FROM a WHERE id = evil()`, "delete code+read+write r:a w:a f:evil where"},
	{`INSERT INTO a VALUES (evil())`, "insert code+write w:a f:evil"},

	// Statements about statements.
	{`EXPLAIN SELECT * FROM a`, "explain read r:a"},
	{`EXPLAIN DELETE FROM a`, "explain read r:a"},
	{`EXPLAIN ANALYZE DELETE FROM a`, "explain read+write r:a w:a unbounded"},
	{`EXPLAIN (COSTS OFF, ANALYZE) DELETE FROM a`, "explain read+write r:a w:a unbounded"},
	{`EXPLAIN (ANALYZE false) DELETE FROM a`, "explain read r:a"},
	{`EXPLAIN (ANALYZE 0) DELETE FROM a`, "explain read r:a"},
	{`EXPLAIN (ANALYZE off, analyze on) DELETE FROM a`, "explain read+write r:a w:a unbounded"},
	{`EXPLAIN (ANALYZE 'yes') DELETE FROM a`, "explain read+write r:a w:a unbounded"},
	{`EXPLAIN SELECT evil()`, "explain code+read f:evil"},
	{`EXPLAIN SELECT nextval('s')`, "explain read f:nextval"},
	{`EXPLAIN ANALYZE CREATE TABLE b AS SELECT * FROM a`, "explain ddl+read+write r:a w:b"},
	{`EXPLAIN EXECUTE p(1)`, "explain code+read unknown"},
	{`PREPARE p AS SELECT * FROM a`, "prepare read r:a"},
	{`PREPARE p (int) AS DELETE FROM a`, "prepare read+write r:a w:a unbounded"},
	{`EXECUTE p(1)`, "execute code unknown"},
	{`DEALLOCATE ALL`, "deallocate session"},
	{`DECLARE c CURSOR FOR SELECT * FROM a`, "declare read r:a"},
	{`DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT * FROM a`, "declare read r:a"},
	{`FETCH ALL FROM c`, "fetch read"},
	{`MOVE 3 IN c`, "move read"},
	{`CLOSE c`, "close read"},
	{`DO $$ BEGIN DELETE FROM a; END $$`, "do code unknown"},
	{`DO LANGUAGE plpgsql 'x'`, "do code unknown"},
	{`CALL p((SELECT 1 FROM a))`, "call code+read r:a f:p"},
	{`LOAD 'x'`, "load code+file"},

	// COPY.
	{`COPY a TO STDOUT`, "copy_out read r:a"},
	{`COPY a (x, y) FROM STDIN`, "copy_in write w:a"},
	{`COPY (SELECT * FROM a) TO STDOUT`, "copy_out read r:a"},
	{`COPY (DELETE FROM a RETURNING *) TO STDOUT`, "copy_out read+write r:a w:a unbounded"},
	{`COPY a TO '/tmp/x'`, "copy_out file+read r:a"},
	{`COPY a FROM PROGRAM 'curl x'`, "copy_in program+write w:a"},
	{`COPY a TO PROGRAM 'sh'`, "copy_out program+read r:a"},
	{`COPY a FROM STDIN WHERE x > 1`, "copy_in write w:a"},
	{`COPY a TO STDOUT (SURPRISE 1)`, "copy_out read r:a unknown"},

	// Sessions and transactions.
	{`SET search_path TO x, y`, "set session s:search_path"},
	{`SET LOCAL "Statement_Timeout" = 1`, "set session s:statement_timeout"},
	{`SET TIME ZONE 'UTC'`, "set session s:timezone"},
	{`SET NAMES 'LATIN1'`, "set session s:client_encoding"},
	{`SET ROLE postgres`, "set session s:role"},
	{`SET SESSION AUTHORIZATION postgres`, "set session s:session_authorization"},
	{`SET a.b = 1`, "set session s:a.b"},
	{`SET x TO DEFAULT`, "set session s:x"},
	{`RESET x`, "reset session s:x"},
	{`RESET ALL`, "reset session s:all"},
	{`DISCARD ALL`, "discard session s:all"},
	{`DISCARD PLANS`, "discard session"},
	{`SHOW ALL`, "show read"},
	{`SET TRANSACTION READ ONLY`, "set_transaction transaction"},
	{`SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE`, "set_transaction session"},
	{`SET CONSTRAINTS ALL DEFERRED`, "set_constraints transaction"},
	{`BEGIN`, "begin transaction"},
	{`START TRANSACTION READ WRITE`, "begin transaction"},
	{`COMMIT AND CHAIN`, "commit transaction"},
	{`END`, "commit transaction"},
	{`ROLLBACK`, "rollback transaction"},
	{`SAVEPOINT a`, "savepoint transaction"},
	{`RELEASE a`, "release transaction"},
	{`ROLLBACK TO a`, "rollback_to transaction"},
	{`PREPARE TRANSACTION 'x'`, "prepare_transaction admin+transaction"},
	{`COMMIT PREPARED 'x'`, "commit_prepared admin+transaction"},
	{`LISTEN a`, "listen session"},
	{`UNLISTEN *`, "unlisten session"},
	{`NOTIFY a, 'x'`, "notify write"},
	{`LOCK TABLE a IN ACCESS SHARE MODE`, "lock read r:a"},
	{`LOCK a, b`, "lock write w:a,b"},

	// Definitions.
	{`CREATE TABLE a (x int DEFAULT evil(), LIKE b, FOREIGN KEY (x) REFERENCES c)`, "create_table code+ddl r:b,c w:a f:evil"},
	{`CREATE TEMP TABLE a AS SELECT * FROM b`, "create_table_as ddl+read+write r:b w:a"},
	{`CREATE TABLE a AS EXECUTE p`, "create_table_as code+ddl+write w:a unknown"},
	{`CREATE MATERIALIZED VIEW a AS SELECT * FROM b`, "create_materialized_view ddl+read+write r:b w:a"},
	{`REFRESH MATERIALIZED VIEW a`, "refresh_materialized_view code+write w:a"},
	{`CREATE OR REPLACE VIEW v AS SELECT * FROM a`, "create_view ddl+read r:a w:v"},
	{`CREATE RECURSIVE VIEW v (n) AS SELECT 1 UNION SELECT n FROM v`, "create_view ddl+read w:v"},
	{`CREATE UNIQUE INDEX CONCURRENTLY i ON a (lower(x)) WHERE y`, "create_index ddl w:a f:lower"},
	{`CREATE SCHEMA s CREATE TABLE t (x int) CREATE VIEW v AS SELECT * FROM a`, "create_schema ddl+read r:a w:t,v"},
	{`CREATE SEQUENCE s OWNED BY a.x`, "create_sequence ddl w:s"},
	{`CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`, "create_function ddl"},
	{`CREATE FUNCTION f() RETURNS int BEGIN ATOMIC DELETE FROM a; SELECT 1; END`, "create_function ddl+read+write r:a w:a unbounded"},
	{`CREATE PROCEDURE p() LANGUAGE sql AS ''`, "create_procedure ddl"},
	{`CREATE TRIGGER t BEFORE INSERT ON a EXECUTE FUNCTION f()`, "create_trigger ddl w:a"},
	{`CREATE RULE r AS ON INSERT TO a DO ALSO DELETE FROM b`, "create_rule ddl+read+write r:b w:a,b unbounded"},
	{`CREATE POLICY p ON a USING (true)`, "create_policy admin+ddl w:a"},
	{`CREATE EXTENSION dblink`, "create_extension admin+code+ddl"},
	{`CREATE TYPE t AS ENUM ('a')`, "create_type ddl"},
	{`CREATE TYPE t AS (a int)`, "create_type ddl w:t"},
	{`CREATE DOMAIN d AS text CHECK (value <> '')`, "create_domain ddl"},
	{`CREATE AGGREGATE g (int) (sfunc = f, stype = int)`, "create_aggregate ddl"},
	{`CREATE OPERATOR + (procedure = f, leftarg = int)`, "create_operator ddl"},
	{`CREATE CAST (int AS text) WITH FUNCTION f(int)`, "create_cast ddl"},
	{`CREATE STATISTICS s ON x, y FROM a`, "create_statistics ddl w:a"},
	{`CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()`, "create_event_trigger admin+ddl"},
	{`CREATE SERVER s FOREIGN DATA WRAPPER w`, "create_foreign_server admin+ddl"},
	{`CREATE FOREIGN TABLE a (x int) SERVER s`, "create_foreign_table ddl w:a"},
	{`CREATE PUBLICATION p FOR TABLE a`, "create_publication admin+ddl w:a"},
	{`CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p`, "create_subscription admin+ddl"},
	{`ALTER TABLE a ADD COLUMN x int DEFAULT (evil())`, "alter_table code+ddl w:a f:evil"},
	{`ALTER TABLE a ALTER x TYPE text USING evil(x)`, "alter_table code+ddl w:a f:evil"},
	{`ALTER TABLE a ATTACH PARTITION b DEFAULT`, "alter_table ddl w:a,b"},
	{`ALTER TABLE a RENAME COLUMN x TO y`, "alter_table ddl w:a"},
	{`ALTER TABLE a RENAME TO b`, "alter_table ddl w:a"},
	{`ALTER VIEW v OWNER TO me`, "alter_view ddl w:v"},
	{`ALTER TABLE a SET SCHEMA s`, "alter_table ddl w:a"},
	{`ALTER INDEX i SET (fillfactor = 10)`, "alter_index ddl w:i"},
	{`ALTER SEQUENCE s RESTART`, "alter_sequence ddl w:s"},
	{`ALTER TYPE t ADD VALUE 'b'`, "alter_type ddl"},
	{`ALTER FUNCTION f(int) SECURITY DEFINER`, "alter_function ddl"},
	{`ALTER POLICY p ON a TO me`, "alter_policy admin+ddl w:a"},
	{`ALTER SYSTEM SET Archive_Command = 'x'`, "alter_system admin s:archive_command"},
	{`DROP TABLE IF EXISTS s.a, "B" CASCADE`, `drop_table ddl w:"B",s.a`},
	{`DROP VIEW v`, "drop_view ddl w:v"},
	{`DROP TRIGGER t ON s.a`, "drop_trigger ddl w:s.a"},
	{`DROP POLICY p ON a`, "drop_policy admin+ddl w:a"},
	{`DROP FUNCTION f(int)`, "drop_function ddl"},
	{`DROP SCHEMA s CASCADE`, "drop_schema ddl"},
	{`DROP EXTENSION e`, "drop_extension admin+ddl"},
	{`COMMENT ON TABLE a IS 'x'`, "comment ddl w:a"},
	{`COMMENT ON COLUMN s.a.x IS 'x'`, "comment ddl w:s.a"},

	// Power.
	{`GRANT SELECT ON a TO me`, "grant admin w:a"},
	{`REVOKE ALL ON ALL TABLES IN SCHEMA s FROM PUBLIC`, "revoke admin"},
	{`GRANT boss TO me`, "grant_role admin"},
	{`REVOKE boss FROM me`, "revoke_role admin"},
	{`ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO me`, "alter_default_privileges admin"},
	{`CREATE ROLE r SUPERUSER`, "create_role admin"},
	{`ALTER USER r PASSWORD 'x'`, "alter_role admin"},
	{`ALTER ROLE r SET search_path = x`, "alter_role admin s:search_path"},
	{`ALTER DATABASE d SET x = 1`, "alter_database admin+ddl s:x"},
	{`DROP USER r`, "drop_role admin"},
	{`CREATE DATABASE d`, "create_database admin+ddl"},
	{`DROP DATABASE d`, "drop_database admin+ddl"},
	{`REASSIGN OWNED BY a TO b`, "reassign_owned admin"},
	{`DROP OWNED BY a`, "drop_owned admin+ddl"},
	{`SECURITY LABEL ON TABLE a IS 'x'`, "security_label admin w:a"},
	{`VACUUM FULL a`, "vacuum admin w:a"},
	{`ANALYZE a (x)`, "analyze admin w:a"},
	{`REINDEX TABLE a`, "reindex admin w:a"},
	{`CLUSTER a USING i`, "cluster admin w:a"},
	{`CHECKPOINT`, "checkpoint admin"},

	// What the grammar does not take.
	{`SELEC 1`, "unknown  unknown"},
	{`SELECT 1; SELEC 2`, "unknown  unknown"},
	{`SELECT 'x`, "unknown  unknown"},
}

func TestFacts(t *testing.T) {
	for _, c := range factCases {
		s := analyseText(t, c.sql)
		if len(s) != 1 {
			t.Errorf("%s\n%d statements", c.sql, len(s))
			continue
		}
		f := s[0].Facts
		if got := brief(f); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.sql, got, c.want)
		}
		if f.Unknown != (f.Why != "") || !policy.KnownSQLKind(f.Kind) || s[0].Text != c.sql {
			t.Errorf("%s: %+v", c.sql, s[0])
		}
	}
}
