package postgres

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"hoop/policy"
	"hoop/recorder"
)

const clientsSQL = `
drop table if exists clients, parts cascade; drop schema if exists other cascade;
create table clients (id int primary key, name text, ssn text unique, email varchar(80), salary int, born date, notes text, doc jsonb);
insert into clients select i, 'Client ' || i, '123-45-' || (1000 + i), 'c' || i || '@example.com', 50000 + i, date '1980-01-01' + i, 'note ' || i, '{}' from generate_series(1, 50) i;
create view v_clients as select id, ssn as tax_number, upper(name) as shout from clients;
create view v_nested as select tax_number as code, id from v_clients;
create table parts (id int, ssn text) partition by range (id);
create table parts_1 partition of parts for values from (0) to (100);
insert into parts values (1, '987-65-4321');
create schema other; create table other.plain (id int, ssn text); insert into other.plain values (1, 'plain ssn');
grant usage on schema other to app; grant all on clients, v_clients, v_nested, parts, parts_1, other.plain to app; alter table clients owner to app; alter table parts owner to app`

func labels() policy.Document {
	return policy.Document{
		Labels: []policy.LabelSpec{{Columns: map[string]string{
			"public.clients.ssn": "pii.ssn", "public.clients.email": "pii.email", "public.clients.salary": "pay", "public.clients.born": "pii.born",
			"public.parts.ssn": "pii.ssn",
		}}},
		Masks: map[string]policy.MaskSpec{"pii.ssn": {Method: "partial"}, "pii.email": {Method: "redact"}, "pay": {Method: "null"}, "pii.born": {Method: "redact"}},
		Rules: []policy.RuleSpec{
			{Name: "all", Effect: "allow"},
			{Name: "unknown", Actions: []string{"sql.unknown", "sql.do"}, Effect: "allow"}},
	}
}

// secrets are what no client may read under labels().
var secrets = []string{"123-45", "-45-", "987-65", "@example", "5000", "5001", "1980-"}

func leaks(t *testing.T, what, got string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(got, s) {
			t.Errorf("%s shows %q:\n%.600s", what, s, got)
		}
	}
}

func TestLabelledColumnsAreMasked(t *testing.T) {
	superuser(t, clientsSQL)
	conn := relayWorld(t, labels()).connString("")
	for _, tt := range []struct{ sql, want string }{
		{"select * from clients where id = 1;", "id|name|ssn|email|salary|born|notes|doc\n1|Client 1|***-**-1001|[redacted]||"},
		{"select ssn as x, id, c.email y from clients c where id = 2;", "x|id|y\n***-**-1002|2|[redacted]\n"},
		{"select * from clients where id < 10 \\gx", "ssn|***-**-1001"},
		{"table clients;", "***-**-1050"},
		{"begin; declare c cursor for select ssn, salary from clients; fetch 2 in c; commit;", "***-**-1001|"},
		{"prepare p as select ssn from clients where id = $1; execute p(3);", "***-**-1003"},
		{"select * from parts; select * from parts_1; select ssn from only parts_1;", "1|***-**-4321\n"},
		{"select * from other.plain;", "1|plain ssn"},
		{"select * from v_clients where id = 1;", "1|***-**-1001|CLIENT 1"},
		{"select * from v_nested where id = 1;", "***-**-1001|1"},
		{"insert into clients (id, ssn) values (1000, '123-45-6666') returning ssn, id;", "***-**-6666|1000"},
		{"select c from clients c where id = 1;", "c\n\n(1 row)"},
		{"select array_agg(c) from clients c where id < 3;", "array_agg\n\n(1 row)"},
		{"select 'x' as nothing, 1 as one;", "nothing|one\nx|1"},
		{"\\set FETCH_COUNT 3\nselect ssn from clients order by id;", "***-**-1001\n***-**-1002\n***-**-1003\n***-**-1004"},
		{"copy clients (id, ssn, salary) to stdout;", "1\t***-**-1001\t\\N\n2\t"},
		{"copy clients to stdout with (format csv, header);", "id,name,ssn,email,salary,born,notes,doc\n1,Client 1,***-**-1001,[redacted],,"},
		{"copy public.clients to stdout;", "1\tClient 1\t***-**-1001\t"},
		{"copy parts_1 to stdout;", "1\t***-**-4321"},
		{"copy (select * from other.plain) to stdout;", "1\tplain ssn"},
		{"copy (select id, ssn, upper(ssn), salary from clients) to stdout;", "1\t***-**-1001\t[redacted]\t\\N\n2\t"},
		{"copy clients to stdout (format binary);", "cannot be masked"},
		{"\\copy clients (ssn) to stdout", "***-**-1001\n"},
		{"insert into clients (id, ssn) values (1001, '123-45-1001');", "ERROR:  the message is withheld"},
		{"select ssn::int from clients;", "ERROR:  the message is withheld"},
		{"select ssn::regclass from clients;", "ERROR:  the message is withheld"},
		{"select nonsense from clients;", "ERROR:  column \"nonsense\" does not exist\nLINE 1: select nonsense from clients;"},
		{"do $$ declare r record; begin for r in select * from clients loop raise notice '%', r.ssn; end loop; end $$;", "NOTICE:  the message is withheld"},
		{"alter table clients rename ssn to innocent; select innocent from clients where id = 1; copy clients (innocent) to stdout; alter table clients rename innocent to ssn;", "***-**-1001"},
		{"begin; alter table clients rename ssn to innocent; select innocent from clients where id = 1; rollback;", "***-**-1001"},
		{"create table later partition of parts for values from (100) to (200); insert into later values (150, '987-65-4321'); select ssn from later; drop table later;", "***-**-4321"},
		{"begin; create table later partition of parts for values from (100) to (200); insert into later values (150, '987-65-4321'); select ssn from later; rollback;", "[redacted]"},
	} {
		t.Run(tt.sql, func(t *testing.T) {
			got := script(t, conn, tt.sql+"\n")
			if !strings.Contains(got, tt.want) {
				t.Errorf("got\n%.900s\nwithout\n%s", got, tt.want)
			}
			leaks(t, "psql", got)
		})
	}
}

