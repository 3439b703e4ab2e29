package postgres

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A denied statement has the place of one that fails: whatever a client sends
// around it, it gets the messages that PostgreSQL would send after an error.
func TestDenialIsLikeAnError(t *testing.T) {
	superuser(t, `drop table if exists kept2; create table kept2 (id int); grant all on kept2 to public; insert into kept2 values (1)`)
	w := relayWorld(t, noDeletes())
	past, through := transparent(t, w)
	sync, bad := string(frame('S')), "\x01"
	run := func(portal, name, text string, rows int) string {
		return parse(name, text) + bindTo(portal, name, 0) + describe("P", portal) + execute(portal, rows)
	}
	for _, tt := range []struct {
		name string
		send []string // of each, one ReadyForQuery for every Sync and Query
	}{
		{"alone", []string{simple(bad)}},
		{"in a transaction", []string{simple("begin"), simple(bad), simple("select 1"), simple("commit")}},
		{"rolled back to a savepoint", []string{simple("begin"), simple("savepoint s"), simple(bad), simple("select 1"), simple("rollback to savepoint s"), simple("select 1"), simple("commit")}},
		{"parsed", []string{parse("", bad) + sync, simple("select 1")}},
		{"parsed, then skipped", []string{parse("", bad) + bindTo("", "", 0) + execute("", 0) + sync}},
		{"within a pipeline", []string{run("", "", "select 1", 0) + run("", "", bad, 0) + run("", "", "select 2", 0) + sync + run("", "", "select 3", 0) + sync}},
		{"within a pipeline of one transaction", []string{simple("begin") + run("", "", bad, 0) + run("", "", "select 2", 0) + sync + run("", "", "select 3", 0) + sync + simple("rollback")}},
		{"savepoints by the extended protocol", []string{run("", "", "begin", 0) + run("", "", "savepoint s", 0) + sync + run("", "", bad, 0) + sync + run("", "", "rollback to s", 0) + run("", "", "select 1", 0) + sync + run("", "", "end", 0) + sync}},
		{"beside a suspended portal", []string{simple("begin"), run("p", "", "select generate_series(1, 5)", 2) + sync, execute("p", 2) + run("", "", bad, 0) + sync, execute("p", 0) + sync, simple("rollback")}},
		{"a suspended portal lives on", []string{simple("begin"), run("p", "", "select generate_series(1, 5)", 2) + sync, execute("p", 2) + sync, execute("p", 0) + sync, simple("rollback")}},
		{"redefined in a pipeline", []string{run("", "n", "select 1", 0) + sync + closing("S", "n") + parse("n", bad) + bindTo("", "n", 0) + execute("", 0) + sync + bindTo("", "n", 0) + execute("", 0) + sync}},
		{"redefined without a close", []string{parse("m", "select 1") + sync + parse("m", bad) + sync + bindTo("", "m", 0) + execute("", 0) + sync + closing("S", "m") + sync}},
		{"the last of many", []string{strings.Repeat(run("", "", "select 1", 0), 50) + run("", "", bad, 0) + sync}},
		{"flushed", []string{run("", "", "select 1", 0) + string(frame('H')) + run("", "", bad, 0) + string(frame('H')) + sync}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, send := range tt.send {
				ready := countReady(t, []byte(send))
				want := answers(t, talk(t, past, []byte(with(send, "delete from absent")), ready))
				got := answers(t, talk(t, through, []byte(with(send, "delete from kept2")), ready))
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%.300q: -direct +through\n%s", send, d)
				}
			}
		})
	}
	if n := superuser(t, "select count(*) from kept2"); n != "1" {
		t.Errorf("%s rows are left", n)
	}
}

// with puts a text for each mark and corrects the lengths of the frames.
func with(send, text string) string {
	var out strings.Builder
	for len(send) > 0 {
		_, size, err := frameSize([]byte(send))
		if err != nil {
			panic(err)
		}
		body := send[headerSize:size]
		if send[0] == 'Q' || send[0] == 'P' {
			body = strings.ReplaceAll(body, "\x01\x00", text+"\x00")
		}
		out.Write(frame(send[0], body))
		send = send[size:]
	}
	return out.String()
}

func countReady(t *testing.T, send []byte) (n int) {
	for len(send) > 0 {
		kind, size, err := frameSize(send)
		if err != nil {
			t.Fatal(err)
		}
		if kind == 'Q' || kind == 'S' {
			n++
		}
		send = send[size:]
	}
	return n
}

// answers are the messages of a stream, errors by their class alone where they
// are the bad statement's own.
func answers(t *testing.T, b []byte) []string {
	var out []string
	for len(b) > 0 {
		kind, size, err := frameSize(b)
		if err != nil {
			t.Fatal(err)
		}
		msg := string(b[:size])
		if kind == 'E' {
			r := report{body: b[headerSize:size]}
			msg = "error " + string(r.field('C'))
			if c := string(r.field('C')); c == "42P01" || c == "42501" {
				msg = "the statement's error"
			}
		}
		out = append(out, msg)
		b = b[size:]
	}
	return out
}
