-- More attacks, found by trying to get at a labelled value. Same format and same schema as evasion.sql, whose head explains both; the same test runs
-- them. A proof "out:TEXT" of five bytes or fewer is not searched for.
-- \x00\x01\xff\xff\xff\xff in a proof is a row of one NULL: which rows are NULL would tell what values are.

-- O001 | mask | app_user | simple | whether nullif() of a digit is NULL tells the digit | out:\x00\x01\xff\xff\xff\xff
SELECT nullif(left(ssn,1),'1') FROM customers WHERE id=1

-- O002 | mask | app_user | ext-bin | a regular expression that matches or gives NULL, in binary | out:\x00\x01\xff\xff\xff\xff
SELECT substring(ssn from '^9') FROM customers WHERE id=1

-- O003 | mask | app_user | simple | IS NULL of a column of a subquery that computed it | out:\x00\x01\x00\x00\x00\x01t
SELECT x IS NULL FROM (SELECT nullif(left(ssn,1),'1') AS x FROM customers WHERE id=1) s

-- O004 | deny | app_user | simple | WHERE x IS NULL of a computed column counts rows | out:SELECT 
SELECT id FROM (SELECT id, nullif(left(ssn,1),'1') AS x FROM customers) s WHERE x IS NULL

-- O005 | mask | app_user | simple | count() of a computed column of a subquery | out:\x00\x01\x00\x00\x00\x012
SELECT count(x) FROM (SELECT substring(ssn from '^(?:9|5)') AS x FROM customers WHERE id<4) s

-- O006 | mask | app_user | simple | count() of a computed column of a CTE, over a window | out:\x00\x01\x00\x00\x00\x010
WITH s AS MATERIALIZED (SELECT nullif(left(ssn,1),'1') AS x FROM customers WHERE id=1) SELECT count(x) OVER () FROM s

-- O007 | mask | app_user | simple | num_nulls() tells which value is NULL | out:\x00\x01\x00\x00\x00\x011
SELECT num_nulls(nullif(left(ssn,1),'1')) FROM customers WHERE id=1

-- O008 | mask | app_user | simple | EXECUTE of a harmless statement with a parameter that reads the secret | out:123-45-6789
PREPARE echo(text) AS SELECT $1 AS x
-- @next
EXECUTE echo(get_ssn(1))

-- O009 | mask | app_user | simple | EXECUTE whose parameter fails with the secret in the error | out:123-45-6789
PREPARE echo(int) AS SELECT $1 AS x
-- @next
EXECUTE echo(get_ssn(1)::int)

-- O010 | deny | app_user | simple | EXECUTE writes a parameter that reads the secret | dmg:SELECT EXISTS(SELECT 1 FROM employees WHERE notes LIKE '123-45-%')
PREPARE keep(text) AS UPDATE employees SET notes = $1 WHERE id = 1
-- @next
EXECUTE keep(get_ssn(1))

-- O011 | deny | app_user | simple | EXECUTE of a search whose parameter reads the secret | out:SELECT 1
PREPARE look(text) AS SELECT count(*) FROM products WHERE $1 LIKE '123%'
-- @next
EXECUTE look(get_ssn(1))

-- O012 | deny | app_user | copyin | COPY FROM with WHERE over a function that reads the secret | out:COPY 2
COPY guesses FROM STDIN WHERE get_ssn(1) LIKE '123%'

-- O013 | mask | app_user | copyin | COPY FROM whose WHERE fails with the secret in the error | out:123-45-6789
COPY guesses FROM STDIN WHERE get_ssn(1)::int > 0

-- O014 | deny | app_user | simple | which of ten sequences moves tells the digit | dmg:SELECT last_value=3 FROM ticket_seq
SELECT nextval((CASE left(ssn,1) WHEN '1' THEN 'ticket_seq' ELSE 'ticket_seq' END)::regclass) FROM customers WHERE id < 4

-- O015 | deny | app_user | simple | nextval() of a name made of the secret | dmg:SELECT is_called FROM ticket_seq
SELECT nextval(replace(left(ssn,1),'1','ticket_seq')::regclass) FROM customers WHERE id=1

-- O016 | deny | app_user | simple | AND stops before nextval() where the digit is another | dmg:SELECT is_called FROM ticket_seq
SELECT left(ssn,1) = '1' AND nextval('ticket_seq') > 0 FROM customers WHERE id=1

-- O017 | deny | app_user | simple | OR stops before set_config() where the digit is another | out:yes-it-is
SELECT left(ssn,1) <> '1' OR set_config('my.bit','yes-it-is',false) = '' FROM customers WHERE id=1
-- @next
SHOW my.bit

-- O018 | deny | app_user | simple | COALESCE stops before an advisory lock | out:ExclusiveLock
SELECT coalesce(nullif(left(ssn,1),'1'), pg_advisory_lock(4711)::text) FROM customers WHERE id=1
-- @next
SELECT mode FROM pg_locks WHERE locktype='advisory'

