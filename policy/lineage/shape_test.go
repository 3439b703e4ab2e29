package lineage

import (
	"strconv"
	"strings"
	"testing"
)

// FuzzShape: texts with the same shape are the same tree, but for constants and
// places.
func FuzzShape(f *testing.F) {
	f.Add(small, uint(100), uint(3), "7 7")
	f.Add(`({A :location 12 :b :location :c :constvalue :d x :stmt_len 4})`, uint(10), uint(1), "-3")
	f.Add(`({A :constvalue 3 [ 1 2 3 ] :b \ :constvalue :c 3 :d (:location 1)})`, uint(20), uint(3), "<>")
	f.Fuzz(func(t *testing.T, text string, at, n uint, with string) {
		i := int(at % uint(len(text)+1))
		j := i + int(n%uint(len(text)-i+1))
		other := text[:i] + with + text[j:]
		a, err := ReadTree(text)
		b, err2 := ReadTree(other)
		if err != nil || err2 != nil || string(appendShape(nil, text)) != string(appendShape(nil, other)) {
			return
		}
		if x, y := withoutValues(a.Root()), withoutValues(b.Root()); x != y {
			t.Errorf("%q and %q have one shape, but read as\n%s\n%s", text, other, x, y)
		}
	})
}

// withoutValues prints what the walk may read of a tree.
func withoutValues(n Node) string {
	var b strings.Builder
	v := n.at()
	switch v.kind {
	case datum:
		return "#"
	case token:
		switch v.name {
		case "location", "stmt_location", "stmt_len":
			if _, err := strconv.ParseInt(v.text, 10, 64); err == nil {
				return "#"
			}
		}
		return v.text
	case list, object:
		b.WriteString("(" + v.text)
		for c := n.first(); c.t != nil; c = c.following() {
			b.WriteString(" :" + c.at().name + " " + withoutValues(c))
		}
		b.WriteByte(')')
		return b.String()
	}
	return "<>"
}

// Statements that differ in constants have one shape on the real server, others
// have their own.
func TestShapes(t *testing.T) {
	loadShop(t, "shop")
	c := connect(t, "shop", "app_user")
	shape := func(sql string) string {
		tree, err := c.parse(sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return string(appendShape(nil, tree))
	}
	for _, same := range [][2]string{
		{"SELECT id, name FROM customers WHERE id = 1", "SELECT id,  name\nFROM customers WHERE id =   123456789"},
		{"SELECT name FROM customers WHERE name = 'x' LIMIT 1", "SELECT name FROM customers WHERE name = '" + strings.Repeat("long :constvalue 4 [ 1 ] ", 20) + "' LIMIT 20"},
		{"SELECT name FROM customers WHERE ssn IN ('1', '2')", "SELECT name FROM customers WHERE ssn IN ('123-45-6789', '')"},
	} {
		if a, b := shape(same[0]), shape(same[1]); a != b {
			t.Errorf("%s and %s differ:\n%s\n%s", same[0], same[1], a, b)
		}
	}
	seen := map[string]string{}
	for _, sql := range []string{
		"SELECT id, name FROM customers WHERE id = 1", "SELECT id, ssn FROM customers WHERE id = 1", "SELECT id, name FROM customers WHERE id > 1",
		`SELECT id AS ":constvalue", name FROM customers WHERE id = 1`, `SELECT id AS ":location", name FROM customers WHERE id = 1`,
		`SELECT id AS "x :location 4", name FROM customers WHERE id = 1`, `SELECT id AS "x :location 5", name FROM customers WHERE id = 1`,
		"SELECT id, name FROM customers WHERE id = NULL", "SELECT id, name FROM customers WHERE ssn = '1'", "SELECT id, name FROM customers WHERE id = '1'::bigint",
	} {
		s := shape(sql)
		if other, ok := seen[s]; ok {
			t.Errorf("%s and %s have one shape", sql, other)
		}
		seen[s] = sql
	}
}
