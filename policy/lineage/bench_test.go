package lineage

import (
	"fmt"
	"strings"
	"testing"
)

// benchmarks are statements of the sizes that people send.
var benchmarks = []struct{ name, sql string }{
	{"lookup", "SELECT id, name, ssn FROM customers WHERE id = $1"},
	{"view", "SELECT v.code, o.qty, p.title FROM v_nested v JOIN orders o ON o.customer_id = v.id JOIN products p ON p.id = o.product_id WHERE o.status = 'open'"},
	{"report", `WITH spent AS (SELECT o.customer_id, sum(o.qty * p.price) AS total, count(*) AS orders
 FROM orders o JOIN products p ON p.id = o.product_id WHERE o.status <> 'void' GROUP BY o.customer_id),
 ranked AS (SELECT c.id, c.name, upper(c.ssn) AS ssn, s.total, rank() OVER (PARTITION BY c.status ORDER BY s.total DESC) AS place
 FROM customers c LEFT JOIN spent s ON s.customer_id = c.id)
 SELECT r.id, r.name, r.ssn, coalesce(r.total, 0), r.place, CASE WHEN r.total > 100 THEN 'gold' WHEN r.total > 10 THEN 'silver' ELSE 'none' END,
 (SELECT string_agg(pay.card_pan, ',') FROM payments pay WHERE pay.customer_id = r.id), EXISTS (SELECT FROM orders o WHERE o.customer_id = r.id)
 FROM ranked r WHERE r.place <= 10 AND r.name IS NOT NULL ORDER BY r.place, r.name LIMIT 50`},
	{"insert1000", "INSERT INTO products (id, title, price) VALUES " + strings.TrimSuffix(strings.Repeat("(1, 'lamp', 19.90),", 1000), ",")},
}

func BenchmarkAnalyse(b *testing.B) {
	cat := loadShop(b, "shop")
	c := connect(b, "shop", "app_user")
	for _, bench := range benchmarks {
		tree, err := c.parse(bench.sql)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("read/%s", bench.name), func(b *testing.B) {
			b.SetBytes(int64(len(tree)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ReadTree(tree); err != nil {
					b.Fatal(err)
				}
			}
		})
		forgetful := *cat
		for name, of := range map[string]func() *Catalog{
			"shape":  func() *Catalog { return cat },
			"follow": func() *Catalog { forgetful.shapes = &shapes{}; return &forgetful },
		} {
			b.Run(fmt.Sprintf("%s/%s", name, bench.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f, err := of().Analyse(tree, Return)
					if err != nil {
						b.Fatal(err)
					}
					f.Judge(Rules{})
				}
			})
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		loadShop(b, "shop")
	}
}
