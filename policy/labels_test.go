package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// Before the target has told which labels a statement reads, the stricter
// possibility holds, and the verdict says that it may change.
func TestRulesByLabels(t *testing.T) {
	p := fromYAML(t, `
labels: [{connections: [shop], columns: {public.people.ssn: pii.ssn, public.people.town: geo}}]
rules:
- {name: no-ssn, sql: {labels: [pii.*]}, effect: deny}
- {name: ask, sql: {labels: [geo]}, effect: require_approval, approval: {groups: [boss]}}
- {name: all, effect: allow}
`)
	sql := SQL{Kind: "select", Effects: []string{"read"}, Tables: []string{"people"}}
	for _, c := range []struct {
		name     string
		traced   bool
		labels   []string
		conn     string
		effect   Effect
		rule     string
		untraced bool
	}{
		{"not traced", false, nil, "shop", Deny, "no-ssn", true},
		{"reads none", true, nil, "shop", Allow, "all", false},
		{"reads another", true, []string{"geo"}, "shop", RequireApproval, "ask", false},
		{"reads both", true, []string{"geo", "pii.ssn"}, "shop", Deny, "no-ssn", false},
		{"a connection without labels", false, nil, "other", Allow, "all", false},
	} {
		with := sql
		with.Traced, with.LabelsRead = c.traced, c.labels
		v := p.Evaluate(&Input{Principal: &Principal{Name: "ann", Kind: Person}, Chain: Chain{{Name: "ann", Kind: Person}},
			Connection: &Connection{Name: c.conn, Protocol: "postgres"}, Action: &Action{Verb: "sql.select", SQL: &with}, Now: time.Now()})
		if v.Effect != c.effect || v.Rule != c.rule || v.Untraced != c.untraced {
			t.Errorf("%s: %+v", c.name, v)
		}
	}
	if v := fromYAML(t, `rules: [{name: r, when: "sql.labels_read.exists(l, l == 'x')", effect: deny}, {name: all, effect: allow}]`).Evaluate(&Input{
		Principal: &Principal{Name: "ann", Kind: Person}, Connection: &Connection{Name: "shop"}, Action: &Action{Verb: "sql.select", SQL: &sql}, Now: time.Now()}); v.Effect != Allow {
		t.Errorf("a condition on labels where nothing is labelled: %+v", v)
	}
}

func document(t testing.TB, text string) (doc Document) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func fromYAML(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := Compile([]Document{document(t, text)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRulesByTime(t *testing.T) {
	rule := func(spec string) string { return "rules: [{name: r, time: " + spec + ", effect: allow}]" }
	at := func(spec, when string) bool {
		now, err := time.Parse(time.RFC3339, when)
		if err != nil {
			t.Fatal(err)
		}
		v := fromYAML(t, rule(spec)).Evaluate(&Input{Principal: &Principal{Name: "ann", Kind: Person}, Connection: &Connection{Name: "shop"},
			Action: &Action{Verb: "session.open"}, Now: now})
		return v.Effect == Allow
	}
	for _, c := range []struct {
		spec, when string
		want       bool
	}{
		{"{days: [mon, fri]}", "2026-11-23T00:00:00Z", true},
		{"{days: [mon, fri]}", "2026-11-24T12:00:00Z", false},
		{`{from: "09:00", to: "17:30"}`, "2026-11-24T17:29:59Z", true},
		{`{from: "09:00", to: "17:30"}`, "2026-11-24T17:30:00Z", false},
		{`{from: "09:00", to: "17:30", zone: Asia/Tokyo}`, "2026-11-24T00:00:00Z", true},
		{`{days: [fri], from: "22:00", to: "06:00"}`, "2026-11-28T05:59:00Z", true},
		{`{days: [fri], from: "22:00", to: "06:00"}`, "2026-11-27T05:59:00Z", false},
		{`{from: "18:00", to: "24:00"}`, "2026-11-27T23:59:00Z", true},
	} {
		if got := at(c.spec, c.when); got != c.want {
			t.Errorf("%s at %s: %v", c.spec, c.when, got)
		}
	}
	for spec, want := range map[string]string{
		"{}": "says nothing", "{days: []}": "is empty", "{days: [monday]}": "is no day", `{from: "9"}`: "go together",
		`{from: "25:00", to: "26:00"}`: "is no time of day", `{from: "09:00", to: "09:00"}`: "never match", "{days: [mon], zone: Mars}": "is not a time zone",
	} {
		if _, err := Compile([]Document{document(t, rule(spec))}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", spec, err)
		}
	}
}
