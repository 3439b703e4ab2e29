package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var monday = time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC) // 09:30 in Berlin

func alice() *Principal {
	return &Principal{ID: "https://issuer|1", Name: "alice", Email: "alice@example.com", Kind: Person, Groups: []string{"staff", "engineers"}}
}

func demo() *Connection {
	return &Connection{Name: "demo-pg", Protocol: "postgres", Labels: map[string]string{"env": "demo"}}
}

func statement(kind, effects string, tables ...string) *Action {
	return &Action{Verb: "sql." + kind, Text: kind, SQL: &SQL{Kind: kind, Effects: strings.Fields(effects), Reads: tables, Tables: tables}}
}

func dark(kind string) *Action {
	return &Action{Verb: "sql." + kind, Text: "?", SQL: &SQL{Kind: kind, Unknown: true, Why: "it does not parse"}}
}

func input(a *Action) *Input {
	p := alice()
	return &Input{Principal: p, Chain: Chain{{ID: p.ID, Name: p.Name, Kind: p.Kind}}, Connection: demo(), Action: a, Now: monday}
}

func compile(t testing.TB, rules ...RuleSpec) *Policy {
	t.Helper()
	for i := range rules {
		if rules[i].Name == "" {
			rules[i].Name = fmt.Sprintf("r%d", i)
		}
	}
	p, err := Compile([]Document{{Rules: rules}})
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	return p
}

func allow(r RuleSpec) RuleSpec { r.Effect = "allow"; return r }
func deny(r RuleSpec) RuleSpec  { r.Effect = "deny"; return r }
func ask(r RuleSpec) RuleSpec   { r.Effect = "require_approval"; return r }

func pointer[T any](v T) *T { return &v }

func agent(in *Input) *Input {
	in.Chain = append(in.Chain, Actor{ID: "a", Name: "claude", Kind: Agent})
	return in
}