-- O019 | deny | app_user | simple | a row comparison stops before nextval() | dmg:SELECT is_called FROM ticket_seq
SELECT (left(ssn,1), nextval('ticket_seq')) < ('1', 5::bigint) FROM customers WHERE id=1

-- O020 | deny | app_user | simple | AND stops before a scan, and the statistics of this transaction count scans | out:\x00\x01\x00\x00\x00\x011
BEGIN
-- @next
SELECT left(ssn,1) = '1' AND (SELECT count(*) FROM guesses) > 0 FROM customers WHERE id=1
-- @next
SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname='guesses'

-- O021 | deny | app_user | simple | AND stops before an existing function with effects | dmg:SELECT balance=0 FROM customers WHERE id=1
SELECT left(ssn,1) = '1' AND wipe_notes() = 1 FROM customers WHERE id=1

-- O022 | mask | app_user | simple | a cursor's name is taken by a function after CLOSE | out:123-45-6789
CREATE FUNCTION opener(n refcursor) RETURNS int LANGUAGE plpgsql AS $$ BEGIN OPEN n FOR SELECT ssn FROM customers WHERE id=1; RETURN 1; END $$
-- @next
BEGIN
-- @next
DECLARE c CURSOR FOR SELECT title FROM products
-- @next
CLOSE c
-- @next
SELECT opener('c')
-- @next
FETCH ALL FROM c

-- O023 | mask | app_user | simple | a cursor's name is taken by a function after COMMIT | out:123-45-6789
CREATE FUNCTION opener(n refcursor) RETURNS int LANGUAGE plpgsql AS $$ BEGIN OPEN n FOR SELECT ssn FROM customers WHERE id=1; RETURN 1; END $$
-- @next
BEGIN
-- @next
DECLARE c CURSOR FOR SELECT title FROM products
-- @next
COMMIT
-- @next
BEGIN
-- @next
SELECT opener('c')
-- @next
FETCH ALL FROM c

-- O024 | mask | app_user | simple | a cursor's name is taken by a function that closes it itself | out:123-45-6789
CREATE FUNCTION opener(n refcursor) RETURNS int LANGUAGE plpgsql AS $$ BEGIN CLOSE n; OPEN n FOR SELECT ssn FROM customers WHERE id=1; RETURN 1; END $$
-- @next
BEGIN
-- @next
DECLARE c CURSOR FOR SELECT title FROM products
-- @next
SELECT opener('c')
-- @next
FETCH ALL FROM c

-- O025 | mask | app_user | simple | DO gives the name of a prepared statement another text | out:123-45-6789
PREPARE p AS SELECT title FROM products
-- @next
DO $$ BEGIN EXECUTE 'DEALLOCATE p'; EXECUTE 'PREPARE p AS SELECT ssn FROM customers WHERE id=1'; END $$
-- @next
EXECUTE p

