package postgres

import (
	"testing"
)

// What would make policy read text in another way than the target does is
// refused as a statement, and the session goes on.
func TestSettingThatWouldBeMisread(t *testing.T) {
	w := relayWorld(t)
	conn := pgxConn(t, w.connString(""))
	for _, c := range []struct{ text, code string }{
		{"set client_encoding = latin1", "22023"},
		{"SET client_encoding TO 'SQL_ASCII';", "22023"},
		{"set names 'win1252'", "22023"},
		{`set local "client_encoding" = 'latin1'`, "22023"},
		{"set standard_conforming_strings to off", "22023"},
		{"set standard_conforming_strings = 0", "22023"},
		{"set client_encoding = 'utf-8'", ""},
		{"set client_encoding to default", ""},
		{"set names 'unicode'", ""},
		{"set standard_conforming_strings = on", ""},
		{"reset client_encoding", ""},
	} {
		for _, mode := range []string{"simple", "extended"} {
			var err error
			if mode == "simple" {
				_, err = conn.PgConn().Exec(t.Context(), c.text).ReadAll()
			} else {
				_, err = conn.PgConn().ExecParams(t.Context(), c.text, nil, nil, nil, nil).Close()
			}
			if (err != nil || c.code != "") && code(err) != c.code {
				t.Errorf("%s, %s: got %v, want code %q", c.text, mode, err, c.code)
			}
		}
	}
}

// Where only the target tells of such a change, the session ends.
func TestSettingMisreadLater(t *testing.T) {
	w := relayWorld(t)
	conn := pgxConn(t, w.connString(""))
	if _, err := conn.Exec(t.Context(), "select set_config('client_encoding', 'latin1', false)"); code(err) != "22023" {
		t.Fatalf("got %v, want the session to end with 22023", err)
	}
	if err := conn.Ping(t.Context()); err == nil {
		t.Fatal("the session goes on")
	}
}
