package policy

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The generators draw from few words, so that rules and actions often meet.
func drawRule(t *rapid.T, name, effect string) RuleSpec {
	r := RuleSpec{Name: name, Effect: effect}
	if rapid.Bool().Draw(t, "who") {
		r.Who = &WhoSpec{Groups: drawSome(t, "groups", "engineers", "dba", "eng*"), Kinds: drawSome(t, "kinds", "person", "agent")}
		if r.Who.Groups == nil && r.Who.Kinds == nil {
			r.Who = nil
		}
	}
	r.Actions = drawSome(t, "actions", "*", "sql.*", "sql.select", "sql.delete", "session.open")
	if rapid.Bool().Draw(t, "sql") && !slices.Equal(r.Actions, []string{"session.open"}) {
		r.SQL = &SQLSpec{Effects: drawSome(t, "effects", "read", "write"), Tables: drawSome(t, "tables", "customers", "public.customers", "public.*", "*"),
			OnlyTable: drawSome(t, "only", "orders", "public.orders", "o*")}
		if r.SQL.Effects == nil && r.SQL.Tables == nil && r.SQL.OnlyTable == nil {
			r.SQL = nil
		}
	}
	r.When = rapid.SampledFrom([]string{"", "", "", "principal.name == 'alice'", "'write' in sql.effects", "connection.labels['none'] == ''"}).Draw(t, "when")
	return r
}

func drawSome(t *rapid.T, label string, words ...string) []string {
	n := rapid.IntRange(0, 2).Draw(t, "number of "+label)
	if n == 0 {
		return nil
	}
	return rapid.SliceOfNDistinct(rapid.SampledFrom(words), n, n, rapid.ID).Draw(t, label)
}

func drawPolicy(t *rapid.T, first ...RuleSpec) ([]RuleSpec, *Policy) {
	rules := first
	for i := range rapid.IntRange(0, 6).Draw(t, "rules") {
		effect := rapid.SampledFrom([]string{"allow", "allow", "deny", "require_approval"}).Draw(t, "effect")
		rules = append(rules, drawRule(t, string(rune('a'+i)), effect))
	}
	p, err := Compile([]Document{{Rules: rules}})
	if err != nil {
		t.Skip(err) // an unreachable combination: those are refused on purpose
	}
	return rules, p
}

func drawInput(t *rapid.T) *Input {
	kind := rapid.SampledFrom([]string{"select", "delete", "unknown"}).Draw(t, "kind")
	a := statement(kind, "read", drawSome(t, "has tables", "customers", "public.customers", "evil.customers", "orders", "public.orders")...)
	if kind == "delete" {
		a.SQL.Effects = []string{"read", "write"}
	}
	if kind == "unknown" || rapid.Float64().Draw(t, "dark") < 0.2 {
		a = dark(kind)
	}
	if rapid.Float64().Draw(t, "open") < 0.2 {
		a = &Action{Verb: "session.open"}
	}
	in := input(a)
	if rapid.Bool().Draw(t, "agent") {
		agent(in)
	}
	return in
}

// A deny rule put before the others never makes a verdict milder.
func TestDenyFirstNeverAllowsMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules, before := drawPolicy(t)
		first := drawRule(t, "first", "deny")
		after, err := Compile([]Document{{Rules: append([]RuleSpec{first}, rules...)}})
		if err != nil {
			t.Skip(err)
		}
		for range 5 {
			in := drawInput(t)
			b, a := before.Evaluate(in), after.Evaluate(in)
			if a.Effect > b.Effect {
				t.Fatalf("%s became %s for %+v", b.Effect, a.Effect, in.Action)
			}
		}
	})
}

// What is not understood is never allowed by rules that do not name it.
func TestUnknownIsNeverAllowedByWildcard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, p := drawPolicy(t)
		for _, a := range []*Action{dark("unknown"), dark("execute"), {Verb: "sql.function_call"}, {Verb: "sql.replication"}, {Verb: "sql.update"}} {
			if v := p.Evaluate(input(a)); v.Effect != Deny {
				t.Fatalf("%s: %+v", a.Verb, v)
			}
		}
	})
}

// Whatever a table's missing schema turns out to be, the verdict on the bare
// name was at least as strict as that on the resolved one.
func TestBareNameIsNeverMilder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules, p := drawPolicy(t)
		for _, r := range rules { // rules that ask for the bare word trust search_path
			if r.SQL != nil && (slices.ContainsFunc(r.SQL.Tables, bareWord) || slices.ContainsFunc(r.SQL.OnlyTable, bareWord)) {
				t.Skip()
			}
		}
		for _, schema := range []string{"public.", "evil."} {
			bare := p.Evaluate(input(statement("select", "read", "customers")))
			resolved := p.Evaluate(input(statement("select", "read", schema+"customers")))
			if bare.Effect > resolved.Effect {
				t.Fatalf("%s for customers, %s for %scustomers", bare.Effect, resolved.Effect, schema)
			}
		}
	})
}

func bareWord(s string) bool { return s != "*" && !slices.Contains([]byte(s), '.') }

func FuzzSplitName(f *testing.F) {
	for _, s := range []string{`a.b.c`, `"a""b".c`, `A.b`, `a..b`, `"`, `ä.ö`, `a.b"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parts, err := splitName(s)
		if err != nil {
			return
		}
		canonical := ""
		for i, p := range parts {
			if i > 0 {
				canonical += "."
			}
			canonical += QuoteName(p)
		}
		again, err := splitName(canonical)
		if err != nil || !slices.Equal(parts, again) {
			t.Fatalf("%q is %q, its canonical form %q is %q (%v)", s, parts, canonical, again, err)
		}
	})
}
