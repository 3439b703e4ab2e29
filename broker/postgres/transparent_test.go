package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// talk sends frames and gives every byte that comes back, up to the given
// number of ReadyForQuery.
func talk(t testing.TB, c net.Conn, send []byte, ready int) []byte {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	defer c.SetDeadline(time.Time{})
	failed := make(chan error, 1)
	go func() { _, err := c.Write(send); failed <- err }()
	var got []byte
	for ready > 0 {
		kind, body, err := readAny(c)
		if err != nil {
			t.Fatalf("after %.2000q: %v", got, err)
		}
		got = append(got, kind)
		got = binary.BigEndian.AppendUint32(got, uint32(len(body)+4))
		if kind == 'A' { // the process ID differs from session to session
			body = append([]byte("pid."), body[4:]...)
		}
		got = append(got, body...)
		if kind == 'Z' {
			ready--
		}
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	return got
}

// readAny reads a message of any size.
func readAny(r io.Reader) (kind byte, body []byte, err error) {
	var head [headerSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	body = make([]byte, binary.BigEndian.Uint32(head[1:])-4)
	_, err = io.ReadFull(r, body)
	return head[0], body, err
}

func u16(n int) string { return string(binary.BigEndian.AppendUint16(nil, uint16(n))) }
func u32(n int) string { return string(binary.BigEndian.AppendUint32(nil, uint32(n))) }

func parse(name, text string, oids ...int) string {
	s := name + "\x00" + text + "\x00" + u16(len(oids))
	for _, o := range oids {
		s += u32(o)
	}
	return string(frame('P', s))
}

// bindTo binds text parameters; result is the format of all columns.
func bindTo(portal, name string, result int, params ...string) string {
	s := portal + "\x00" + name + "\x00" + u16(0) + u16(len(params))
	for _, p := range params {
		s += u32(len(p)) + p
	}
	return string(frame('B', s+u16(1)+u16(result)))
}

func describe(kind, name string) string { return string(frame('D', kind+name+"\x00")) }
func closing(kind, name string) string  { return string(frame('C', kind+name+"\x00")) }
func execute(portal string, rows int) string {
	return string(frame('E', portal+"\x00"+u32(rows)))
}
func simple(text string) string { return string(frame('Q', text+"\x00")) }

// transparent gives two connections of one role, directly and through hoop.
func transparent(t testing.TB, w *world) (past, through net.Conn) {
	t.Helper()
	s := testServer(t)
	w.secret.User = "trust_user"
	w.target.TLS.Mode = "disable"
	past, err := net.Dial("tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	if err != nil {
		t.Fatal(err)
	}
	dir, port := w.listen()
	through, err = net.Dial("unix", filepath.Join(dir, ".s.PGSQL."+port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { past.Close(); through.Close() })
	for _, c := range []net.Conn{past, through} {
		m := rawStartup(t, c, protocol30, "user", "trust_user", "database", "postgres", "application_name", "same")
		if len(m) == 0 || m[len(m)-1].kind != 'Z' {
			t.Fatalf("startup: %v", m)
		}
	}
	return past, through
}

func TestBytesAreTheSame(t *testing.T) {
	superuser(t, `drop table if exists wire cascade; create table wire (id int primary key, name text, born date, amount numeric, raw bytea, tags text[], doc jsonb);
		insert into wire select i, 'name ' || i, date '2000-01-01' + i, i * 1.5, decode(md5(i::text), 'hex'), array['a', 'b' || i], jsonb_build_object('i', i) from generate_series(1, 300) i;
		drop table if exists ci, df; create table ci (a int, b text); create table df (i int unique deferrable initially deferred);
		grant all on wire, ci, df to public`)
	S, H := string(frame('S')), string(frame('H'))
	for _, tt := range []struct {
		name, send string
		ready      int
		own        bool // hoop answers with an error of its own, with other details
	}{
		{"simple", simple("select * from wire order by id"), 1, false},
		{"empty", simple("") + simple(" ; ") + simple(";;"), 3, false},
		{"several", simple("select 1; select 'two'; select count(*) from wire; select 3 where false"), 1, false},
		{"error in the middle", simple("select 1; select 1/0; select 2"), 1, false},
		{"error in a transaction", simple("begin") + simple("select 1/0") + simple("select 1") + simple("rollback") + simple("select 2"), 5, false},
		{"implicit transaction", simple("create temp table tt (i int); insert into tt values (1); select 1/0") + simple("select * from tt"), 2, false},
		{"notices", simple("do $$ begin raise notice 'hello %', 1; raise warning 'careful'; end $$") + simple("drop table if exists nothing_here"), 2, false},
		{"set", simple("set application_name = 'other'") + simple("set timezone = 'Europe/Berlin'; show timezone") + simple("reset application_name") + simple("reset timezone"), 4, false},
		{"extended", parse("", "select * from wire where id > $1::int order by id") + bindTo("", "", 0, "290") + describe("P", "") + execute("", 0) + S, 1, false},
		{"extended in binary", parse("", "select id, name, born, amount, raw, tags, doc from wire where id < $1 order by id", 23) + bindTo("", "", 1, "10") + describe("P", "") + execute("", 0) + S, 1, false},
		{"no describe", parse("", "select id from wire where id < 4 order by id") + bindTo("", "", 1) + execute("", 0) + S, 1, false},
		{"named", parse("st", "select $1::text || 'x'") + describe("S", "st") + S + bindTo("po", "st", 0, "a") + execute("po", 0) + S +
			bindTo("po", "st", 0, "b") + describe("P", "po") + execute("po", 0) + closing("P", "po") + closing("S", "st") + S, 3, false},
		{"closed is gone", parse("gone", "select 1") + closing("S", "gone") + bindTo("", "gone", 0) + execute("", 0) + S, 1, false},
		{"name taken", parse("dup", "select 1") + S + parse("dup", "select 2") + bindTo("", "dup", 0) + execute("", 0) + S +
			bindTo("", "dup", 0) + execute("", 0) + closing("S", "dup") + S, 3, false},
		{"portal in parts", simple("begin") + parse("", "select i from generate_series(1, 7) i") + bindTo("p", "", 0) + execute("p", 3) + execute("p", 3) + execute("p", 3) + execute("p", 3) + S + simple("commit"), 3, false},
		{"suspended at sync", parse("", "select i from generate_series(1, 7) i") + bindTo("p", "", 0) + execute("p", 3) + S + execute("p", 3) + S, 2, true},
		{"suspended over sync", simple("begin") + parse("", "select i from generate_series(1, 7) i") + bindTo("p", "", 0) + execute("p", 3) + S + execute("p", 0) + S + simple("rollback"), 4, false},
		{"empty extended", parse("", "") + bindTo("", "", 0) + describe("P", "") + execute("", 0) + S + parse("", " ") + bindTo("", "", 0) + execute("", 0) + S, 2, false},
		{"several in parse", parse("", "select 1; select 2") + S, 1, true},
		{"flush", parse("", "select 1") + H + bindTo("", "", 0) + H + execute("", 0) + H + S, 1, false},
		{"error skips to sync", parse("", "select 1/$1::int") + bindTo("", "", 0, "0") + execute("", 0) + parse("", "select 1") + bindTo("", "", 0) + execute("", 0) + S +
			parse("", "select 1") + bindTo("", "", 0) + execute("", 0) + S, 2, false},
		{"query within a failed segment", parse("", "select nonsense") + simple("select 1") + S + simple("select 2"), 2, false},
		{"bad parse", parse("", "select nonsense from wire") + bindTo("", "", 0) + execute("", 0) + S, 1, false},
		{"unknown names", bindTo("", "nope", 0) + S + describe("S", "nope") + S + describe("P", "nope") + S + closing("S", "nope") + S, 4, false},
		{"pipeline", strings.Repeat(parse("", "select $1::int")+bindTo("", "", 0, "5")+execute("", 0)+S, 50), 50, false},
		{"backslashes in a pipeline", parse("", `select '\', E'\'', 'é'`) + bindTo("", "", 0) + execute("", 0) + parse("", `select '\\' as "ö"`) + bindTo("", "", 0) + execute("", 0) + S, 1, false},
		{"cursors", simple("begin; declare c cursor for select * from wire order by id") + simple("fetch 5 from c") + simple("move 3 in c; fetch c") + simple("close c; commit"), 4, false},
		{"prepare in SQL", simple("prepare sp as select $1::int + 1") + simple("execute sp(41)") + simple("deallocate sp"), 3, false},
		{"listen", simple("listen ch") + simple("notify ch, 'payload'") + simple("unlisten ch"), 3, false},
		{"copy out", simple("copy wire to stdout") + simple("copy wire (id, name) to stdout with csv header") + simple("copy wire to stdout (format binary)"), 3, false},
		{"copy in", simple("copy ci from stdin") + string(frame('d', "1\tone\n2\ttwo\n")) + string(frame('d', "3\tth")) + string(frame('d', "ree\n")) + string(frame('c')) + simple("select * from ci"), 2, false},
		{"copy in that fails", simple("copy ci from stdin") + string(frame('d', "x\tone\n")) + string(frame('d', "2\ttwo\n")) + string(frame('c')) + simple("select * from ci"), 2, false},
		{"copy in given up", simple("copy ci from stdin") + string(frame('d', "7\tone\n")) + string(frame('f', "changed my mind\x00")) + simple("select * from ci"), 2, false},
		{"copy in extended", parse("", "copy ci from stdin") + bindTo("", "", 0) + execute("", 0) + S + string(frame('d', "8\teight\n")) + string(frame('c')) + S + simple("select * from ci"), 2, false},
		{"copy in extended that fails", parse("", "copy ci from stdin") + bindTo("", "", 0) + execute("", 0) + string(frame('d', "y\teight\n")) + string(frame('c')) + S + simple("select count(*) from ci"), 2, false},
		{"two copies in one query", simple("copy ci from stdin; select 'between'; copy ci from stdin") + string(frame('d', "9\tn\n")) + string(frame('c')) + string(frame('d', "10\tn\n")) + string(frame('c')), 1, false},
		{"stray copy data", string(frame('d', "9\tn\n")) + string(frame('c')) + simple("select 1"), 1, false},
		{"large rows", simple("select repeat('x', 300000) from generate_series(1, 20)") + simple("select repeat('y', 5000000)"), 2, false},
		{"many rows", simple("select i, repeat('z', 40) from generate_series(1, 30000) i"), 1, false},
		{"large text", simple("select length('" + strings.Repeat("q", 400000) + "')"), 1, false},
		{"deferred error at sync", parse("", "insert into df values (1), (1)") + bindTo("", "", 0) + execute("", 0) + S + simple("select count(*) from df"), 2, false},
		{"discard", simple("discard all") + simple("select 1"), 2, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			past, through := transparent(t, relayWorld(t))
			superuser(t, "truncate ci")
			want := talk(t, past, []byte(tt.send), tt.ready)
			superuser(t, "truncate ci")
			got := talk(t, through, []byte(tt.send), tt.ready)
			if tt.own {
				want, got = withoutExtras(t, want), withoutExtras(t, got)
			}
			if !bytes.Equal(want, got) {
				t.Errorf("%s", cmp.Diff(chunks(want), chunks(got)))
			}
		})
	}
}

// withoutExtras leaves only severity, code and message of errors.
func withoutExtras(t testing.TB, b []byte) []byte {
	var out []byte
	for len(b) > 0 {
		kind, size, err := frameSize(b)
		if err != nil {
			t.Fatal(err)
		}
		msg := b[:size]
		b = b[size:]
		if kind == 'E' {
			r := report{body: msg[headerSize:]}
			msg = fmt.Appendf(nil, "E\x00\x00\x00\x05%s %s %s", r.field('V'), r.field('C'), r.field('M'))
		}
		out = append(out, msg...)
	}
	return out
}

// chunks cuts a stream into its messages, for people to read.
func chunks(b []byte) []string {
	var out []string
	for len(b) > 0 {
		_, size, err := frameSize(b)
		if err != nil || size == 0 || size > len(b) {
			return append(out, fmt.Sprintf("%.60q", b))
		}
		out = append(out, fmt.Sprintf("%.200q", b[:size]))
		b = b[size:]
	}
	return out
}

func TestPsqlIsTheSame(t *testing.T) {
	superuser(t, `drop table if exists people cascade; create table people (id int default 7, name text not null, ssn text unique); grant all on people to app;
		drop view if exists v_people; create view v_people as select name from people; grant all on v_people to app`)
	dir := t.TempDir()
	file := filepath.Join(dir, "people.tsv")
	if err := os.WriteFile(file, []byte("ann\t111-22-3333\nben\t\\N\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	text := `\set VERBOSITY verbose
\set SHOW_CONTEXT always
delete from people;
\copy people (name, ssn) from '` + file + `'
\copy people (name, ssn) to stdout csv header
\d people
\d+ v_people
\dt
\l
insert into people (name, ssn) values ('cy', '111-22-3333');
insert into people (name) values (null) returning *;
select * from people \gx
select $1, $2 \bind 'a' 'b' \g
select id, name from people \gdesc
\errverbose
begin; savepoint a; select 1/0; rollback to a; select 'still here'; commit;
\set ON_ERROR_ROLLBACK on
begin; select nonsense; select 'goes on'; commit;
\set FETCH_COUNT 2
select i from generate_series(1, 5) i;
do $$ begin raise exception 'boom' using detail = 'D', hint = 'H'; end $$;
select pg_notify('c', 'x'); listen c; notify c, 'hi';
select 1 as a \; select 2 as b;
select pg_advisory_lock(1), pg_advisory_unlock(1);
\timing on
`
	clean := func(s string) string { // what differs from run to run, and where in PostgreSQL an error is raised
		out := slices.DeleteFunc(strings.Split(s, "\n"), func(l string) bool { return strings.HasPrefix(l, "LOCATION: ") })
		for i, l := range out {
			if strings.HasPrefix(l, "Time:") || strings.Contains(l, "Asynchronous notification") {
				out[i] = l[:5]
			}
		}
		return strings.Join(out, "\n")
	}
	want := clean(script(t, direct(t), text))
	got := clean(script(t, relayWorld(t).connString(""), text))
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if !strings.Contains(got, "still here") || !strings.Contains(got, "ann,111-22-3333") {
		t.Errorf("the script does nothing:\n%s", got)
	}
}

func TestPgxIsTheSame(t *testing.T) {
	superuser(t, `drop table if exists bulk; create table bulk (id bigint, name text, at timestamptz); grant all on bulk to app`)
	run := func(conn string) []string {
		ctx := t.Context()
		c := pgxConn(t, conn)
		var got []string
		note := func(v any, err error) { got = append(got, fmt.Sprintf("%v %v", v, code(err))) }
		_, err := c.Exec(ctx, "truncate bulk")
		note("truncate", err)
		n, err := c.CopyFrom(ctx, pgx.Identifier{"bulk"}, []string{"id", "name", "at"}, pgx.CopyFromSlice(5000, func(i int) ([]any, error) {
			return []any{i, fmt.Sprint("name ", i), time.Unix(int64(i), 0)}, nil
		}))
		note(n, err)
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
			var sum int64
			var last time.Time
			err := c.QueryRow(ctx, "select sum(id), max(at) from bulk where id < $1", mode, 100).Scan(&sum, &last)
			note(fmt.Sprint(mode, sum, last.Unix()), err)
		}
		var b pgx.Batch
		for i := range 100 {
			b.Queue("select name from bulk where id = $1", i)
		}
		b.Queue("select 1/0")
		b.Queue("select 1")
		res := c.SendBatch(ctx, &b)
		for range b.Len() {
			var name string
			note(name, res.QueryRow().Scan(&name))
		}
		note("batch", res.Close())
		var out bytes.Buffer
		tag, err := c.PgConn().CopyTo(ctx, &out, "copy bulk to stdout")
		note(tag.String()+fmt.Sprint(out.Len()), err)
		out.Reset()
		tag, err = c.PgConn().CopyTo(ctx, &out, "copy (select * from bulk) to stdout (format binary)")
		note(tag.String()+fmt.Sprint(out.Len()), err)
		ctx2, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		_, err = c.Exec(ctx2, "select pg_sleep(10)")
		note("timeout", nil)
		if err == nil {
			t.Error("a sleep of 10 s ended early")
		}
		return got
	}
	want := run(direct(t))
	got := run(relayWorld(t).connString(""))
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
