package postgres

import (
	"strings"
	"testing"

	"hoop/recorder"
)

// meddler is a recorder in whose moment of writing somebody else is busy.
type meddler struct {
	*events
	before func(*recorder.Event)
}

func (m *meddler) Append(ev *recorder.Event, d recorder.Durability) error {
	m.before(ev)
	return m.events.Append(ev, d)
}

// A Query that runs as the statement which was parsed for the judgement answers
// as a Query does, and what others change in between is judged before it shows.
func TestParsedQueries(t *testing.T) {
	superuser(t, recallSQL)
	w := relayWorld(t, labels())
	w.target.AnalyseAlways = true
	var meddle string
	w.deps.Recorder = &meddler{&w.events, func(ev *recorder.Event) {
		if sql := meddle; sql != "" && ev.Type == recorder.ActionDecided {
			meddle = ""
			superuser(t, sql)
		}
	}}
	c := pgxConn(t, w.connString("")).PgConn()
	read := func(sql string) (string, error) {
		got, err := c.Exec(t.Context(), sql).ReadAll()
		if err != nil || len(got) != 1 || len(got[0].Rows) != 1 {
			return "", err
		}
		return string(got[0].Rows[0][0]), nil
	}
	for _, step := range []struct{ sql, meddle, want string }{
		{sql: "select n from v_recall where id = 1", want: "Client 1"},
		{sql: "select ssn from clients where id = 1", want: "***-**-1001"},
		{sql: "select 1 / (id - 1) from clients where id = 1", want: "22012"}, // division_by_zero
		{sql: "select n from v_recall where id = 2",
			meddle: "create or replace view v_recall as select id, ssn as n from clients", want: "***-**-1002"},
		{sql: "select n from v_recall where id = 3", want: "***-**-1003"},
		{sql: "select n from v_recall where id = 4", meddle: "drop view v_recall", want: "42P01"}, // undefined_table
		{sql: "select name from clients where id = 5", want: "Client 5"},
	} {
		meddle = step.meddle
		got, err := read(step.sql)
		if err != nil {
			got = err.Error()
		}
		leaks(t, step.sql, got)
		if got != step.want && !strings.Contains(got, "SQLSTATE "+step.want) {
			t.Errorf("%s: got %q, want %q", step.sql, got, step.want)
		}
		if meddle != "" {
			t.Errorf("%s: no event came before it ran", step.sql)
		}
	}
	if got := script(t, w.connString(""), "begin; select count(*) from clients; commit;\nselect from clients where id = 1;\nselect ssn from clients where id < 3 \\gdesc\n"); strings.Contains(got, "ERROR") {
		t.Error(got)
	}
}
