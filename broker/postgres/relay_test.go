package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"hoop/policy"
	"hoop/policy/sql"
	"hoop/recorder"
)

// analyzer understands SQL as the broker does; starting it takes a second.
var analyzer = sync.OnceValues(func() (*sql.Analyzer, error) { return sql.New(sql.Options{Workers: 1}) })

// relayWorld is a world whose statements are understood.
func relayWorld(t testing.TB, docs ...policy.Document) *world {
	if len(docs) == 0 {
		unknown := true
		docs = []policy.Document{{Rules: []policy.RuleSpec{
			{Name: "all", Effect: "allow"}, {Name: "even so", SQL: &policy.SQLSpec{Unknown: &unknown}, Effect: "allow"}}}}
	}
	w := newWorld(t, docs...)
	a, err := analyzer()
	if err != nil {
		t.Fatal(err)
	}
	w.engine.analyzer = a
	return w
}

// direct is a connection string past hoop, as the same role.
func direct(t testing.TB) string {
	s := testServer(t)
	return fmt.Sprintf("host=%s port=%d user=app password=%s dbname=postgres sslmode=disable", s.Host, s.Port, rolePassword)
}

// script runs a psql script and gives everything it prints.
func script(t testing.TB, conn, text string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(testServer(t).BinDir, "psql"), append([]string{"-X", "-q", "-A", "-d", conn}, args...)...)
	cmd.Env = []string{"LC_ALL=C.UTF-8", "PGTZ=UTC"}
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("psql hangs; so far:\n%s", out)
	}
	return string(out)
}

