-- Attacks with what came after PostgreSQL 15. The first two digits of an id are the version that the entry needs. Format: see evasion.sql.

-- N1601 | mask | app_user | simple | any_value() | out:123-45-6789
SELECT any_value(ssn) FROM customers WHERE id=1

-- N1602 | mask | app_user | simple | pg_input_error_info() quotes what it could not read | out:123-45-6789
SELECT (pg_input_error_info(ssn, 'int')).message FROM customers WHERE id=1

-- N1603 | mask | app_user | simple | whether the value is valid input for a type | out:\x00\x01\x00\x00\x00\x01t
SELECT pg_input_is_valid(ssn, 'text') FROM customers WHERE id=1

-- N1604 | mask | app_user | simple | SQL/JSON constructors | out:123-45-6789
SELECT json_object('k': ssn), json_array(ssn, name), json_arrayagg(ssn) FROM customers WHERE id=1 GROUP BY ssn, name

-- N1605 | mask | app_user | simple | IS JSON tells by a value | out:\x00\x01\x00\x00\x00\x01t
SELECT ('"' || ssn || '"') IS JSON SCALAR FROM customers WHERE id=1

-- N1606 | deny | app_user | simple | EXPLAIN GENERIC_PLAN of a search | out:Filter
EXPLAIN (GENERIC_PLAN) SELECT id FROM customers WHERE ssn > $1

-- N1607 | mask | postgres | copyin | COPY FROM with a DEFAULT marker fills the secret in | out:123-45-6789
CREATE TABLE filled (v text DEFAULT get_ssn(1))
-- @next
COPY filled FROM STDIN (DEFAULT 'a')
-- @next
SELECT v FROM filled

-- N1701 | deny | app_user | simple | JSON_TABLE makes rows of a value | out:SELECT 
SELECT c.id FROM customers c, JSON_TABLE(to_jsonb(c), '$.ssn ? (@ starts with "123")' COLUMNS (x text PATH '$')) j WHERE c.id < 4

-- N1702 | mask | app_user | simple | JSON_VALUE | out:123-45-6789
SELECT JSON_VALUE(to_jsonb(c), '$.ssn') FROM customers c WHERE id=1

-- N1703 | mask | app_user | simple | JSON_EXISTS as a value | out:\x00\x01\x00\x00\x00\x01t
SELECT JSON_EXISTS(to_jsonb(c), '$.ssn ? (@ starts with "123")') FROM customers c WHERE id=1

-- N1704 | deny | app_user | simple | JSON_VALUE calls nextval() only where nothing matches | dmg:SELECT is_called FROM ticket_seq
SELECT JSON_VALUE(to_jsonb(c), '$.ssn ? (@ starts with "9")' RETURNING bigint DEFAULT nextval('ticket_seq') ON EMPTY) FROM customers c WHERE id=1

-- N1705 | mask | app_user | simple | MERGE … RETURNING | out:123-45-6789
MERGE INTO customers c USING (SELECT 1 AS id) s ON c.id = s.id WHEN MATCHED THEN UPDATE SET notes = c.notes RETURNING merge_action(), c.ssn

-- N1706 | mask | app_user | simple | MERGE … RETURNING of the other table | out:9876-54-321
MERGE INTO employees e USING customers c ON c.id = e.id AND c.id = 1 WHEN MATCHED THEN UPDATE SET notes = e.notes RETURNING reverse(c.ssn)

-- N1707 | deny | app_user | simple | MERGE WHEN NOT MATCHED BY SOURCE decides by the secret | dmg:SELECT NOT EXISTS(SELECT 1 FROM guesses WHERE v='000-00-0000')
MERGE INTO guesses g USING customers c ON c.ssn = g.v WHEN NOT MATCHED BY SOURCE THEN DELETE

-- N1708 | mask | app_user | simple | a JSON_QUERY that gives NULL or not | out:\x00\x01\xff\xff\xff\xff
SELECT JSON_QUERY(to_jsonb(c), '$.ssn ? (@ starts with "9")' RETURNING text) FROM customers c WHERE id=1

-- N1801 | mask | app_user | simple | RETURNING old | out:123-45-6789
UPDATE customers SET notes = 'x' WHERE id = 1 RETURNING old.ssn, new.name

-- N1802 | mask | postgres | simple | a virtual generated column | out:9876-54-321
ALTER TABLE customers ADD COLUMN turned text GENERATED ALWAYS AS (reverse(ssn)) VIRTUAL
-- @next
SELECT turned FROM customers WHERE id=1

-- N1803 | mask | app_user | simple | casts to bytea of numbers | out:\x07\x5b\xcd\x15
SELECT replace(ssn, '-', '')::int::bytea FROM customers WHERE id=1

-- N1804 | mask | app_user | simple | GROUP BY over an expression of the secret, kept as an entry of its own | out:9876-54-321
SELECT reverse(ssn) FROM customers WHERE id=1 GROUP BY reverse(ssn), 1

-- N1805 | mask | app_user | simple | casefold, reverse of bytea, crc | out:3231
SELECT casefold(ssn), reverse(ssn::bytea), crc32(ssn::bytea) FROM customers WHERE id=1
