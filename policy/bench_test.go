package policy

import (
	"fmt"
	"testing"
)

// benchRules are n rules of which the last one matches.
func benchRules(n int, when string) []RuleSpec {
	rules := make([]RuleSpec, n)
	for i := range rules {
		rules[i] = RuleSpec{Name: fmt.Sprint("r", i), Effect: "allow", Who: &WhoSpec{Groups: []string{"engineers"}}, When: when}
		switch i % 4 {
		case 0:
			rules[i].Actions = []string{"sql.insert", "sql.update", "sql.delete"}
		case 1:
			rules[i].Connections = &ConnSpec{Names: []string{"prod-*"}}
		case 2:
			rules[i].SQL = &SQLSpec{Only: []string{"read"}, OnlyTable: []string{fmt.Sprintf("audit.t%d", i)}}
		case 3:
			rules[i].SQL = &SQLSpec{Kinds: []string{"drop_*", "truncate"}}
		}
	}
	rules[n-1] = RuleSpec{Name: "last", Effect: "allow", Actions: []string{"sql.select"}, When: when}
	return rules
}

func BenchmarkEvaluate(b *testing.B) {
	for _, c := range []struct {
		name  string
		rules []RuleSpec
	}{
		{"20 rules", benchRules(20, "")},
		{"100 rules", benchRules(100, "")},
		{"1 condition", []RuleSpec{{Name: "a", Effect: "allow", When: `"engineers" in principal.groups && connection.name.startsWith("demo")`}}},
		{"1 condition on facts", []RuleSpec{{Name: "a", Effect: "allow", When: `sql.tables.all(t, t.startsWith("public.")) && !sql.unbounded`}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := compile(b, c.rules...)
			in := input(statement("select", "read", "public.customers", "public.orders"))
			b.ReportAllocs()
			for b.Loop() {
				if v := p.Evaluate(in); v.Effect != Allow {
					b.Fatal(v)
				}
			}
		})
	}
}

func TestTypedRulesDoNotAllocate(t *testing.T) {
	p := compile(t, benchRules(20, "")...)
	in := input(statement("select", "read", "public.customers"))
	if n := testing.AllocsPerRun(100, func() { p.Evaluate(in) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