func TestEvaluate(t *testing.T) {
	tables := func(names ...string) *SQLSpec { return &SQLSpec{Tables: names} }
	only := func(names ...string) *SQLSpec { return &SQLSpec{OnlyTable: names} }
	for _, c := range []struct {
		name  string
		rules []RuleSpec
		in    *Input
		want  string // effect and deciding rule
	}{
		{"nothing matches", nil, input(statement("select", "read")), "deny "},
		{"first match wins", []RuleSpec{deny(RuleSpec{Actions: []string{"sql.delete"}}), allow(RuleSpec{Actions: []string{"sql.*"}})}, input(statement("select", "read")), "allow r1"},
		{"written order", []RuleSpec{allow(RuleSpec{Actions: []string{"sql.*"}}), deny(RuleSpec{Actions: []string{"sql.delete"}})}, input(statement("delete", "write")), "allow r0"},
		{"group", []RuleSpec{allow(RuleSpec{Who: &WhoSpec{Groups: []string{"engineers"}}})}, input(statement("select", "read")), "allow r0"},
		{"other group", []RuleSpec{allow(RuleSpec{Who: &WhoSpec{Groups: []string{"dba*"}}})}, input(statement("select", "read")), "deny "},
		{"group prefix", []RuleSpec{allow(RuleSpec{Who: &WhoSpec{Groups: []string{"eng*"}}})}, input(statement("select", "read")), "allow r0"},
		{"group and name", []RuleSpec{allow(RuleSpec{Who: &WhoSpec{Groups: []string{"engineers"}, Names: []string{"bob"}}})}, input(statement("select", "read")), "deny "},
		{"name", []RuleSpec{allow(RuleSpec{Who: &WhoSpec{Names: []string{"alice"}}})}, input(statement("select", "read")), "allow r0"},
		{"persons", []RuleSpec{allow(RuleSpec{Who: &WhoSpec{Kinds: []string{"person"}}})}, input(statement("select", "read")), "allow r0"},
		{"persons, not their agents", []RuleSpec{allow(RuleSpec{Who: &WhoSpec{Kinds: []string{"person"}}})}, agent(input(statement("select", "read"))), "deny "},
		{"persons and their agents", []RuleSpec{allow(RuleSpec{Who: &WhoSpec{Kinds: []string{"person", "agent"}}})}, agent(input(statement("select", "read"))), "allow r0"},
		{"agents are denied", []RuleSpec{deny(RuleSpec{Who: &WhoSpec{Kinds: []string{"agent"}}}), allow(RuleSpec{})}, agent(input(statement("select", "read"))), "deny r0"},
		{"no agent, no denial", []RuleSpec{deny(RuleSpec{Who: &WhoSpec{Kinds: []string{"agent"}}}), allow(RuleSpec{})}, input(statement("select", "read")), "allow r1"},
		{"connection", []RuleSpec{allow(RuleSpec{Connections: &ConnSpec{Names: []string{"demo-*"}}})}, input(statement("select", "read")), "allow r0"},
		{"other connection", []RuleSpec{allow(RuleSpec{Connections: &ConnSpec{Names: []string{"demo"}}})}, input(statement("select", "read")), "deny "},
		{"protocol", []RuleSpec{allow(RuleSpec{Connections: &ConnSpec{Protocols: []string{"ssh"}}})}, input(statement("select", "read")), "deny "},
		{"label", []RuleSpec{allow(RuleSpec{Connections: &ConnSpec{Labels: map[string]string{"env": "de*"}}})}, input(statement("select", "read")), "allow r0"},
		{"label missing", []RuleSpec{allow(RuleSpec{Connections: &ConnSpec{Labels: map[string]string{"env": "demo", "tier": "*"}}})}, input(statement("select", "read")), "deny "},
		{"session.open without actions", []RuleSpec{allow(RuleSpec{})}, input(&Action{Verb: "session.open", Text: "demo"}), "allow r0"},
		{"sql matcher and session.open", []RuleSpec{allow(RuleSpec{SQL: &SQLSpec{Unbounded: pointer(false)}})}, input(&Action{Verb: "session.open"}), "deny "},
		{"kinds", []RuleSpec{deny(RuleSpec{SQL: &SQLSpec{Kinds: []string{"create_*", "drop_*"}}}), allow(RuleSpec{})}, input(statement("drop_table", "ddl", "a")), "deny r0"},
		{"some effect", []RuleSpec{deny(RuleSpec{SQL: &SQLSpec{Effects: []string{"write"}}}), allow(RuleSpec{})}, input(statement("update", "read write", "a")), "deny r0"},
		{"only effects", []RuleSpec{allow(RuleSpec{SQL: &SQLSpec{Only: []string{"read"}}})}, input(statement("select", "read code", "a")), "deny "},
		{"no effect is no proof", []RuleSpec{allow(RuleSpec{SQL: &SQLSpec{Only: []string{"read"}}})}, input(statement("select", "")), "deny "},
		{"unbounded", []RuleSpec{ask(RuleSpec{SQL: &SQLSpec{Unbounded: pointer(true)}}), allow(RuleSpec{})},
			input(&Action{Verb: "sql.delete", SQL: &SQL{Kind: "delete", Effects: []string{"write"}, Unbounded: true}}), "require_approval r0"},
		{"function", []RuleSpec{deny(RuleSpec{SQL: &SQLSpec{Functions: []string{"pg_sleep"}}}), allow(RuleSpec{})},
			input(&Action{Verb: "sql.select", SQL: &SQL{Kind: "select", Effects: []string{"read"}, Functions: []string{"pg_catalog.pg_sleep"}}}), "deny r0"},

		{"deny of a table", []RuleSpec{deny(RuleSpec{SQL: tables("public.customers")}), allow(RuleSpec{})}, input(statement("select", "read", "public.customers")), "deny r0"},
		{"deny of a table without schema", []RuleSpec{deny(RuleSpec{SQL: tables("public.customers")}), allow(RuleSpec{})}, input(statement("select", "read", "customers")), "deny r0"},
		{"deny without schema, table with one", []RuleSpec{deny(RuleSpec{SQL: tables("customers")}), allow(RuleSpec{})}, input(statement("select", "read", "public.customers")), "deny r0"},
		{"deny of another schema's table", []RuleSpec{deny(RuleSpec{SQL: tables("public.customers")}), allow(RuleSpec{})}, input(statement("select", "read", "sales.customers")), "allow r1"},
		{"deny by quoted name", []RuleSpec{deny(RuleSpec{SQL: tables(`public."Order"`)}), allow(RuleSpec{})}, input(statement("select", "read", `public."Order"`)), "deny r0"},
		{"a bare pattern is folded", []RuleSpec{deny(RuleSpec{SQL: tables("Public.Customers")}), allow(RuleSpec{})}, input(statement("select", "read", "public.customers")), "deny r0"},
		{"a dot in a quoted name", []RuleSpec{deny(RuleSpec{SQL: tables("a.b")}), allow(RuleSpec{})}, input(statement("select", "read", `"a.b"`)), "allow r1"},
		{"only tables", []RuleSpec{allow(RuleSpec{SQL: only("public.orders", "public.items")})}, input(statement("select", "read", "public.items", "public.orders")), "allow r0"},
		{"only tables and one more", []RuleSpec{allow(RuleSpec{SQL: only("public.orders")})}, input(statement("select", "read", "public.customers", "public.orders")), "deny "},
		{"only tables is not fooled by a schema", []RuleSpec{allow(RuleSpec{SQL: only("customers")})}, input(statement("select", "read", "evil.customers")), "deny "},
		{"only tables and search_path", []RuleSpec{allow(RuleSpec{SQL: only("public.customers")})}, input(statement("select", "read", "customers")), "deny "},
		{"only tables, both without schema", []RuleSpec{allow(RuleSpec{SQL: only("cust*")})}, input(statement("select", "read", "customers")), "allow r0"},
		{"a schema's tables", []RuleSpec{allow(RuleSpec{SQL: only("public.*")})}, input(statement("select", "read", "public.customers")), "allow r0"},
		{"a schema's tables, no schema", []RuleSpec{allow(RuleSpec{SQL: only("public.*")})}, input(statement("select", "read", "customers")), "deny "},
		{"only tables and none", []RuleSpec{allow(RuleSpec{SQL: only("public.*")})}, input(statement("select", "read")), "allow r0"},
		{"approval that may match, then allow", []RuleSpec{ask(RuleSpec{SQL: tables("public.customers")}), allow(RuleSpec{})}, input(statement("select", "read", "customers")), "require_approval r0"},
		{"approval that may match, then deny", []RuleSpec{ask(RuleSpec{SQL: tables("public.customers")}), deny(RuleSpec{})}, input(statement("select", "read", "customers")), "deny r1"},
		{"approval that may match, then nothing", []RuleSpec{ask(RuleSpec{SQL: tables("public.customers")})}, input(statement("select", "read", "customers")), "deny "},

		{"wildcards and the unknown", []RuleSpec{allow(RuleSpec{Actions: []string{"*"}}), allow(RuleSpec{Actions: []string{"sql.*"}}), allow(RuleSpec{})}, input(dark("unknown")), "deny "},
		{"unknown by name", []RuleSpec{allow(RuleSpec{Actions: []string{"sql.unknown"}})}, input(dark("unknown")), "allow r0"},
		{"unknown by matcher", []RuleSpec{allow(RuleSpec{SQL: &SQLSpec{Unknown: pointer(true)}})}, input(dark("execute")), "allow r0"},
		{"unknown of a known kind by name", []RuleSpec{allow(RuleSpec{Actions: []string{"sql.execute"}})}, input(dark("execute")), "allow r0"},
		{"unknown and a kind", []RuleSpec{allow(RuleSpec{SQL: &SQLSpec{Kinds: []string{"execute"}}})}, input(dark("execute")), "deny "},
		{"unknown: false", []RuleSpec{allow(RuleSpec{SQL: &SQLSpec{Unknown: pointer(false)}})}, input(dark("execute")), "deny "},
		{"a deny reaches the unknown", []RuleSpec{deny(RuleSpec{SQL: tables("public.customers")}), allow(RuleSpec{SQL: &SQLSpec{Unknown: pointer(true)}})}, input(dark("unknown")), "deny r0"},
		{"a deny of another kind does not", []RuleSpec{deny(RuleSpec{SQL: &SQLSpec{Kinds: []string{"drop_*"}}}), allow(RuleSpec{SQL: &SQLSpec{Unknown: pointer(true)}})}, input(dark("execute")), "allow r1"},
		{"function call", []RuleSpec{allow(RuleSpec{Actions: []string{"sql.*"}})}, input(&Action{Verb: "sql.function_call"}), "deny "},
		{"function call by name", []RuleSpec{allow(RuleSpec{Actions: []string{"sql.function_call"}})}, input(&Action{Verb: "sql.function_call"}), "allow r0"},
		{"a verb of SQL without facts", []RuleSpec{allow(RuleSpec{})}, input(&Action{Verb: "sql.select"}), "deny "},

		{"condition", []RuleSpec{allow(RuleSpec{When: `"engineers" in principal.groups && connection.labels["env"] == "demo"`})}, input(statement("select", "read")), "allow r0"},
		{"condition on facts", []RuleSpec{deny(RuleSpec{When: `sql.tables.exists(t, t.endsWith("customers"))`}), allow(RuleSpec{})}, input(statement("select", "read", "public.customers")), "deny r0"},
		{"condition on the chain", []RuleSpec{deny(RuleSpec{When: `chain.exists(a, a.kind == "agent" && a.name == "claude")`}), allow(RuleSpec{})}, agent(input(statement("select", "read"))), "deny r0"},
		{"office hours", []RuleSpec{allow(RuleSpec{When: `now.getHours("Europe/Berlin") >= 9 && now.getDayOfWeek("Europe/Berlin") in [1, 2, 3, 4, 5]`})}, input(statement("select", "read")), "allow r0"},
		{"out of hours", []RuleSpec{allow(RuleSpec{When: `now.getHours("Europe/London") >= 9`})}, input(statement("select", "read")), "deny "},
		{"a missing label denies", []RuleSpec{allow(RuleSpec{When: `connection.labels["tier"] == "1"`}), allow(RuleSpec{})}, input(statement("select", "read")), "deny r0"},
		{"a missing label denies where the rule may match", []RuleSpec{allow(RuleSpec{SQL: tables("public.customers"), When: `connection.labels["tier"] == "1"`}), allow(RuleSpec{})},
			input(statement("select", "read", "customers")), "deny r0"},
		{"a guarded label", []RuleSpec{allow(RuleSpec{When: `"tier" in connection.labels && connection.labels["tier"] == "1"`}), allow(RuleSpec{})}, input(statement("select", "read")), "allow r1"},
		{"division by nothing denies", []RuleSpec{allow(RuleSpec{When: `1 / size(sql.tables) == 0`})}, input(statement("select", "read")), "deny r0"},
		{"no condition on sql allows what is not sql", []RuleSpec{allow(RuleSpec{When: `!sql.unbounded`})}, input(&Action{Verb: "session.open"}), "deny "},
		{"a condition on sql leaves sessions alone", []RuleSpec{deny(RuleSpec{When: `sql.unbounded`}), allow(RuleSpec{})}, input(&Action{Verb: "session.open"}), "allow r1"},
		{"a condition on facts of the unknown denies", []RuleSpec{deny(RuleSpec{When: `"public.customers" in sql.tables`}), allow(RuleSpec{Actions: []string{"sql.unknown"}})}, input(dark("unknown")), "deny r0"},
		{"a condition on unknown itself", []RuleSpec{allow(RuleSpec{Actions: []string{"sql.unknown"}, When: `sql.unknown && principal.name == "alice"`})}, input(dark("unknown")), "allow r0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := compile(t, c.rules...)
			v := p.Evaluate(c.in)
			if got := v.Effect.String() + " " + v.Rule; got != c.want {
				t.Errorf("got %q, want %q (%s)\n%+v", got, c.want, v.Reason, p.Explain(c.in))
			}
			if v.Policy != p.Digest() || len(v.Policy) != 64 {
				t.Errorf("policy digest %q", v.Policy)
			}
			if v.Rule == "" && (v.Reason == "" || v.Hint == "") {
				t.Errorf("a denial without reason or hint: %+v", v)
			}
		})
	}
}

