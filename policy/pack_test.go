package policy

import (
	"testing"
)

func packed(t *testing.T, packs []PackSpec, rules ...RuleSpec) *Policy {
	t.Helper()
	p, err := Compile([]Document{{Packs: packs, Rules: rules, Masks: map[string]MaskSpec{"pii.email": {Method: "null"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPacksDecideFirst(t *testing.T) {
	p := packed(t, []PackSpec{
		{Pack: "read-only", Name: "replica", Connections: &ConnSpec{Names: []string{"replica"}}},
		{Pack: "no-unbounded-writes"},
		{Pack: "ddl-needs-approval", Approval: &ApprovalSpec{Groups: []string{"dba"}}},
	}, RuleSpec{Name: "all", Effect: "allow"})
	unbounded := statement("delete", "write", "public.t")
	unbounded.SQL.Unbounded = true
	for _, c := range []struct {
		connection string
		action     *Action
		effect     Effect
		rule       string
	}{
		{"demo-pg", statement("select", "read", "public.t"), Allow, "all"},
		{"demo-pg", statement("insert", "write", "public.t"), Allow, "all"},
		{"demo-pg", unbounded, Deny, "no-unbounded-writes"},
		{"demo-pg", statement("create_table", "ddl", "public.t"), RequireApproval, "ddl-needs-approval"},
		{"demo-pg", dark("unknown"), Deny, "no-unbounded-writes"},
		{"replica", statement("select", "read", "public.t"), Allow, "all"},
		{"replica", statement("insert", "write", "public.t"), Deny, "replica"},
		{"replica", statement("select", "read code", "public.t"), Deny, "replica"},
		{"replica", statement("create_table", "ddl", "public.t"), Deny, "replica"},
	} {
		in := input(c.action)
		in.Connection = &Connection{Name: c.connection, Protocol: "postgres"}
		if v := p.Evaluate(in); v.Effect != c.effect || v.Rule != c.rule {
			t.Errorf("%s on %s: %s by %q, not %s by %q", c.action.Verb, c.connection, v.Effect, v.Rule, c.effect, c.rule)
		}
	}
	if a, ok := p.Approval("ddl-needs-approval"); !ok || len(a.Groups) != 1 {
		t.Errorf("nobody may answer: %+v", a)
	}
}

func TestAPacksMasksYield(t *testing.T) {
	p := packed(t, []PackSpec{{Pack: "pii-default"}})
	if m := p.masks["pii.email"]; m.Method != "null" {
		t.Errorf("the document's own mask is %q", m.Method)
	}
	if m := p.masks["pci.pan"]; m.Method != "partial" {
		t.Errorf("the pack's mask is %q", m.Method)
	}
	if classes := p.Detectors(demo()); len(classes) < 5 {
		t.Errorf("detectors: %v", classes)
	}
}

func TestPacksCountForTheDigest(t *testing.T) {
	with, without := packed(t, []PackSpec{{Pack: "read-only"}}), packed(t, nil)
	if with.Digest() == without.Digest() {
		t.Error("the digest is the same with and without a pack")
	}
}

func TestPacksAreChecked(t *testing.T) {
	for want, spec := range map[string]PackSpec{
		`packs[0].pack: "readonly" is no pack`:      {Pack: "readonly"},
		"packs[0].approval: is missing":             {Pack: "ddl-needs-approval"},
		"packs[0].approval: means nothing":          {Pack: "read-only", Approval: &ApprovalSpec{Groups: []string{"a"}}},
		"packs[0].approval: names nobody":           {Pack: "ddl-needs-approval", Approval: &ApprovalSpec{}},
		"packs[0].who: means nothing":               {Pack: "pii-default", Who: &WhoSpec{Groups: []string{"a"}}},
		"packs[0].connections: takes names only":    {Pack: "pii-default", Connections: &ConnSpec{Protocols: []string{"postgres"}}},
		"packs[0].connections: names no connection": {Pack: "read-only", Connections: &ConnSpec{}},
		`packs[1].name: "read-only" is the name of`: {Pack: "read-only"},
	} {
		specs := []PackSpec{spec}
		if want[6] == '1' {
			specs = append(specs, spec)
		}
		_, err := Compile([]Document{{Packs: specs}})
		if problems, ok := err.(Problems); !ok || !mentions(problems, want) {
			t.Errorf("%+v: no %q in: %v", spec, want, err)
		}
	}
}

func mentions(problems Problems, want string) bool {
	for _, p := range problems {
		if text := p.Path + ": " + p.Message; len(text) >= len(want) && text[:len(want)] == want {
			return true
		}
	}
	return false
}
