package postgres

import (
	"errors"
	"strings"
	"testing"

	"hoop/recorder"
)

// What the target parses is recorded before it gets it, whether or not it ever
// runs: a Prepare of the client's, and the question of what a Query reads.
func TestParsedTextIsRecordedFirst(t *testing.T) {
	superuser(t, clientsSQL)
	w := relayWorld(t, labels())
	c := pgxConn(t, w.connString("")).PgConn()
	if _, err := c.Prepare(t.Context(), "p", "select id from clients where id = $1", nil); err != nil {
		t.Fatal(err)
	}
	if got := w.events.of(recorder.ActionAnalysed); len(got) != 1 || got[0].Text != "select id from clients where id = $1" || got[0].Verdict == nil {
		t.Errorf("a prepared statement was recorded as %+v", got)
	}
	if _, err := c.Exec(t.Context(), "select name from clients where id = 1").ReadAll(); err != nil {
		t.Fatal(err)
	}
	if got := w.events.of(recorder.ActionAnalysed); len(got) != 2 || got[1].Text != "select name from clients where id = 1" {
		t.Errorf("the question about a query was recorded as %+v", got)
	}
}

// A log that cannot be written keeps a text from the target's parser: it would
// find the mistake in it.
func TestNothingIsParsedUnrecorded(t *testing.T) {
	superuser(t, clientsSQL)
	for _, prepare := range []bool{true, false} {
		w := relayWorld(t, labels())
		c := pgxConn(t, w.connString("")).PgConn()
		w.events.mu.Lock()
		w.events.fail = errors.New("disk full")
		w.events.mu.Unlock()
		var err error
		if prepare {
			_, err = c.Prepare(t.Context(), "p", "select no_such_column from clients", nil)
		} else {
			_, err = c.Exec(t.Context(), "select no_such_column from clients").ReadAll()
		}
		if err == nil || strings.Contains(err.Error(), "no_such_column") || !strings.Contains(err.Error(), "audit log") {
			t.Errorf("prepare %v: without a log the client reads %v", prepare, err)
		}
	}
}
