package lineage

import (
	"strings"
	"testing"
)

// TestNestingCostsNoMoreThanItsLength: each of these doubles its cost with each
// level where a node is looked at twice, which 60 levels would not end.
func TestNestingCostsNoMoreThanItsLength(t *testing.T) {
	cat := loadShop(t, "shop")
	c := connect(t, "shop", server.Superuser)
	nested := func(before, inner, after string) string {
		return strings.Repeat(before, 60) + inner + strings.Repeat(after, 60)
	}
	for _, value := range []string{
		nested("reverse(", "ssn", ")"),
		nested("coalesce(", "nullif(ssn, 'a')", ", (SELECT max(v) FROM guesses))"),
		nested("greatest(", "ssn", ", 'a')"),
		nested("(", "ssn = 'a'", " AND true)"),
		nested("CASE WHEN id > 1 THEN ", "ssn", " ELSE 'x' END"),
		nested("(SELECT ", "ssn", ")"),
		nested("(SELECT max(x) FROM (SELECT ", "ssn", " AS x) q)"),
		nested("ARRAY[", "ssn", "]::text"),
		nested("ROW(", "ssn", ")"),
		nested("full_label(ROW(1, ", "ssn", ", '', '', '', 1, '', now(), '')::customers)"),
	} {
		for _, q := range []string{"SELECT " + value + " FROM customers", "SELECT 1 FROM customers ORDER BY " + value, "SELECT count(" + value + ") FROM customers"} {
			tree, err := c.parse(q)
			if err != nil {
				t.Errorf("%.80s: %v", q, err)
				continue
			}
			f, err := cat.Analyse(tree, Return)
			if err != nil {
				continue // too deep is an answer too
			}
			counted := strings.HasPrefix(q, "SELECT count(") // how many are not NULL may be no secret
			if sources, _ := f.Sources(0); len(sources) == 0 && len(f.Inferences) == 0 && !counted {
				t.Errorf("%.80s: derives from nothing", q)
			}
		}
	}
}
