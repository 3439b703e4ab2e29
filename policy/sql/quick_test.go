package sql

import "testing"

func TestVerbIsNotForgotten(t *testing.T) {
	s := analyseText(t, "delete from a")
	if got := s[0].Action(); got.Verb != "sql.delete" || !got.SQL.Unbounded {
		t.Errorf("%+v", got)
	}
}
