package postgres

import (
	"fmt"
	"strings"
	"testing"

	"hoop/broker"
	"hoop/policy"
	"hoop/recorder"
)

// inspectWorld leads to a copy of the corpus' database as its ordinary role.
func inspectWorld(t *testing.T, docs ...policy.Document) *world {
	t.Helper()
	newRange(t, t.TempDir())
	w := relayWorld(t, docs...)
	w.target.Database = "shop"
	w.secret = broker.Secret{User: "app_user", Password: rolePassword}
	return w
}

func TestSampleFindsWhatNobodyLabelled(t *testing.T) {
	w := inspectWorld(t, policy.Document{
		Labels: []policy.LabelSpec{{Columns: map[string]string{"public.customers.ssn": "pii.ssn"}}},
		Rules:  []policy.RuleSpec{{Name: "all", Effect: "allow"}},
	})
	s := w.session("alice", "pg")
	found := map[string]broker.SampledColumn{}
	if err := w.engine.Sample(t.Context(), s, 20, func(c broker.SampledColumn) { found[c.Table+"."+c.Column] = c }); err != nil {
		t.Fatal(err)
	}
	if c := found["customers.email"]; c.Found["email"] != c.Values || c.Values < 3 {
		t.Errorf("email: %+v", c)
	}
	if c := found["payments.card_pan"]; c.Found["credit_card"] == 0 {
		t.Errorf("card_pan: %+v", c)
	}
	if c := found["customers.ssn"]; c.Label != "pii.ssn" {
		t.Errorf("ssn: %+v", c)
	}
	if c := found["products.title"]; len(c.Found) != 0 {
		t.Errorf("title: %+v", c)
	}
	decided := w.events.of(recorder.ActionDecided)
	if len(decided) < 6 || len(w.events.of(recorder.SessionOpened)) != 1 || len(w.events.of(recorder.ActionFinished)) != len(decided) {
		t.Errorf("the record has %d queries", len(decided))
	}
	if text := fmt.Sprint(found); strings.Contains(text, "@") || strings.Contains(text, "4111") {
		t.Errorf("a value is told: %s", text)
	}
}

func TestSampleAsksPolicy(t *testing.T) {
	w := inspectWorld(t, policy.Document{Rules: []policy.RuleSpec{
		{Name: "open", Actions: []string{"session.open"}, Effect: "allow"},
		{Name: "not these", SQL: &policy.SQLSpec{Tables: []string{"public.customers"}}, Effect: "deny"},
		{Name: "all", Effect: "allow"},
	}})
	err := w.engine.Sample(t.Context(), w.session("alice", "pg"), 20, func(c broker.SampledColumn) {
		if c.Table == "customers" && c.Values > 0 {
			t.Errorf("read against the policy: %+v", c)
		}
	})
	if err == nil || !strings.Contains(err.Error(), "not these") {
		t.Errorf("sampled: %v", err)
	}
}

func TestLineageIsExplained(t *testing.T) {
	w := inspectWorld(t, shopPolicy(false))
	explain := func(text string) *broker.Lineage {
		st := w.engine.analyzer.Statements(t.Context(), text)[0]
		l, err := w.engine.Lineage(t.Context(), w.session("alice", "pg"), &broker.Action{Action: policy.Action{Verb: "sql." + st.Facts.Kind, Text: text, SQL: st.Facts}})
		if err != nil || l == nil {
			t.Fatalf("%s: %v", text, err)
		}
		return l
	}
	l := explain("SELECT name, v.tax_id, left(v.tax_id, 3) AS p FROM v_customers v")
	if len(l.Columns) != 3 || l.Columns[0].Mask != "" || l.Columns[1].Mask != "that of pii.ssn" || l.Columns[2].Mask != "whole" {
		t.Errorf("%+v", l.Columns)
	}
	if from := l.Columns[2].From; len(from) != 1 || from[0] != "public.customers.ssn" || l.Columns[2].Name != "p" {
		t.Errorf("%+v", l.Columns[2])
	}
	if l := explain("SELECT id FROM customers WHERE ssn > '5'"); l.Effect != policy.Deny || l.Hint == "" {
		t.Errorf("%+v", l)
	}
	if l := explain("INSERT INTO guesses SELECT ssn FROM customers"); l.Effect != policy.Deny {
		t.Errorf("%+v", l)
	}
	if l := explain("EXPLAIN SELECT id FROM customers WHERE ssn = '5'"); l.Effect != policy.Deny {
		t.Errorf("%+v", l)
	}
	if n := len(w.events.of(recorder.ActionAnalysed)); n != 4 {
		t.Errorf("%d events for 4 statements that the target was shown", n)
	}
	st := w.engine.analyzer.Statements(t.Context(), "SELECT nothing")[0]
	if _, err := w.engine.Lineage(t.Context(), w.session("alice", "pg"), &broker.Action{Action: policy.Action{Verb: "sql.select", Text: st.Text, SQL: st.Facts}}); err == nil {
		t.Error("a statement that the target refuses is explained")
	}
}