// A schema change that is not committed cannot be looked up, so that a copy
// after it ends the session rather than leak.
func TestCopyAfterUncommittedRename(t *testing.T) {
	superuser(t, clientsSQL)
	got := script(t, relayWorld(t, labels()).connString(""), "begin; alter table clients rename ssn to innocent; copy clients (innocent) to stdout;")
	leaks(t, "psql", got)
	if !strings.Contains(got, "could not be resolved") {
		t.Error(got)
	}
}

func TestBinaryResultsAreMasked(t *testing.T) {
	superuser(t, clientsSQL)
	w := relayWorld(t, labels())
	c := pgxConn(t, w.connString(""))
	ctx := t.Context()
	for range 3 { // prepared once, executed without a Describe of its own
		var id int
		var name, ssn, email string
		var salary, born any
		err := c.QueryRow(ctx, "select id, name, ssn, email, salary, born from clients where id = $1", 7).Scan(&id, &name, &ssn, &email, &salary, &born)
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(id, name, ssn, email, salary, born)
		if want := "7Client 7***-**-1007[redacted]<nil> <nil>"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	var out bytes.Buffer
	if _, err := c.PgConn().CopyTo(ctx, &out, "copy clients (ssn, id) to stdout"); err != nil {
		t.Fatal(err)
	}
	leaks(t, "CopyTo", out.String())
	_ = c.Close(ctx)
	waitFor(t, func() bool { return len(w.events.of(recorder.ActionFinished)) == 4 })
	masked := w.events.of(recorder.ActionFinished)
	if m := masked[0].Masked; m["pii.ssn"] != 1 || m["pii.email"] != 1 || m["pay"] != 1 || m["pii.born"] != 1 || len(m) != 4 {
		t.Errorf("counted %v", m)
	}
	if m := masked[3].Masked; m["pii.ssn"] != 50 || masked[3].Rows != 50 {
		t.Errorf("counted %v in %d rows", m, masked[3].Rows)
	}
}

func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	for range 2000 {
		if ok() {
			return
		}
		sleepBriefly()
	}
	t.Fatal("it did not come to pass")
}

func TestLabelsThatCannotBeResolvedDeny(t *testing.T) {
	superuser(t, clientsSQL)
	w := relayWorld(t, labels())
	c := pgxConn(t, w.connString(""))
	w.secret.Password = "wrong" // so that the broker's own connection fails
	_, err := c.Exec(t.Context(), "select 1")
	if code(err) != "58000" {
		t.Errorf("got %v", err)
	}
	w.secret.Password = rolePassword
	if _, err := c.Exec(t.Context(), "select 1"); err != nil {
		t.Error(err)
	}
}

func TestPolicyChangeTakesHoldAtOnce(t *testing.T) {
	superuser(t, clientsSQL)
	w := relayWorld(t)
	conn := pgxConn(t, w.connString(""))
	ask := func() (ssn string) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), "select ssn from clients where id = 1").Scan(&ssn); err != nil {
			t.Fatal(err)
		}
		return ssn
	}
	if got := ask(); got != "123-45-1001" {
		t.Errorf("without labels: %q", got)
	}
	w.policy = w.compile(labels())
	if got := ask(); got != "***-**-1001" {
		t.Errorf("with labels: %q", got)
	}
	doc := labels()
	doc.Rules = []policy.RuleSpec{{Name: "all", Effect: "allow", Unmask: []string{"pii.*"}}}
	w.policy = w.compile(doc)
	if got := ask(); got != "123-45-1001" {
		t.Errorf("shown by the rule: %q", got)
	}
}