func TestNothingDenies(t *testing.T) {
	var none *Policy
	for _, p := range []*Policy{none, {}} {
		if v := p.Evaluate(input(statement("select", "read"))); v.Effect != Deny {
			t.Errorf("%+v", v)
		}
	}
	p := compile(t, allow(RuleSpec{}))
	for _, in := range []*Input{nil, {}, {Action: statement("select", "read")}, {Action: statement("select", "read"), Principal: alice()}} {
		if v := p.Evaluate(in); v.Effect != Deny {
			t.Errorf("%+v: %+v", in, v)
		}
	}
}

func TestVerdictCarriesTheRule(t *testing.T) {
	p := compile(t, allow(RuleSpec{Name: "read", Reason: "because", Hint: "so", Unmask: []string{"pii.*"}}))
	got := p.Evaluate(input(statement("select", "read")))
	want := Verdict{Effect: Allow, Rule: "read", Reason: "because", Hint: "so", Unmask: []string{"pii.*"}, Policy: p.Digest()}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestHintNamesTheNearestRule(t *testing.T) {
	p := compile(t, allow(RuleSpec{Name: "orders", SQL: &SQLSpec{OnlyTable: []string{"public.orders"}}}))
	v := p.Evaluate(input(statement("select", "read", "orders")))
	if want := `rule "orders" would cover it, but: orders may or may not be public.orders: the statement, or the rule, must name the schema`; v.Hint != want {
		t.Errorf("hint %q", v.Hint)
	}
	p = compile(t, allow(RuleSpec{Name: "all"}))
	v = p.Evaluate(input(dark("execute")))
	if !strings.Contains(v.Reason, "it does not parse") || !strings.Contains(v.Hint, "actions: [sql.execute] or sql: {unknown: true}") {
		t.Errorf("%+v", v)
	}
}

func TestExplain(t *testing.T) {
	p := compile(t,
		deny(RuleSpec{Name: "dba", Who: &WhoSpec{Groups: []string{"dba"}}}),
		allow(RuleSpec{Name: "cel", When: `principal.name == "bob"`}),
		ask(RuleSpec{Name: "customers", SQL: &SQLSpec{Tables: []string{"public.customers"}}}),
		allow(RuleSpec{Name: "all"}))
	got := p.Explain(input(statement("select", "read", "customers")))
	want := []Step{
		{Rule: "dba", Effect: Deny, Match: "no", Matcher: "who.groups", Why: "wants dba, has staff, engineers"},
		{Rule: "cel", Effect: Allow, Match: "no", Matcher: "when", Why: `false: principal.name == "bob"`},
		{Rule: "customers", Effect: RequireApproval, Match: "may match", Matcher: "sql.tables",
			Why: "customers may or may not be public.customers: the statement, or the rule, must name the schema", Decided: true},
		{Rule: "all", Effect: Allow, Match: "yes"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestRunTests(t *testing.T) {
	p := compile(t, allow(RuleSpec{Name: "read", Who: &WhoSpec{Groups: []string{"engineers"}, Kinds: []string{"person"}}, Actions: []string{"session.open", "sql.select"}}))
	world := World{Now: monday,
		Analyze: func(sql string) []Action {
			var actions []Action
			for _, kind := range strings.Fields(sql) {
				actions = append(actions, *statement(kind, "read"))
			}
			return actions
		},
		Connection: func(name string) (*Connection, bool) { return demo(), name == "demo-pg" }}
	base := TestSpec{Principal: "alice@example.com", Groups: []string{"engineers"}, Connection: "demo-pg", Expect: "allow"}
	with := func(change func(*TestSpec)) TestSpec { c := base; change(&c); return c }
	tests := []TestSpec{
		with(func(s *TestSpec) { s.Rule = "read" }),
		with(func(s *TestSpec) { s.SQL = "select" }),
		with(func(s *TestSpec) { s.SQL, s.Expect = "select delete", "deny" }),
		with(func(s *TestSpec) { s.SQL, s.Expect, s.Agents = "select", "deny", []string{"claude"} }),
		with(func(s *TestSpec) { s.SQL = "delete" }),
		with(func(s *TestSpec) { s.Rule = "other" }),
		with(func(s *TestSpec) { s.Connection = "prod" }),
		with(func(s *TestSpec) { s.SQL = " " }),
	}
	var got []string
	for _, r := range p.RunTests(world, tests) {
		got = append(got, fmt.Sprint(r.Passed, " ", r.Problem))
	}
	want := []string{"true ", "true ", "true ", "true ",
		"false expected allow, got deny from no rule: no rule allows this",
		"false expected rule other to decide, got allow from rule read",
		`false there is no connection "prod"`,
		"false the sql holds no statement"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestSensitive(t *testing.T) {
	p, err := Compile([]Document{
		{Labels: []LabelSpec{{Columns: map[string]string{`public.customers.ssn`: "pii.ssn", `Public."Order"."a.b"`: "pii.x"}}},
			Masks:     map[string]MaskSpec{"pii.ssn": {Method: "partial"}, "pii.*": {Method: "hash"}, "pii.card.*": {Method: "null"}, "default": {Method: "redact", Text: "***"}},
			Detectors: []DetectorSpec{{Connections: []string{"demo-*"}, Classes: []string{"email", "credit_card"}}}},
		{Labels: []LabelSpec{{Connections: []string{"other"}, Columns: map[string]string{"a.b.c": "pii.c"}}},
			Detectors: []DetectorSpec{{Classes: []string{"email"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []ColumnLabel{{"public", "Order", "a.b", "pii.x"}, {"public", "customers", "ssn", "pii.ssn"}}
	if d := cmp.Diff(want, p.Labels(demo())); d != "" {
		t.Error(d)
	}
	if got := p.Labels(&Connection{Name: "other"}); len(got) != 3 {
		t.Errorf("labels of other: %v", got)
	}
	for label, method := range map[string]string{"pii.ssn": "partial", "pii.email": "hash", "pii.card.pan": "null", "secret": "redact"} {
		if got := p.Mask(label).Method; got != method {
			t.Errorf("mask of %s: %s", label, got)
		}
	}
	if d := cmp.Diff([]string{"credit_card", "email"}, p.Detectors(demo())); d != "" {
		t.Error(d)
	}
	if m := (&Policy{}).Mask("x"); m.Method != "redact" {
		t.Errorf("%+v", m)
	}
}
