package sql

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

const pgbench = "SELECT abalance FROM pgbench_accounts WHERE aid = %d;"

func BenchmarkStatements(b *testing.B) {
	ctx := context.Background()
	b.Run("same text", func(b *testing.B) {
		text := "SELECT abalance FROM pgbench_accounts WHERE aid = $1;"
		analyseText(b, text)
		b.ReportAllocs()
		for b.Loop() {
			if shared().Statements(ctx, text)[0].Facts.Unknown {
				b.Fatal("unknown")
			}
		}
	})
	b.Run("same shape", func(b *testing.B) {
		texts := make([]string, 100_000)
		for i := range texts {
			texts[i] = fmt.Sprintf(pgbench, i)
		}
		analyseText(b, texts[0])
		i := 0
		b.ReportAllocs()
		for b.Loop() {
			i++
			if shared().Statements(ctx, texts[i%len(texts)])[0].Facts.Unknown {
				b.Fatal("unknown")
			}
		}
	})
	b.Run("same shape, 1000 rows, 40 kB", func(b *testing.B) {
		rows := strings.Repeat(",(12345, 'a name of some length', 17.5)", 999)
		texts := []string{"INSERT INTO t VALUES (1, 'x', 1.5)" + rows, "INSERT INTO t VALUES (2, 'y', 2.5)" + rows, "INSERT INTO t VALUES (3, 'y', 2.5)" + rows}
		for _, text := range texts {
			analyseText(b, text)
		}
		i := 0
		for b.Loop() {
			i++
			shape, _, _ := appendShape(nil, texts[i%3])
			if _, ok := shared().shapes.getBytes(shape); !ok {
				b.Fatal("not kept")
			}
		}
	})
}

// BenchmarkMiss is the way through the worker, without the caches.
func BenchmarkMiss(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"1 line", "SELECT abalance FROM pgbench_accounts WHERE aid = 1"},
		{"40 lines", "SELECT " + strings.Repeat("a.x, b.y, coalesce(c.z, 0) AS z,\n", 25) + "1 FROM a\n" + strings.Repeat("JOIN t USING (id)\n", 13) + "WHERE a.x > 5 AND b.y IN (SELECT y FROM c)"},
		{"insert of 1000 rows, 40 kB", "INSERT INTO t VALUES (1, 'x', 1.5)" + strings.Repeat(",(12345, 'a name of some length', 17.5)", 999)},
	} {
		b.Run(c.name, func(b *testing.B) {
			analyseText(b, "SELECT 1")
			for b.Loop() {
				if s, _, err := shared().ask(context.Background(), c.text); err != nil || s[0].Facts.Unknown {
					b.Fatal(err, s)
				}
			}
		})
	}
}