// A cursor of SQL that takes the name of a bound portal is not read through the
// portal's plan.
func TestDeclareTakesAPortalsName(t *testing.T) {
	superuser(t, clientsSQL)
	w := relayWorld(t, labels())
	_, c := transparent(t, w)
	superuser(t, "grant all on clients to trust_user")
	S := string(frame('S'))
	got := string(talk(t, c, []byte(simple("begin")+parse("", "select name from clients")+bindTo("p", "", 0)+S+
		simple("close p; declare p cursor for select ssn from clients")+execute("p", 0)+S+simple("rollback")+
		simple("begin; declare q cursor for select ssn from clients")+describe("P", "q")+execute("q", 0)+S+simple("rollback")), 7))
	leaks(t, "the portal", got)
}

func TestDetectors(t *testing.T) {
	doc := policy.Document{
		Detectors: []policy.DetectorSpec{{Classes: []string{"*"}}},
		Masks:     map[string]policy.MaskSpec{"default": {Method: "redact"}},
		Rules:     []policy.RuleSpec{{Name: "all", Effect: "allow"}, {Name: "unknown", Actions: []string{"sql.unknown"}, Effect: "allow"}},
	}
	const card = "4111111111111111"
	superuser(t, `drop table if exists found; create table found (id int, txt text, num numeric, big bigint, doc jsonb, arr text[]); grant all on found to app;
		insert into found values (1, 'call ann@example.org or pay `+card+` now', `+card+`, `+card+`, '{"card": "`+card+`"}', array['`+card+`'])`)
	w := relayWorld(t, doc)
	conn := w.connString("")
	for _, tt := range []string{
		"select * from found;", "copy found to stdout;", "copy found to stdout csv;",
		"select 'x' || txt from found;", "select doc->>'card' from found;", "listen c; notify c, 'ann@example.org " + card + "';",
		"do $$ begin raise notice 'pay " + card + "'; end $$;", "select '" + card + " ann@example.org'::int;",
	} {
		got := script(t, conn, tt+"\n")
		if i := strings.Index(got, "LINE 1"); i >= 0 {
			got = got[:i] // psql quotes what was typed
		}
		if strings.Contains(got, card) || strings.Contains(got, "ann@example.org") {
			t.Errorf("%s shows\n%s", tt, got)
		}
	}
	c := pgxConn(t, conn)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec} {
		rows, err := c.Query(t.Context(), "select txt, num, big, doc, arr from found", mode)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			if raw := fmt.Sprintf("%q", rows.RawValues()); strings.Contains(raw, card) || strings.Contains(raw, "ann@") {
				t.Errorf("%v shows %s", mode, raw)
			}
			if !strings.Contains(string(rows.RawValues()[0]), "call ") {
				t.Errorf("%v hides harmless text: %q", mode, rows.RawValues()[0])
			}
			if v := rows.RawValues()[2]; v != nil {
				t.Errorf("%v shows a card as bigint: %q", mode, v)
			}
		}
		if rows.Err() != nil {
			t.Fatal(rows.Err())
		}
	}
}

// A result of many reads is looked at to its end: once, the detectors saw only
// what the first read had brought, and the rest passed in clear.
func TestDetectorsSeeEveryReadOfAResult(t *testing.T) {
	d := labels()
	d.Detectors = []policy.DetectorSpec{{Classes: []string{"*"}}}
	c := pgxConn(t, relayWorld(t, d).connString(""))
	const rows = 5000
	for _, sql := range []string{
		"select i, 'write to person' || i || '@example.org, not to ' || repeat('nobody ', 20) from generate_series(1, %d) i",
		"copy (select i, 'write to person' || i || '@example.org, not to ' || repeat('nobody ', 20) from generate_series(1, %d) i) to stdout",
	} {
		var out bytes.Buffer
		if strings.HasPrefix(sql, "copy") {
			if _, err := c.PgConn().CopyTo(t.Context(), &out, fmt.Sprintf(sql, rows)); err != nil {
				t.Fatal(err)
			}
		} else {
			for _, r := range c.PgConn().ExecParams(t.Context(), fmt.Sprintf(sql, rows), nil, nil, nil, nil).Read().Rows {
				out.Write(bytes.Join(r, []byte("\t")))
			}
		}
		if n := strings.Count(out.String(), "@example.org"); n != 0 {
			t.Errorf("%d of %d values came in clear: %s", n, rows, sql)
		}
		if n := strings.Count(out.String(), "write to "); n != rows {
			t.Errorf("%d rows of %d: %s", n, rows, sql)
		}
	}
}
