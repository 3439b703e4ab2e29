package postgres

import (
	"strings"
	"testing"

	"hoop/policy"
	"hoop/recorder"
)

// Rules by labels decide with what the target tells: through a view, in both
// protocols, and on the shape of one that was allowed before.
func TestRulesByLabels(t *testing.T) {
	superuser(t, recallSQL)
	doc := labels()
	doc.Rules = append([]policy.RuleSpec{{Name: "no-ssn", SQL: &policy.SQLSpec{Labels: []string{"pii.ssn"}}, Effect: "deny", Reason: "nobody reads these"}}, doc.Rules...)
	w := relayWorld(t, doc)
	conn := pgxConn(t, w.connString("default_query_exec_mode=exec"))
	denied := func(sql string, args ...any) bool {
		t.Helper()
		if len(args) > 0 {
			_, err := conn.Exec(t.Context(), sql, args...)
			return err != nil && strings.Contains(err.Error(), "nobody reads these")
		}
		_, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
		return err != nil && strings.Contains(err.Error(), "nobody reads these")
	}
	for range 2 {
		if denied("select id, name from clients where id = 1") || denied("select n from v_recall where id = $1", 1) {
			t.Error("a statement that reads no such label was denied")
		}
		if !denied("select ssn from clients where id = 1") || !denied("select upper(ssn) from clients where id = $1", 1) || !denied("select id from clients where ssn = $1", "1") {
			t.Error("a statement that reads the label was allowed")
		}
	}
	superuser(t, "create or replace view v_recall as select id, ssn as n from clients")
	if _, err := conn.Exec(t.Context(), "select n from v_recall where id = $1", 1); err == nil || !strings.Contains(err.Error(), "reads other labels") {
		t.Errorf("the statement that was allowed before it did: %v", err)
	}
	conn = pgxConn(t, w.connString(""))
	if !denied("select n, 1 from v_recall where id = 1") {
		t.Error("a view that came to show the label was allowed")
	}
	read := map[string]bool{}
	for _, ev := range w.events.of(recorder.ActionDecided) {
		if ev.Verdict.Rule == "no-ssn" {
			read[strings.Join(ev.SQL.LabelsRead, " ")] = true
		}
	}
	if len(read) != 1 || !read["pii.ssn"] {
		t.Errorf("the record names the labels %v", read)
	}
}
