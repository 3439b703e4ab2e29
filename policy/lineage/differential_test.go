package lineage

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestDifferential compares lineage with the truth. The same query runs on
// databases that differ in their secrets only; a column that differs derives
// from a secret.
func TestDifferential(t *testing.T) {
	admin := connect(t, "postgres", server.Superuser)
	var worlds []*client
	for i, change := range []*strings.Replacer{
		strings.NewReplacer(),
		strings.NewReplacer("123-45-6789", "904-71-3382", "987-65-4321", "118-20-5563", "555-12-3456", "730-99-1204", "111-22-3333", "666-01-7450",
			"4111111111111111", "5222222222222220", "5500005555555559", "6799990100000019", "340000000000009", "371449635398431",
			"6011000000000004", "6011000990139424", "'737'", "'104'", "'842'", "'655'"),
		strings.NewReplacer("123-45-6789", "b", "987-65-4321", "x-longer-value-with-words", "555-12-3456", "Carol", "111-22-3333", "0",
			"4111111111111111", "7", "5500005555555559", "abc-999-zzz", "340000000000009", "12", "6011000000000004", "00",
			"'737'", "'9'", "'842'", "'77777'"),
		// Secrets that equal what other columns hold, so that comparisons turn.
		strings.NewReplacer("123-45-6789", "Alice Adams", "987-65-4321", "late", "555-12-3456", "3", "111-22-3333", "olga@example.com",
			"4111111111111111", "active", "5500005555555559", "bob@example.com", "340000000000009", "", "6011000000000004", "Old Olga",
			"'737'", "'vip'", "'842'", "'2'"),
		strings.NewReplacer("123-45-6789", "vip", "987-65-4321", "22", "555-12-3456", "zz", "111-22-3333", "90",
			"4111111111111111", "vip", "5500005555555559", "987-65-4321", "340000000000009", "Carol Clark", "6011000000000004", "zzz",
			"'737'", "'alice@example.com'", "'842'", "'zz'"),
	} {
		worlds = append(worlds, changedShop(t, admin, fmt.Sprintf("world%d", i), change))
	}
	cat := loadShop(t, "world0")
	g := &generator{rand: rand.New(rand.NewSource(41))}
	var columns, derived, missed, over, failed int
	const queries = 1000
	for n := range queries {
		g.traps = n%2 == 1
		q := g.query()
		f := analyse(t, cat, worlds[0], q, Return)
		outs, ok := compare(worlds, q)
		if !ok {
			failed++
			continue
		}
		for i, changed := range outs {
			columns++
			sources, _ := f.Sources(i)
			told := len(sources) > 0 || len(f.Inferences) > 0
			switch {
			case changed && !told:
				missed++
				t.Errorf("column %d changes with the secret and is not derived: %s", i+1, q)
			case g.traps:
			case changed:
				derived++
			case told && len(f.Inferences) == 0:
				over++
			}
		}
	}
	rate := float64(over) / float64(derived+over)
	t.Logf("%d queries, %d fail by value, %d columns: %d derived, %d missed, %d reported too many (%.1f %%)",
		queries, failed, columns, derived, missed, over, 100*rate)
	if rate > 0.1 {
		t.Errorf("over-approximation is %.1f %%", 100*rate)
	}
	if failed > queries/10 || queries-failed < 500 {
		t.Errorf("%d of %d queries say nothing", failed, queries)
	}
}

func changedShop(t *testing.T, admin *client, name string, change *strings.Replacer) *client {
	t.Helper()
	schema, err := os.ReadFile("../../testdata/evasion/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.conn.Exec(context.Background(), "create database "+name).ReadAll(); err != nil {
		t.Fatal(err)
	}
	sql := change.Replace(string(schema)) + `
create table notes (id int, secret text, shown text generated always as ('n' || id) stored, told text generated always as (upper(secret)) stored);
insert into notes(id, secret) select id, ssn from customers where id < 10;
update customers set created_at = '2026-01-01'; update orders set created_at = '2026-01-01'; refresh materialized view mv_customers`
	if _, err := server.Exec(context.Background(), name, sql); err != nil {
		t.Fatal(err)
	}
	return connect(t, name, server.Superuser)
}