func superuser(t testing.TB, text string) string {
	t.Helper()
	out, err := testServer(t).Exec(t.Context(), "postgres", text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func pgxConn(t testing.TB, conn string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return fmt.Sprint(err)
}

// noDeletes allows all but deletes.
func noDeletes() policy.Document {
	return policy.Document{Rules: []policy.RuleSpec{
		{Name: "no deletes", Actions: []string{"sql.delete"}, Effect: "deny", Reason: "rows are kept", Hint: "mark them instead"},
		{Name: "all", Effect: "allow"},
	}}
}

func TestDeniedStatementInSimpleQuery(t *testing.T) {
	w := relayWorld(t, noDeletes())
	superuser(t, `create table if not exists kept (id int); grant all on kept to app; truncate kept; insert into kept values (1), (2)`)
	got := script(t, w.connString(""), `\set VERBOSITY verbose
begin;
delete from kept;
select 1 as after;
rollback;
select count(*) from kept;
select 1; delete from kept; select 2;
select 'one' as multi \; delete from kept \; select 'two';
blah blah;
select 'on' as goes;
`)
	for _, want := range []string{
		"ERROR:  42501: denied by policy: rows are kept\nDETAIL:  The rule that decided is \"no deletes\".\nHINT:  mark them instead\n",
		"ERROR:  25P02: current transaction is aborted",
		"count\n2\n", "goes\non\n", "ERROR:  42601: syntax error at or near \"blah\"\nLINE 1: blah blah;\n        ^\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("psql printed\n%s\nwithout\n%s", got, want)
		}
	}
	if strings.Contains(got, "multi") {
		t.Errorf("part of a denied query ran:\n%s", got)
	}
	if n := superuser(t, `select count(*) from kept`); n != "2" {
		t.Errorf("%s rows are left", n)
	}
}

func TestOneEventPerStatement(t *testing.T) {
	w := relayWorld(t, noDeletes())
	superuser(t, `drop table if exists kept; create table kept (id int); grant all on kept to app`)
	c := pgxConn(t, w.connString(""))
	ctx := t.Context()
	if _, err := c.PgConn().Exec(ctx, "insert into kept select generate_series(1, 5); select * from kept").ReadAll(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PgConn().Exec(ctx, "select 1/0; select 3").ReadAll(); code(err) != "22012" {
		t.Fatal(err)
	}
	rows, _ := c.Query(ctx, "select id from kept where id > $1", 2)
	if _, err := pgx.CollectRows(rows, pgx.RowTo[int]); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(ctx, "delete from kept where id = $1", 1); code(err) != "42501" {
		t.Fatal(err)
	}
	_ = c.Close(ctx)
	type seen struct {
		Action  uint64
		Text    string
		Outcome string
		Code    string
		Rows    int64
	}
	var got []seen
	deadline := time.Now().Add(5 * time.Second)
	for len(w.events.of(recorder.ActionFinished)) < 5 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	finished := map[uint64]recorder.Event{}
	for _, ev := range w.events.of(recorder.ActionFinished) {
		if _, twice := finished[ev.Action]; twice {
			t.Errorf("action %d finished twice", ev.Action)
		}
		finished[ev.Action] = ev
	}
	for _, ev := range w.events.of(recorder.ActionDecided) {
		f := finished[ev.Action]
		s := seen{ev.Action, strings.Trim(ev.Text, " ;"), f.Outcome, f.Code, f.Rows}
		if ev.Outcome != "" {
			s.Outcome = ev.Outcome
		}
		got = append(got, s)
	}
	want := []seen{
		{1, "insert into kept select generate_series(1, 5)", "ok", "", 5},
		{2, "select * from kept", "ok", "", 5},
		{3, "select 1/0", "error", "22012", 0},
		{4, "select 3", "skipped", "", 0},
		{5, "select id from kept where id > $1", "ok", "", 3},
		{6, "delete from kept where id = $1", "denied", "", 0},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestPipelineWithADenial compares what follows a denial in a pipeline with
// what follows a real error of PostgreSQL.
func TestPipelineWithADenial(t *testing.T) {
	w := relayWorld(t, noDeletes())
	superuser(t, `drop table if exists kept, log; create table kept (id int); create table log (id int); grant all on kept, log to app`)
	run := func(conn, bad string) []string {
		superuser(t, `truncate kept, log; insert into kept values (1)`)
		c := pgxConn(t, conn).PgConn()
		ctx := t.Context()
		p := c.StartPipeline(ctx)
		p.SendQueryParams("insert into log values (1)", nil, nil, nil, nil)
		p.SendPipelineSync()
		p.SendQueryParams("insert into log values (2)", nil, nil, nil, nil)
		p.SendQueryParams(bad, nil, nil, nil, nil)
		p.SendQueryParams("insert into log values (3)", nil, nil, nil, nil)
		p.SendPipelineSync()
		p.SendQueryParams("insert into log values (4)", nil, nil, nil, nil)
		p.SendPipelineSync()
		if err := p.Flush(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for syncs := 0; syncs < 3; {
			res, err := p.GetResults()
			switch r := res.(type) {
			case *pgconn.ResultReader:
				_, err = r.Close()
				got = append(got, fmt.Sprint("result ", err != nil))
			case *pgconn.PipelineSync:
				syncs++
				got = append(got, "sync")
			default:
				got = append(got, fmt.Sprintf("%T %v", res, err != nil))
			}
		}
		if err := p.Close(); err == nil {
			got = append(got, "closed")
		}
		return append(got, superuser(t, "select string_agg(id::text, ',' order by id) from log"))
	}
	want := run(direct(t), "delete from absent_table")
	got := run(w.connString(""), "delete from kept")
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if !slices.Contains(got, "1,4") {
		t.Errorf("%q: the segment with the denial had an effect", got)
	}
}

// A name that an earlier segment defined must not get the verdict of a later
// definition that failed.
func TestVerdictBelongsToTheTextThatRuns(t *testing.T) {
	w := relayWorld(t, noDeletes())
	superuser(t, `drop table if exists kept; create table kept (id int); grant all on kept to app; insert into kept values (1)`)
	c := pgxConn(t, w.connString(""))
	ctx := t.Context()
	raw := c.PgConn()
	if _, err := raw.Prepare(ctx, "s", "select id from kept", nil); err != nil {
		t.Fatal(err)
	}
	w.policy = w.compile(policy.Document{Rules: []policy.RuleSpec{
		{Name: "no reading", Actions: []string{"sql.select"}, Effect: "deny"}, {Name: "all", Effect: "allow"}}})
	p := raw.StartPipeline(ctx)
	p.SendPrepare("s", "insert into kept values (2)", nil) // fails: the name is taken
	p.SendPipelineSync()
	p.SendQueryPrepared("s", nil, nil, nil) // so this is the select
	p.SendPipelineSync()
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	var codes []string
	for syncs := 0; syncs < 2; {
		res, err := p.GetResults()
		if r, ok := res.(*pgconn.ResultReader); ok {
			_, err = r.Close()
		}
		if _, ok := res.(*pgconn.PipelineSync); ok {
			syncs++
			continue
		}
		codes = append(codes, code(err))
	}
	_ = p.Close()
	if d := cmp.Diff([]string{"42P05", "42501"}, codes); d != "" {
		t.Error(d)
	}
	for _, ev := range w.events.of(recorder.ActionDecided) {
		if ev.Text == "insert into kept values (2)" {
			t.Error("a statement was judged that could not run")
		}
	}
}

func (w *world) compile(doc policy.Document) *policy.Policy {
	w.t.Helper()
	p, err := policy.Compile([]policy.Document{doc})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// A statement that SQL prepared under a name that the protocol used before is
// not run on the verdict of the old text.
func TestPrepareInSQLTakesTheName(t *testing.T) {
	w := relayWorld(t, noDeletes())
	superuser(t, `drop table if exists kept; create table kept (id int); grant all on kept to app; insert into kept values (1)`)
	c := pgxConn(t, w.connString("")).PgConn()
	ctx := t.Context()
	if _, err := c.Prepare(ctx, "s", "select id from kept", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(ctx, "deallocate s; prepare s as delete from kept").ReadAll(); err != nil {
		t.Fatal(err)
	}
	if err := c.ExecPrepared(ctx, "s", nil, nil, nil).Read().Err; code(err) != "34000" {
		t.Errorf("executing gave %v", err)
	}
	if n := superuser(t, `select count(*) from kept`); n != "1" {
		t.Error("the statement ran")
	}
}

func TestRevokedSession(t *testing.T) {
	w := relayWorld(t)
	c, server := tcpPair(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.engine.Serve(ctx, server, w.session("alice", "pg")) }()
	rawStartup(t, c, protocol30, "user", "x")
	query(t, c, "select pg_sleep(60), 'revoked session'")
	asleep(t, "revoked session")
	cancel(errors.New("alice was revoked"))
	rest := readMessages(t, c)
	if len(rest) == 0 || rest[len(rest)-1].kind != 'E' || !bytes.Contains(rest[len(rest)-1].body, []byte("alice was revoked")) {
		t.Errorf("the client read %+v", rest)
	}
	if err := <-done; err == nil || err.Error() != "alice was revoked" {
		t.Errorf("Serve gave %v", err)
	}
	if n := superuser(t, `select pg_sleep(0.05); select count(*) from pg_stat_activity where state = 'active' and query like '%revoked session%' and pid <> pg_backend_pid()`); !strings.HasSuffix(n, "0") {
		t.Error("the statement goes on")
	}
}

func query(t testing.TB, c interface{ Write([]byte) (int, error) }, text string) {
	t.Helper()
	if _, err := c.Write(frame('Q', text+"\x00")); err != nil {
		t.Fatal(err)
	}
}

func sleepBriefly() { time.Sleep(5 * time.Millisecond) }

// While a slow result is under way its session gives its buffers back, and goes
// on by the same plan.
func TestSlowResultGoesOn(t *testing.T) {
	superuser(t, clientsSQL)
	w := relayWorld(t, labels())
	w.engine.idle = 10 * time.Millisecond
	c := pgxConn(t, w.connString(""))
	rows, err := c.Query(t.Context(), "select ssn, repeat('x', 20000), pg_sleep(0.05) from clients order by id limit 5")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() {
		n++
		if got, want := string(rows.RawValues()[0]), fmt.Sprintf("***-**-100%d", n); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if rows.Err() != nil || n != 5 {
		t.Errorf("%d rows, %v", n, rows.Err())
	}
	// And a portal that is executed in parts, with nothing but silence between.
	_, raw := transparent(t, w)
	superuser(t, "grant all on clients to trust_user")
	got := string(talk(t, raw, []byte(simple("begin")), 1))
	send := func(s string) {
		if _, err := raw.Write([]byte(s + string(frame('H')))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	send(parse("", "select ssn from clients order by id") + bindTo("p", "", 0) + execute("p", 1))
	send(execute("p", 1))
	got = string(talk(t, raw, []byte(execute("p", 1)+string(frame('S'))), 1))
	leaks(t, "the portal", got)
	if strings.Count(got, "***-**-100") != 3 {
		t.Errorf("got %q", got)
	}
}

// EXECUTE of SQL is judged by what it runs, once the target has that.
func TestExecuteInSQL(t *testing.T) {
	w := relayWorld(t, policy.Document{Rules: []policy.RuleSpec{
		{Name: "no writing", SQL: &policy.SQLSpec{Effects: []string{"write"}}, Actions: []string{"sql.execute"}, Effect: "deny"},
		{Name: "all", Effect: "allow"}}})
	superuser(t, `drop table if exists kept; create table kept (id int); grant all on kept to app; insert into kept values (1)`)
	got := script(t, w.connString(""), `\set VERBOSITY terse
prepare r as select 'reads'; execute r;
prepare d as delete from kept;
execute d;
prepare r as delete from kept;
execute r;
execute nobody;
select 1 \; prepare one as select 'of one' \; execute one;
`)
	for _, want := range []string{"reads", "denied by policy", "of one", "already exists"} {
		if !strings.Contains(got, want) {
			t.Errorf("without %q:\n%s", want, got)
		}
	}
	_, c := transparent(t, w)
	superuser(t, "grant all on kept to trust_user")
	S := string(frame('S'))
	got = string(talk(t, c, []byte(simple("prepare p as select 1")+simple("deallocate p")+parse("p", "delete from kept")+S+simple("execute p")+
		simple("prepare q as select 1")+simple("deallocate q; prepare q as delete from kept; execute q")+
		parse("x", "execute z")+bindTo("", "x", 0)+S+simple("prepare z as delete from kept")+parse("", "execute z")+bindTo("", "", 0)+execute("", 0)+S), 9))
	if n := superuser(t, `select count(*) from kept`); n != "1" {
		t.Errorf("a statement ran on the verdict of another:\n%q", got)
	}
}
