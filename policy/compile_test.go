package policy

import (
	"errors"
	"strings"
	"testing"
)

func TestCompileReportsEverything(t *testing.T) {
	good := func(change func(*RuleSpec)) Document {
		r := RuleSpec{Name: "r", Effect: "allow"}
		change(&r)
		return Document{Rules: []RuleSpec{r}}
	}
	for _, c := range []struct {
		name string
		doc  Document
		want []string // path: part of the message
	}{
		{"no name", good(func(r *RuleSpec) { r.Name = " " }), []string{"rules[0].name: is missing"}},
		{"effect", good(func(r *RuleSpec) { r.Effect = "permit" }), []string{`rules[0].effect: "permit" is no effect`}},
		{"two at once", good(func(r *RuleSpec) { r.Effect = ""; r.When = "1 +" }), []string{"rules[0].effect: ", "rules[0].when: 1:4: Syntax error"}},
		{"same name", Document{Rules: []RuleSpec{{Name: "a", Effect: "allow"}, {Name: "a", Effect: "deny"}}}, []string{`rules[1].name: "a" is the name of an earlier rule`}},
		{"condition of another type", good(func(r *RuleSpec) { r.When = "principal.name" }), []string{"rules[0].when: must be true or false, but is a string"}},
		{"unknown field", good(func(r *RuleSpec) { r.When = "sql.table == ''" }), []string{"rules[0].when: 1:4: undefined field 'table'"}},
		{"unknown variable", good(func(r *RuleSpec) { r.When = "user.name == ''" }), []string{"rules[0].when: 1:1: undeclared reference to 'user'"}},
		{"zone", good(func(r *RuleSpec) { r.When = "now.getHours('Europe/Berln') > 9" }), []string{`rules[0].when: "Europe/Berln" is not a time zone`}},
		{"empty list", good(func(r *RuleSpec) { r.Actions = []string{} }), []string{"rules[0].actions: is empty"}},
		{"empty who", good(func(r *RuleSpec) { r.Who = &WhoSpec{} }), []string{"rules[0].who: names nobody"}},
		{"empty connections", good(func(r *RuleSpec) { r.Connections = &ConnSpec{} }), []string{"rules[0].connections: names no connection"}},
		{"empty sql", good(func(r *RuleSpec) { r.SQL = &SQLSpec{} }), []string{"rules[0].sql: says nothing"}},
		{"actor kind", good(func(r *RuleSpec) { r.Who = &WhoSpec{Kinds: []string{"robot"}} }), []string{`rules[0].who.kinds[0]: "robot" is no kind`}},
		{"protocol", good(func(r *RuleSpec) { r.Connections = &ConnSpec{Protocols: []string{"pg"}} }), []string{`rules[0].connections.protocols[0]: "pg" is no protocol`}},
		{"star inside", good(func(r *RuleSpec) { r.Who = &WhoSpec{Groups: []string{"a*b"}} }), []string{`rules[0].who.groups[0]: "a*b": one *`}},
		{"verb", good(func(r *RuleSpec) {
			r.Actions = []string{"sql.selct", "sql.create_*", "sql.creat_*", "select", "session.close", "mysql.query", "sql.*", "*", "ssh.exec", "s*"}
		}),
			[]string{"rules[0].actions[0]: ", "rules[0].actions[2]: ", "rules[0].actions[3]: ", "rules[0].actions[4]: ", "rules[0].actions[5]: "}},
		{"statement kind", good(func(r *RuleSpec) { r.SQL = &SQLSpec{Kinds: []string{"drop", "drop_table", "drop_*"}} }), []string{`rules[0].sql.kinds[0]: "drop"`}},
		{"statement effect", good(func(r *RuleSpec) { r.SQL = &SQLSpec{Effects: []string{"reads"}} }), []string{`rules[0].sql.effects[0]: "reads"`}},
		{"table", good(func(r *RuleSpec) { r.SQL = &SQLSpec{Tables: []string{"a.b.c", `"x`, "a b", "public.*", `"Q".*`}} }),
			[]string{"rules[0].sql.tables[0]: ", "rules[0].sql.tables[1]: ", "rules[0].sql.tables[2]: "}},
		{"sql and other actions", good(func(r *RuleSpec) { r.Actions = []string{"session.open"}; r.SQL = &SQLSpec{Kinds: []string{"select"}} }), []string{"rules[0]: can never match"}},
		{"kinds and other actions", good(func(r *RuleSpec) { r.Actions = []string{"sql.insert"}; r.SQL = &SQLSpec{Kinds: []string{"select"}} }), []string{"rules[0]: can never match"}},
		{"effects and only_effects", good(func(r *RuleSpec) { r.SQL = &SQLSpec{Effects: []string{"write"}, Only: []string{"read"}} }), []string{"rules[0].sql: can never match"}},
		{"empty ssh", good(func(r *RuleSpec) { r.SSH = &SSHSpec{} }), []string{"rules[0].ssh: says nothing"}},
		{"ssh verbs", good(func(r *RuleSpec) { r.Actions = []string{"ssh.exec", "ssh.sftp*", "ssh.forward_*", "ssh.ftp", "ssh.f"} }),
			[]string{`rules[0].actions[3]: "ssh.ftp" is no verb`, `rules[0].actions[4]: "ssh.f" is no verb`}},
		{"commands", good(func(r *RuleSpec) {
			r.SSH = &SSHSpec{Commands: []string{"a *", "a; b", "a; b *", "a *b", "a ** b", "a 'b c' d*", "a 'b *", " ", "a ***", "a $x *"}}
		}), []string{`rules[0].ssh.commands[2]: "a; b *": ';' is not a plain character`, `rules[0].ssh.commands[3]: "a *b": a * stands at the end of a word`,
			`rules[0].ssh.commands[4]: "a ** b": ** is the last word`, "rules[0].ssh.commands[7]: is empty", "rules[0].ssh.commands[8]: ",
			"rules[0].ssh.commands[9]: "}},
		{"paths", good(func(r *RuleSpec) {
			r.SSH = &SSHSpec{Paths: []string{"/a", "/a/*", "/a*", "*", "/", "/*/b/*", "a/*", "/a/", "/a/../b", "/a//b", "/a*/b", "/a/."}}
		}), []string{`rules[0].ssh.paths[6]: "a/*" is not absolute`, "rules[0].ssh.paths[7]: ", "rules[0].ssh.paths[8]: ", "rules[0].ssh.paths[9]: ",
			`rules[0].ssh.paths[10]: "/a*/b": a * is a whole name`, "rules[0].ssh.paths[11]: "}},
		{"hosts", good(func(r *RuleSpec) {
			r.SSH = &SSHSpec{Hosts: []string{"a.b", "*.b", "a*", "*", "10.0.0.0/8", "::1", "10.0.0.1/8", "10.0.*", "a*b", "127.1", "a:22", ""}}
		}), []string{`rules[0].ssh.hosts[6]: "10.0.0.1/8" is not a network`, "rules[0].ssh.hosts[7]: ", "rules[0].ssh.hosts[8]: ", "rules[0].ssh.hosts[9]: ",
			"rules[0].ssh.hosts[10]: ", "rules[0].ssh.hosts[11]: "}},
		{"ports", good(func(r *RuleSpec) { r.SSH = &SSHSpec{Ports: []string{"1", "1-65535", "0", "65536", "9-8", "ssh"}} }),
			[]string{"rules[0].ssh.ports[2]: ", "rules[0].ssh.ports[3]: ", "rules[0].ssh.ports[4]: ", "rules[0].ssh.ports[5]: "}},
		{"ssh and other actions", good(func(r *RuleSpec) {
			r.Actions = []string{"ssh.shell", "sql.*"}
			r.SSH = &SSHSpec{Commands: []string{"a"}}
		}),
			[]string{"rules[0]: can never match: no action among ssh.shell, sql.* has all of ssh.commands"}},
		{"ssh matchers of different actions", good(func(r *RuleSpec) { r.SSH = &SSHSpec{Commands: []string{"a"}, Env: []string{"A"}} }),
			[]string{"rules[0]: can never match: no action among those of ssh has all of ssh.env, ssh.commands"}},
		{"ssh and sql", good(func(r *RuleSpec) { r.SQL = &SQLSpec{Kinds: []string{"select"}}; r.SSH = &SSHSpec{Env: []string{"A"}} }),
			[]string{"rules[0]: can never match: nothing is both"}},
		{"ssh condition", good(func(r *RuleSpec) { r.When = "ssh.words == 'a'" }), []string{"rules[0].when: "}},
		{"after the last word", Document{Rules: []RuleSpec{{Name: "a", Effect: "deny"}, {Name: "b", Effect: "allow"}}}, []string{`rules[1]: can never match: rule "a" before`}},
		{"unmask", good(func(r *RuleSpec) { r.Unmask = []string{"pii.*", "*", "PII"} }), []string{`rules[0].unmask[2]: "PII"`}},
		{"approval of an allow", good(func(r *RuleSpec) { r.Approval = &ApprovalSpec{Groups: []string{"a"}} }), []string{"rules[0].approval: means nothing"}},
		{"approval by nobody", good(func(r *RuleSpec) { r.Effect = "require_approval"; r.Approval = &ApprovalSpec{} }), []string{"rules[0].approval: names nobody"}},
		{"label", Document{Labels: []LabelSpec{{Columns: map[string]string{"a.b": "pii", "a.b.c": "PII", "a.b.*": "pii"}}}},
			[]string{"labels[0].columns.a.b: write schema.table.column", "labels[0].columns.a.b.*: ", "labels[0].columns.a.b.c: \"PII\" is not a label"}},
		{"mask", Document{Masks: map[string]MaskSpec{"pii": {Method: "blur"}, "X": {Method: "null"}, "card": {Method: "null", Text: "x", KeepLast: pointer(1)}}},
			[]string{"masks.X: ", "masks.card.keep_last: ", "masks.card.text: ", `masks.pii.method: "blur" is no method`}},
		{"detector", Document{Detectors: []DetectorSpec{{}, {Classes: []string{"Credit Card"}}}}, []string{"detectors[0].classes: is empty", "detectors[1].classes[0]: "}},
		{"test", Document{Tests: []TestSpec{{Action: "session.open", SQL: "select", Time: "noon", Kind: "x"}}},
			[]string{"tests[0].expect: ", "tests[0].principal: ", "tests[0].connection: ", "tests[0]: give action or sql", "tests[0].kind: ", "tests[0].time: "}},
		{"ssh tests", Document{Tests: []TestSpec{
			{Principal: "a", Connection: "c", Expect: "deny", SSHRequest: SSHRequest{Path: "/a"}},
			{Principal: "a", Connection: "c", Expect: "deny", Action: "ssh.ftp"},
			{Principal: "a", Connection: "c", Expect: "deny", Action: "ssh.env", SSHRequest: SSHRequest{Command: "a"}},
			{Principal: "a", Connection: "c", Expect: "deny", SQL: "a", SSHRequest: SSHRequest{Command: "a"}},
			{Principal: "a", Connection: "c", Expect: "deny", SSHRequest: SSHRequest{Host: "a", Port: 70000}},
			{Principal: "a", Connection: "c", Expect: "deny", SSHRequest: SSHRequest{Command: "a"}},
		}}, []string{"tests[0]: what happens to a path is missing", "tests[1]: ssh.ftp is no action", "tests[2]: ssh.env does not have all of that: a",
			"tests[3]: give sql or", "tests[4]: the port is none"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Compile([]Document{{}, c.doc})
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("error %v", err)
			}
			if len(problems) != len(c.want) {
				t.Errorf("%d problems, want %d:\n%v", len(problems), len(c.want), err)
			}
			for i := range min(len(problems), len(c.want)) {
				got := problems[i].Path + ": " + problems[i].Message
				if problems[i].Document != 1 || !strings.HasPrefix(got, c.want[i]) {
					t.Errorf("document %d, %s\nwant %s", problems[i].Document, got, c.want[i])
				}
			}
		})
	}
}

func TestDigest(t *testing.T) {
	doc := func() Document {
		return Document{Masks: map[string]MaskSpec{"a": {Method: "null"}, "b": {Method: "hash"}, "c": {Method: "redact"}},
			Rules: []RuleSpec{{Name: "r", Effect: "allow"}}}
	}
	digest := func(d Document) string {
		t.Helper()
		p, err := Compile([]Document{d})
		if err != nil {
			t.Fatal(err)
		}
		return p.Digest()
	}
	first := digest(doc())
	tested := doc()
	tested.Tests = []TestSpec{{Principal: "a", Connection: "b", Expect: "deny"}}
	if digest(doc()) != first || digest(tested) != first {
		t.Error("equal policies have different digests")
	}
	changed := doc()
	changed.Rules[0].Effect = "deny"
	if digest(changed) == first {
		t.Error("different policies have one digest")
	}
}