// compare reports for each column whether its values differ between worlds,
// whatever the order of rows; false where the query fails in some of them.
func compare(worlds []*client, query string) ([]bool, bool) {
	var first [][]string
	var changed []bool
	for i, w := range worlds {
		results, err := w.conn.Exec(context.Background(), query).ReadAll()
		if err != nil {
			return nil, false
		}
		columns := make([][]string, len(results[0].FieldDescriptions))
		for _, row := range results[0].Rows {
			for at := range row {
				columns[at] = append(columns[at], fmt.Sprintf("%t %s", row[at] == nil, row[at]))
			}
		}
		for at := range columns {
			slices.Sort(columns[at])
		}
		if i == 0 {
			first, changed = columns, make([]bool, len(columns))
			continue
		}
		for at := range columns {
			changed[at] = changed[at] || !slices.Equal(first[at], columns[at])
		}
	}
	return changed, true
}

// generator writes queries. Every column that it takes is text.
type generator struct {
	rand *rand.Rand
	// traps has it write what makes little of a value show, such as whether it
	// is NULL: most of it shows nothing in any world, so that only misses count.
	traps bool
}

func (g *generator) pick(of ...string) string { return of[g.rand.Intn(len(of))] }

// from gives a FROM clause and the columns that may be taken from it.
func (g *generator) from() (clause string, columns []string) {
	customers := []string{"c.name", "c.ssn", "c.email", "c.card_number", "c.status", "c.notes", "c.id::text"}
	switch g.rand.Intn(17) {
	case 0:
		return "customers c", customers
	case 1:
		return "(SELECT * FROM customers) c", customers
	case 2:
		return "(SELECT id, ssn AS name, name AS ssn, email, notes AS card_number, card_number AS notes, status FROM customers) c", customers
	case 3:
		return "v_customers c", []string{"c.name", "c.tax_id", "c.id::text", "c.balance::text"}
	case 4:
		return "v_nested c", []string{"c.code", "c.id::text"}
	case 5:
		return "mv_customers c", []string{"c.name", "c.loyalty_no", "c.id::text"}
	case 6:
		return "customers c JOIN orders o ON o.customer_id = c.id", append(customers, "o.status", "o.qty::text")
	case 7:
		return "customers c LEFT JOIN payments p ON p.customer_id = c.id", append(customers, "p.card_pan", "p.cvv", "p.amount::text")
	case 8:
		return "customers c, LATERAL (SELECT c.ssn || c.name, c.status) l(x, y)", append(customers, "l.x", "l.y")
	case 9:
		return "customers c, LATERAL (VALUES (c.name, 'v'), ('w', c.card_number)) l(x, y)", append(customers, "l.x", "l.y")
	case 10:
		return "search_customers('%') c", customers
	case 11:
		return "(SELECT name AS x, ssn AS y FROM customers UNION ALL SELECT title, id::text FROM products) c", []string{"c.x", "c.y"}
	case 12:
		return "(SELECT status AS x, max(ssn) AS y, string_agg(name, ',' ORDER BY id) AS z FROM customers GROUP BY status) c", []string{"c.x", "c.y", "c.z"}
	case 13:
		return "(SELECT name AS x, lag(ssn) OVER (ORDER BY id) AS y, count(*) OVER () AS z FROM customers) c", []string{"c.x", "c.y", "c.z::text"}
	case 14:
		return "(WITH RECURSIVE r(n, a, b) AS (SELECT 1, name, ''::text FROM customers WHERE id = 1 UNION ALL " +
			"SELECT n + 1, b, (SELECT ssn FROM customers WHERE id = 2) FROM r WHERE n < 4) SELECT n::text AS n, a, b FROM r) c", []string{"c.n", "c.a", "c.b"}
	case 15:
		return "notes c", []string{"c.id::text", "c.shown"}
	}
	return "customers_archive c", customers
}