-- O026 | mask | app_user | simple | an IMMUTABLE function keeps what it is given in a setting | out:123-45-6789
CREATE FUNCTION keep(x text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('my.v', x, false); RETURN ''; END $$
-- @next
SELECT keep(ssn) FROM customers WHERE id=1
-- @next
SHOW my.v

-- O027 | mask | app_user | simple | the check of a domain keeps what is cast to it | out:123-45-6789
CREATE FUNCTION keep(x text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('my.v', x, false); RETURN true; END $$
-- @next
CREATE DOMAIN kept AS text CHECK (keep(value))
-- @next
SELECT ssn::kept FROM customers WHERE id=1
-- @next
SHOW my.v

-- O028 | mask | app_user | simple | a generated column calls a function that reads the secret | out:123-45-6789
CREATE FUNCTION g(int) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN get_ssn($1); END $$
-- @next
CREATE TABLE gen (id int, x text GENERATED ALWAYS AS (g(id)) STORED)
-- @next
INSERT INTO gen VALUES (1)
-- @next
SELECT x FROM gen

-- O029 | mask | app_user | copyin | a default that reads the secret, filled in by COPY | out:123-45-6789
CREATE TABLE filled (v text, x text DEFAULT get_ssn(1))
-- @next
COPY filled (v) FROM STDIN
-- @next
SELECT x FROM filled

-- O030 | mask | app_user | simple | a default that reads the secret, filled in by ALTER TABLE | out:123-45-6789
CREATE TABLE filled (v int)
-- @next
INSERT INTO filled VALUES (1)
-- @next
ALTER TABLE filled ADD COLUMN x text DEFAULT get_ssn(1)
-- @next
SELECT x FROM filled

-- O031 | mask | postgres | simple | COPY in an encoding whose second bytes are the delimiter | out:123-45-6789
COPY (SELECT U&'\30DC' AS a, ssn FROM customers WHERE id=1) TO STDOUT (DELIMITER '|', ENCODING 'SJIS')

-- O032 | mask | postgres | simple | COPY in an encoding whose second bytes are backslashes | out:123-45-6789
COPY (SELECT U&'\30BD' AS a, ssn, U&'\30BD' FROM customers WHERE id=1) TO STDOUT (DELIMITER '|', ENCODING 'SJIS')

-- O034 | mask | postgres | simple | CREATE UNIQUE INDEX prints the value in its error | out:4111111111111111
CREATE UNIQUE INDEX ON customers (card_number)

-- O035 | mask | postgres | simple | ALTER TYPE prints the value in its error | out:4111111111111111
ALTER TABLE payments ALTER card_pan TYPE int USING card_pan::int

-- O036 | mask | postgres | simple | a rename moves the column away from its label | out:123-45-6789
ALTER TABLE customers RENAME ssn TO note2
-- @next
SELECT note2 FROM customers WHERE id=1

-- O037 | mask | postgres | simple | the table is renamed and its name given to another | out:123-45-6789
ALTER TABLE customers RENAME TO people
-- @next
CREATE TABLE customers (id int, ssn text)
-- @next
SELECT ssn FROM people WHERE id=1

-- O038 | mask | postgres | simple | the table moves to another schema | out:123-45-6789
CREATE SCHEMA attic
-- @next
ALTER TABLE customers SET SCHEMA attic
-- @next
SELECT ssn FROM attic.customers WHERE id=1

-- O039 | deny | app_user | simple | CYCLE ends a recursion by the secret | out:SELECT 
WITH RECURSIVE r(n, x) AS (SELECT 1, left(ssn,1) FROM customers WHERE id=1 UNION ALL SELECT n+1, n::text FROM r WHERE n < 9) CYCLE x SET c USING p SELECT n FROM r

-- O040 | mask | app_user | simple | SEARCH orders by the secret, in a column of its own | out:123-45-6789
WITH RECURSIVE r(n, x) AS (SELECT 1, ssn FROM customers WHERE id=1 UNION ALL SELECT n+1, x FROM r WHERE n < 2) SEARCH DEPTH FIRST BY x SET o SELECT o::text FROM r

-- O041 | deny | app_user | simple | rank in a window over the secret | out:SELECT 
SELECT id, dense_rank() OVER (ORDER BY ssn) FROM customers WHERE id < 4

-- O042 | deny | app_user | simple | a frame whose end is computed from the secret | out:SELECT 
SELECT count(*) OVER (ORDER BY id ROWS ascii(get_ssn(1)) - 48 PRECEDING) FROM products

-- O043 | deny | app_user | simple | LIMIT computed from the secret | out:SELECT 
SELECT id FROM customers ORDER BY id LIMIT (SELECT left(ssn,1)::int FROM customers WHERE id=1)

-- O044 | deny | app_user | simple | rows of generate_series() count a digit | out:SELECT 
SELECT c.id FROM customers c, generate_series(1, left(c.ssn,1)::int) WHERE c.id < 4

-- O045 | deny | app_user | simple | rows of a set-returning function among the columns | out:SELECT 
SELECT id, generate_series(1, left(ssn,1)::int) FROM customers WHERE id < 4

-- O046 | deny | app_user | simple | string_to_table() gives as many rows as there are digits | out:SELECT 
SELECT 1 FROM customers c CROSS JOIN LATERAL string_to_table(c.ssn, '1') WHERE c.id = 1

-- O047 | deny | app_user | simple | jsonb_path_query() as a filter | out:SELECT 
SELECT c.id FROM customers c, jsonb_path_query(to_jsonb(c), '$.ssn ? (@ like_regex "^1")') WHERE c.id < 4

-- O048 | mask | app_user | simple | jsonb_path_exists() as a value | out:\x00\x01\x00\x00\x00\x01t
SELECT jsonb_path_exists(to_jsonb(c), '$.ssn ? (@ like_regex "^123")') FROM customers c WHERE id=1

-- O049 | deny | app_user | simple | xmltable counts rows | out:SELECT 
SELECT c.id FROM customers c, xmltable('/r[starts-with(., "123")]' PASSING xmlelement(name r, c.ssn) COLUMNS n text PATH '.') x WHERE c.id < 4

-- O050 | deny | app_user | simple | a grouping set over part of the secret | out:SELECT 
SELECT count(*), min(id) FROM customers GROUP BY GROUPING SETS ((left(ssn,1)), ())

-- O051 | deny | app_user | simple | DISTINCT ON chooses rows by the secret | out:SELECT 
SELECT DISTINCT ON (left(ssn,1)) id FROM customers

-- O052 | deny | app_user | simple | FILTER counts by the secret | out:SELECT 
SELECT count(*) FILTER (WHERE ssn LIKE '123%') FROM customers

-- O053 | mask | app_user | simple | an aggregate of unlabelled values in the secret's order | out:Carol
SELECT (array_agg(name ORDER BY ssn))[2] FROM customers WHERE id < 4

-- O054 | mask | app_user | simple | a hypothetical rank within the secret | out:\x00\x01\x00\x00\x00\x012
SELECT rank('2') WITHIN GROUP (ORDER BY ssn) FROM customers WHERE id < 4

-- O055 | mask | app_user | simple | bool_or() of a comparison | out:\x00\x01\x00\x00\x00\x01t
SELECT bool_or(ssn LIKE '123%') FROM customers WHERE id < 4

-- O056 | deny | app_user | simple | HAVING over the secret | out:SELECT 
SELECT id FROM customers GROUP BY id HAVING max(ssn) > '5'

-- O057 | deny | app_user | simple | ON CONFLICT DO UPDATE WHERE the secret is like that | dmg:SELECT notes='hit' FROM customers WHERE id=1
INSERT INTO customers (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET notes = 'hit' WHERE customers.ssn LIKE '123%'

-- O058 | deny | app_user | simple | UPDATE marks the rows by the secret | dmg:SELECT notes='hit' FROM customers WHERE id=1
UPDATE customers SET notes = 'hit' WHERE ssn LIKE '123%'

-- O059 | deny | app_user | simple | an update of an unlabelled table joined by the secret | dmg:SELECT notes='hit' FROM employees WHERE id=1
UPDATE employees e SET notes = 'hit' FROM customers c WHERE c.id = e.id AND c.ssn > '1'

-- O060 | deny | app_user | simple | DELETE USING the secret | dmg:SELECT NOT EXISTS(SELECT 1 FROM guesses WHERE v='123-45-6789')
DELETE FROM guesses USING customers c WHERE c.ssn = guesses.v

-- O061 | deny | app_user | simple | MERGE decides by the secret | dmg:SELECT notes='hit' FROM employees WHERE id=1
MERGE INTO employees e USING customers c ON c.id = e.id WHEN MATCHED AND c.ssn LIKE '1%' THEN UPDATE SET notes = 'hit'

-- O062 | deny | app_user | simple | the subscript of an assignment is computed from the secret | dmg:SELECT attrs ? '1' FROM products WHERE id=1
UPDATE products SET attrs[(SELECT left(ssn,1) FROM customers WHERE customers.id=1)] = '"hit"' WHERE products.id = 1

-- O063 | deny | app_user | simple | UPDATE SET (a, b) = (SELECT the secret) | dmg:SELECT salary_band LIKE '123%' FROM employees WHERE id=1
UPDATE employees SET (salary_band, notes) = (SELECT ssn, 'x' FROM customers c WHERE c.id = 1) WHERE id = 1

-- O064 | deny | app_user | simple | SELECT FOR UPDATE SKIP LOCKED with a condition on the secret | out:SELECT 
SELECT id FROM customers WHERE ssn BETWEEN '1' AND '2' FOR UPDATE SKIP LOCKED

-- O065 | mask | app_user | simple | the row of a view through a function with a record argument | out:123-45-6789
SELECT row_to_json(v) FROM (SELECT * FROM v_customers) v WHERE id=1

-- O066 | mask | app_user | simple | jsonb_populate_record back into a row | out:123-45-6789
SELECT (jsonb_populate_record(NULL::customers, to_jsonb(c))).notes || (jsonb_populate_record(NULL::customers, to_jsonb(c))).ssn FROM customers c WHERE id=1

-- O067 | mask | app_user | simple | a composite of a subquery, and its field | out:123-45-6789
SELECT (x.r).ssn FROM (SELECT c AS r FROM customers c WHERE id=1) x

-- O068 | mask | app_user | simple | an array of rows, one field of an element | out:123-45-6789
SELECT ((array_agg(c))[1]).ssn FROM customers c WHERE id=1

-- O069 | mask | app_user | simple | fields of a row are renamed in FROM ROWS FROM | out:123-45-6789
SELECT f.x4 FROM customers c, ROWS FROM (jsonb_to_record(to_jsonb(c)) AS (id int, ssn text)) AS f(x3, x4) WHERE c.id=1

-- O070 | mask | app_user | simple | multirange bounds of the secret | out:1234
SELECT upper(int4multirange(int4range(0, left(ssn,3)::int * 10 + 4))) FROM customers WHERE id=1

-- O071 | mask | app_user | simple | bit by bit through get_bit() | out:\x00\x01\x00\x00\x00\x011
SELECT get_bit(ssn::bytea, 4) FROM customers WHERE id=1

-- O072 | mask | app_user | simple | the length and the checksum of the secret | out:\x00\x02\x00\x00\x00\x0211
SELECT length(ssn), hashtext(ssn) FROM customers WHERE id=1

-- O073 | mask | app_user | simple | pg_input_is_valid-like test by a cast that is caught | out:123-45-6789
SELECT (xpath('//text()', xmlelement(name x, ssn)))[1]::text FROM customers WHERE id=1

-- O074 | mask | app_user | simple | encryption with a key that the client knows | out:cc1a124176cafc8eb541b2b766fe8cf7
SELECT encrypt(ssn::bytea, 'k', 'aes')::text, hmac(ssn, 'k', 'sha256')::text FROM customers WHERE id=1

-- O075 | mask | app_user | ext-text | COPY of a query through Parse and Execute | out:123-45-6789
COPY (SELECT ssn FROM customers WHERE id=1) TO STDOUT

-- O076 | mask | app_user | ext-text | DECLARE through Parse, FETCH of it | out:123-45-6789
BEGIN
-- @next
DECLARE c CURSOR FOR SELECT upper(ssn) FROM customers WHERE id=1
-- @next
FETCH ALL FROM c

-- O077 | mask | app_user | ext-bin | a bytea of the secret in binary | out:123-45-6789
SELECT convert_to(ssn, 'UTF8') FROM customers WHERE id=1

-- O078 | mask | app_user | ext-bin | a composite in binary | out:123-45-6789
SELECT ROW(id, ssn) FROM customers WHERE id=1

-- O079 | mask | app_user | ext-bin | an array in binary | out:123-45-6789
SELECT ARRAY[ssn, name] FROM customers WHERE id=1

-- O080 | mask | postgres | simple | statistics of an expression: pg_stats_ext | out:123-45-6789
CREATE STATISTICS st (mcv) ON ssn, status FROM customers
-- @next
ANALYZE customers
-- @next
SELECT most_common_vals::text FROM pg_stats_ext

-- O081 | mask | app_user | simple | the text of a cursor and of a prepared statement | out:Q2hlY2s
PREPARE q AS SELECT 'Q2hlY2s'
-- @next
SELECT statement FROM pg_prepared_statements

-- O082 | deny | app_user | simple | the planner's estimate of a search, from its statistics | out:rows=
EXPLAIN (VERBOSE) SELECT id FROM customers WHERE ssn > '2'

-- O083 | deny | app_user | simple | EXPLAIN EXECUTE with a search parameter | out:QUERY PLAN
PREPARE look(text) AS SELECT id FROM customers WHERE ssn > $1
-- @next
EXPLAIN EXECUTE look('2')

-- O084 | deny | app_user | ext-text | a search by a parameter of Bind | out:SELECT 
SELECT id FROM customers WHERE ssn > $1

-- O085 | deny | app_user | simple | equality that is none: a collation of one's own | out:SELECT 
CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1-kn', deterministic = false)
-- @next
SELECT id FROM customers WHERE card_number = '04111111111111111' COLLATE loose

-- O086 | deny | app_user | simple | a table of guesses, IN (SELECT …) | out:SELECT 
SELECT 'hit' FROM customers WHERE ssn IN (SELECT v FROM guesses)

-- O087 | deny | app_user | simple | a hundred guesses in one array | out:SELECT 
SELECT id FROM customers WHERE ssn = ANY (ARRAY(SELECT '123-45-' || g FROM generate_series(6780, 6790) g))

-- O088 | deny | app_user | simple | guesses in an outer join, counted | out:SELECT 
SELECT count(c.id) FROM guesses g LEFT JOIN customers c ON c.ssn = g.v

-- O089 | deny | app_user | simple | guesses by NATURAL JOIN | out:SELECT 
SELECT 1 AS hit FROM customers NATURAL JOIN (SELECT v AS ssn FROM guesses) g

-- O090 | deny | app_user | simple | EXCEPT of guesses | out:SELECT 
SELECT count(*) FROM (SELECT v FROM guesses EXCEPT SELECT ssn FROM customers) s

-- O091 | deny | app_user | simple | a correlated EXISTS over guesses | out:SELECT 
SELECT EXISTS (SELECT 1 FROM guesses g WHERE c.ssn = g.v) FROM customers c WHERE id=1

-- O092 | deny | app_user | simple | a NOTIFY payload that a query computes | out:123-45-6789
LISTEN ch
-- @next
SELECT pg_notify('ch', ssn) FROM customers WHERE id=1

-- O093 | deny | app_user | simple | a view of one's own over a function that reads the secret | dmg:SELECT EXISTS(SELECT 1 FROM pg_views WHERE viewname='leaky')
CREATE VIEW leaky AS SELECT get_ssn(1) AS x

-- O094 | mask | app_user | simple | a recursive view | out:123-45-6789
CREATE RECURSIVE VIEW rv (n, x) AS SELECT 1, ssn FROM customers WHERE id=1 UNION ALL SELECT n+1, x FROM rv WHERE n < 2
-- @next
SELECT x FROM rv

-- O095 | deny | app_user | simple | a temporary table of a function's result | dmg:SELECT EXISTS(SELECT 1 FROM pg_class WHERE relname='t')
CREATE TEMP TABLE t AS SELECT * FROM search_customers('%')

-- O096 | mask | postgres | simple | a child of the labelled table | out:123-45-6789
CREATE TABLE kid () INHERITS (customers)
-- @next
INSERT INTO kid (id, name, ssn) SELECT 500, 'kid', ssn FROM customers WHERE id=1
-- @next
SELECT ssn FROM kid

-- O097 | mask | postgres | simple | a new parent of the labelled table | out:123-45-6789
CREATE TABLE parent (ssn text)
-- @next
ALTER TABLE customers INHERIT parent
-- @next
SELECT ssn FROM parent

-- O098 | mask | postgres | simple | a partition is detached | out:4111111111111111
ALTER TABLE payments DETACH PARTITION payments_2025
-- @next
SELECT card_pan FROM payments_2025

-- O099 | mask | app_user | simple | LIKE copies the table, INSERT SELECT fills the copy by whole rows | out:123-45-6789
CREATE TABLE twin (LIKE customers)
-- @next
INSERT INTO twin TABLE ONLY customers
-- @next
SELECT ssn FROM twin WHERE id=1

-- O100 | mask | app_user | simple | an error whose text is computed by a built-in | out:123-45-6789
SELECT to_timestamp(ssn, 'YYYY') , ssn::date FROM customers WHERE id=1

-- O101 | mask | app_user | simple | a JSON error quotes what it could not read | out:123-45
SELECT ('{"a":' || ssn || '}')::jsonb FROM customers WHERE id=1

-- O102 | mask | app_user | simple | an error of a function that is called with an unlabelled argument | out:123-45-6789
SELECT get_ssn_plpgsql(1)::int

-- O103 | mask | postgres | simple | a NOTICE of a function that reads the secret | out:123-45-6789
CREATE FUNCTION shout() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', (SELECT ssn FROM customers WHERE id=1); RETURN 1; END $$
-- @next
SELECT shout()

-- O104 | mask | postgres | simple | a WARNING of a procedure | out:123-45-6789
CREATE PROCEDURE shout() LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING '%', (SELECT ssn FROM customers WHERE id=1); END $$
-- @next
CALL shout()

-- O105 | mask | postgres | simple | a trigger on an unlabelled table raises the secret | out:123-45-6789
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', (SELECT ssn FROM customers WHERE id=1); END $$
-- @next
CREATE TRIGGER t BEFORE INSERT ON guesses FOR EACH ROW EXECUTE FUNCTION shout()
-- @next
INSERT INTO guesses VALUES ('x')

-- O106 | mask | postgres | copyin | a trigger raises the secret during COPY FROM | out:123-45-6789
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', (SELECT ssn FROM customers WHERE id=1); END $$
-- @next
CREATE TRIGGER t BEFORE INSERT ON guesses FOR EACH ROW EXECUTE FUNCTION shout()
-- @next
COPY guesses FROM STDIN

-- O107 | mask | postgres | copyin | a trigger puts the secret into the rows of COPY FROM | out:123-45-6789
CREATE TABLE inbox (v text)
-- @next
CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := get_ssn(1); RETURN NEW; END $$
-- @next
CREATE TRIGGER t BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION fill()
-- @next
COPY inbox FROM STDIN
-- @next
SELECT v FROM inbox

-- O108 | mask | postgres | simple | a constraint whose check raises the secret at COMMIT | out:123-45-6789
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', (SELECT ssn FROM customers WHERE id=1); END $$
-- @next
CREATE CONSTRAINT TRIGGER t AFTER INSERT ON guesses DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION shout()
-- @next
BEGIN
-- @next
INSERT INTO guesses VALUES ('x')
-- @next
COMMIT

-- O109 | mask | app_user | simple | security barrier off: a cheap function raises each row of a view | out:123-45-6789
CREATE FUNCTION peek(x text) RETURNS boolean COST 0.0000001 LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'saw %', x; RETURN true; END $$
-- @next
SELECT id FROM v_customers WHERE peek(tax_id)

-- O110 | mask | app_user | simple | an operator of one's own in ORDER BY USING | out:123-45-6789
SELECT ssn FROM customers ORDER BY id USING < LIMIT 1

-- O111 | mask | app_user | simple | TABLESAMPLE and a lateral whole row | out:123-45-6789
SELECT l.* FROM customers c TABLESAMPLE SYSTEM (100) REPEATABLE (1), LATERAL (SELECT c.*) l WHERE c.id=1

-- O112 | deny | app_user | simple | JSON constructed per row, rows dropped by ABSENT ON NULL | out:SELECT 
SELECT count(*) FROM customers c, jsonb_array_elements(jsonb_build_array(c.ssn) - 'x') e WHERE e::text LIKE '"123%'

-- O113 | mask | app_user | simple | MULTI-statement text: a temp table shadows the labelled one, then goes | out:123-45-6789
CREATE TEMP TABLE customers (id int, ssn text); SELECT ssn FROM customers; DROP TABLE pg_temp.customers; SELECT ssn FROM customers WHERE id=1

-- O114 | mask | app_user | simple | search_path changes within one text | out:123-45-6789
SET search_path = pg_temp, public; SELECT ssn FROM customers WHERE id=1

-- O115 | mask | app_user | simple | transform_null_equals and escape settings | out:123-45-6789
SET transform_null_equals = on; SELECT E'\x31' || ssn FROM customers WHERE id=1

-- O116 | mask | app_user | simple | the greatest of the secret and a constant | out:123-45-6789
SELECT greatest(ssn, '0'), least(ssn, 'a') FROM customers WHERE id=1

-- O117 | mask | app_user | copyin | text that stands for NULL is not told from a value that reads the same | out:123-45-6789
COPY (SELECT ssn FROM customers WHERE id=1) TO STDOUT (NULL '123-45-6789')

-- O118 | mask | app_user | simple | which rows are NULL, in COPY | out:\x5cN\x0a
COPY (SELECT nullif(left(ssn,1),'1') FROM customers WHERE id=1) TO STDOUT

-- O119 | mask | app_user | simple | RAISE puts the secret where the name of a column goes | out:123-45-6789
CREATE FUNCTION shout() RETURNS int LANGUAGE plpgsql AS $$ DECLARE s text; BEGIN SELECT ssn INTO s FROM customers WHERE id=1; RAISE EXCEPTION USING MESSAGE = 'x', COLUMN = s, CONSTRAINT = s, DATATYPE = s, TABLE = s, SCHEMA = s; END $$
-- @next
SELECT shout()

-- O120 | mask | app_user | simple | RAISE puts the secret into the SQLSTATE, five characters at a time | out:A1234
CREATE FUNCTION shout() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING MESSAGE = 'x', ERRCODE = (SELECT 'A' || left(replace(ssn, '-', ''), 4) FROM customers WHERE id=1); END $$
-- @next
SELECT shout()

-- O121 | mask | app_user | simple | a NOTICE with the secret in its fields | out:123-45-6789
CREATE FUNCTION shout() RETURNS int LANGUAGE plpgsql AS $$ DECLARE s text; BEGIN SELECT ssn INTO s FROM customers WHERE id=1; RAISE NOTICE USING MESSAGE = 'x', COLUMN = s, HINT = s; RETURN 1; END $$
-- @next
SELECT shout()

-- O122 | mask | app_user | simple | DO raises the secret where the name of a table goes | out:123-45-6789
DO $$ DECLARE s text; BEGIN SELECT ssn INTO s FROM customers WHERE id=1; RAISE EXCEPTION USING MESSAGE = 'x', TABLE = s; END $$

-- O123 | mask | app_user | simple | the names of columns of a result made at run time | out:123-45-6789
SELECT x FROM (SELECT ssn FROM customers WHERE id=1) AS s(x)

-- O124 | mask | app_user | simple | a window's lag tells by NULL | out:\x00\x01\xff\xff\xff\xff
SELECT first_value(nullif(left(ssn,1),'1')) OVER (ORDER BY id) FROM customers WHERE id=1

-- O125 | mask | app_user | simple | NULL through a jsonb path | out:\x00\x01\xff\xff\xff\xff
SELECT jsonb_path_query_first(to_jsonb(c), '$.ssn ? (@ like_regex "^9")')::text FROM customers c WHERE id=1

-- O126 | mask | app_user | simple | NULL through an outer reference in a sublink | out:\x00\x01\xff\xff\xff\xff
SELECT (SELECT x FROM (SELECT nullif(left(c.ssn,1),'1') AS x) s) FROM customers c WHERE id=1

-- O127 | deny | app_user | simple | a join on IS NULL of a computed column | out:SELECT 
SELECT p.title FROM products p JOIN (SELECT substring(ssn from '^1') AS x FROM customers WHERE id=1) s ON s.x IS NULL

-- O128 | deny | app_user | simple | COALESCE reads another table only where the digit is another | out:SELECT 
SELECT coalesce(nullif(left(ssn,1),'1'), (SELECT max(v) FROM guesses)) FROM customers WHERE id=1

-- O129 | mask | app_user | simple | an unnamed row compared with a row | out:\x00\x01\x00\x00\x00\x01t
SELECT (id, ssn) = (1, '123-45-6789') FROM customers WHERE id=1

-- O130 | deny | app_user | simple | a search in HAVING through an alias of a view | out:SELECT 
SELECT code FROM v_nested GROUP BY code HAVING code LIKE 'T1%'

-- O131 | mask | app_user | simple | hidden in the text of a big array | out:123-45-6789
SELECT array_to_string(array_fill(ssn, ARRAY[3]), ',') FROM customers WHERE id=1

-- O133 | mask | app_user | ext-limit | a suspended portal of a computed column | out:98-76-54-321
SELECT overlay(reverse(ssn) placing '98-76-54-321' from 1) FROM customers ORDER BY id

-- O134 | mask | app_user | simple | the plan of a function's default argument | out:123-45-6789
CREATE FUNCTION dflt(x text DEFAULT get_ssn(1)) RETURNS text LANGUAGE sql AS 'SELECT x'
-- @next
SELECT dflt()

-- O135 | mask | app_user | simple | a variadic function of one's own, in SQL | out:123-45-6789
CREATE FUNCTION lastof(VARIADIC a text[]) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT a[array_upper(a,1)]'
-- @next
SELECT lastof('x', ssn) FROM customers WHERE id=1

-- O136 | mask | app_user | simple | a polymorphic aggregate of one's own | out:123-45-6789
CREATE AGGREGATE keepall(anycompatible) (SFUNC = array_append, STYPE = anycompatiblearray, INITCOND = '{}')
-- @next
SELECT keepall(ssn) FROM customers WHERE id=1

-- O137 | mask | app_user | simple | a cast of one's own through a function | out:123-45-6789
CREATE TYPE boxed AS (v text)
-- @next
SELECT (ROW(ssn)::boxed).v FROM customers WHERE id=1

-- O138 | mask | app_user | simple | a rule on a view of one's own returns the secret | out:123-45-6789
CREATE VIEW door AS SELECT 1 AS a, 'x'::text AS b
-- @next
CREATE RULE r AS ON UPDATE TO door DO INSTEAD UPDATE customers SET notes = notes WHERE id = 1 RETURNING customers.id, customers.ssn
-- @next
UPDATE door SET a = 2 WHERE a = 1 RETURNING b

-- O139 | mask | postgres | simple | a rename moves the column away from its label, and it is computed with | out:9876-54-321
ALTER TABLE customers RENAME ssn TO note2
-- @next
SELECT reverse(note2) FROM customers WHERE id=1

-- O140 | mask | postgres | simple | a renamed column through a view made after it | out:123-45-6789
ALTER TABLE customers RENAME ssn TO note2
-- @next
CREATE VIEW renamed AS SELECT id, left(note2, 20) AS x FROM customers
-- @next
SELECT x FROM renamed WHERE id=1

-- O141 | deny | postgres | simple | a renamed column written elsewhere | dmg:SELECT EXISTS(SELECT 1 FROM guesses WHERE v='987-65-4321')
ALTER TABLE customers RENAME ssn TO note2
-- @next
INSERT INTO guesses SELECT note2 FROM customers WHERE id=2

-- O142 | mask | app_user | simple | a cursor's name is taken after CLOSE, for a computed value | out:9876-54-321
CREATE FUNCTION opener(n refcursor) RETURNS int LANGUAGE plpgsql AS $$ BEGIN OPEN n FOR SELECT reverse(ssn) FROM customers WHERE id=1; RETURN 1; END $$
-- @next
BEGIN
-- @next
DECLARE c CURSOR FOR SELECT title FROM products
-- @next
CLOSE c
-- @next
SELECT opener('c')
-- @next
FETCH ALL FROM c

-- O143 | mask | app_user | simple | a cursor's name is taken by a function that closes it itself, for a computed value | out:9876-54-321
CREATE FUNCTION opener(n refcursor) RETURNS int LANGUAGE plpgsql AS $$ BEGIN CLOSE n; OPEN n FOR SELECT reverse(ssn) FROM customers WHERE id=1; RETURN 1; END $$
-- @next
BEGIN
-- @next
DECLARE c CURSOR FOR SELECT title FROM products
-- @next
SELECT opener('c')
-- @next
FETCH ALL FROM c

-- O144 | mask | app_user | simple | a function gives the name of a prepared statement another text | out:9876-54-321
CREATE FUNCTION swap() RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DEALLOCATE p'; EXECUTE 'PREPARE p AS SELECT reverse(ssn) FROM customers WHERE id=1'; RETURN 1; END $$
-- @next
PREPARE p AS SELECT title FROM products
-- @next
SELECT swap()
-- @next
EXECUTE p

-- O146 | mask | app_user | simple | DO gives the name of a cursor another query | out:9876-54-321
BEGIN
-- @next
DECLARE c CURSOR FOR SELECT title FROM products
-- @next
DO $$ DECLARE c refcursor := 'c'; BEGIN CLOSE c; OPEN c FOR SELECT reverse(ssn) FROM customers WHERE id=1; END $$
-- @next
FETCH ALL FROM c

-- O147 | approval | app_user | simple | DO gives the name of a prepared statement an effect | dmg:SELECT count(*)=0 FROM guesses
PREPARE p AS SELECT title FROM products
-- @next
DO $$ BEGIN EXECUTE 'DEALLOCATE p'; EXECUTE 'PREPARE p AS DELETE FROM guesses'; END $$
-- @next
EXECUTE p

-- O148 | deny | app_user | simple | a lookup in a function of one's own, called for many guesses | out:SELECT 
CREATE FUNCTION isit(x text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT 1 FROM customers WHERE ssn = x)'
-- @next
SELECT g FROM generate_series(6780, 6790) g WHERE isit('123-45-' || g)

-- O149 | deny | app_user | simple | a lookup in nested functions of one's own | out:SELECT 
CREATE FUNCTION isit(x text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT 1 FROM customers WHERE ssn = x)'
-- @next
CREATE FUNCTION outer_isit(y int) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT isit('123-45-' || y) $$
-- @next
SELECT g FROM generate_series(6780, 6790) g WHERE outer_isit(g)