// value wraps a column in what SQL has.
func (g *generator) value(columns []string, depth int) string {
	if depth == 0 {
		return g.pick(columns...)
	}
	a := g.value(columns, depth-1)
	b := g.pick(columns...)
	kinds := 32
	if g.traps {
		kinds = 40
	}
	switch g.rand.Intn(kinds) {
	case 0:
		return "upper(" + a + ")"
	case 1:
		return "reverse(" + a + ")"
	case 2:
		return "(" + a + " || " + b + ")"
	case 3:
		return "md5(" + a + ")"
	case 4:
		return "length(" + a + ")::text"
	case 5:
		return "encode(convert_to(" + a + ", 'UTF8'), 'hex')"
	case 6:
		return "coalesce(" + a + ", 'none')"
	case 7:
		return "format('<%s>', " + a + ")"
	case 8:
		return "(ARRAY[" + a + ", " + b + "])[1 + length(coalesce(" + g.pick("'a'", b) + ", '')) % 2]"
	case 9:
		return "(SELECT " + a + ")"
	case 10:
		return "jsonb_build_object('k', " + a + ")::text"
	case 11:
		return "(ROW(" + a + ", " + b + "))::text"
	case 12:
		return "regexp_replace(" + a + ", '[0-4]', '#', 'g')"
	case 13:
		return "(SELECT string_agg(ch, '-') FROM unnest(string_to_array('q' || " + g.pick("c.id", "7") + ", NULL)) ch)"
	case 14:
		return "to_json(" + a + ")::text"
	case 15:
		return "greatest(" + a + ", 'a')"
	case 16:
		return "(" + b + " IS NULL)::text"
	case 17:
		return "CASE WHEN c.id IS NOT NULL THEN " + a + " ELSE 'x' END"
	case 18:
		return "(" + a + g.pick(" = ", " < ", " >= ") + b + ")::text"
	case 19:
		return "(SELECT count(*)::text FROM products p2 WHERE p2.title <> coalesce(c.id::text, ''))"
	case 20:
		return "translate(" + a + ", '0123456789', 'abcdefghij')"
	case 21:
		return "(SELECT x.v FROM (SELECT " + a + " AS v, 1 AS o UNION ALL SELECT 'z', 2) x ORDER BY o LIMIT 1)"
	case 22:
		return "substr(" + a + ", 2, 40)"
	case 23:
		return "max(" + b + ") OVER ()"
	case 24:
		return "(count(" + b + ") OVER ())::text"
	case 25:
		return "concat_ws('-', " + a + ", " + b + ")"
	case 26:
		return "split_part(" + a + ", '-', 2)"
	case 27:
		return "(to_jsonb(ARRAY[" + a + "]) ->> 0)"
	case 28:
		return "encode(sha256(convert_to(coalesce(" + a + ", ''), 'UTF8')), 'base64')"
	case 29:
		return "(xpath('//text()', xmlelement(name x, " + a + ")))[1]::text"
	case 30:
		return "first_value(" + b + ") OVER (ORDER BY " + g.pick("1", "2") + ")"
	case 32:
		return "nullif(" + a + ", " + b + ")"
	case 33:
		return "(nullif(left(" + a + ", 1), '1') IS NULL)::text"
	case 34:
		return "(SELECT x IS NULL FROM (SELECT substring(" + a + " from '^[1-5a-m]') AS x) q)::text"
	case 35:
		return "(SELECT count(x)::text FROM (SELECT nullif(right(" + a + ", 1), '9') AS x) q)"
	case 36:
		return "coalesce(nullif(" + a + ", 'vip'), 'none')"
	case 37:
		return "(" + a + g.pick(" LIKE '%9%'", " ~ '[aeiou7]'", " IS DISTINCT FROM 'vip'") + ")::text"
	case 38:
		return "num_nonnulls(" + a + ", nullif(" + b + ", 'vip'))::text"
	case 39:
		return "(SELECT v FROM (VALUES (" + b + "), ('z')) q(v) LIMIT 1)"
	}
	return "quote_literal(" + a + ")"
}

func (g *generator) query() string {
	from, columns := g.from()
	hasID := strings.Contains(strings.Join(columns, " "), "c.id")
	var targets []string
	for range 1 + g.rand.Intn(4) {
		v := g.value(columns, g.rand.Intn(4))
		for !hasID && strings.Contains(v, "c.id") {
			v = g.value(columns, g.rand.Intn(3))
		}
		targets = append(targets, v)
	}
	q := "SELECT " + strings.Join(targets, ", ") + " FROM " + from
	switch g.rand.Intn(8) {
	case 0:
		if hasID {
			q += " WHERE c.id < 120"
		}
	case 1:
		q = "WITH q AS MATERIALIZED (" + q + ") TABLE q"
	case 2:
		q = "SELECT * FROM (" + rename(q, targets) + ") s"
	case 3:
		if hasID {
			q += " WHERE c.id IN (SELECT customer_id FROM orders)"
		}
	}
	return q
}

// rename gives the targets of a query names of their own.
func rename(q string, targets []string) string {
	named := make([]string, len(targets))
	for i, v := range targets {
		named[i] = fmt.Sprintf("%s AS x%d", v, i)
	}
	return strings.Replace(q, strings.Join(targets, ", "), strings.Join(named, ", "), 1)
}
