package postgres

import (
	"context"
	"crypto/ed25519"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"hoop/broker"
	"hoop/broker/approval"
	"hoop/broker/store"
	"hoop/policy"
	"hoop/recorder"
)

// holding is a world in which some statements wait for people.
type holding struct {
	*world
	desk *approval.Desk
}

// asking lets group approver answer for what the spec matches, and allows all
// else.
func asking(spec *policy.SQLSpec) policy.Document {
	return policy.Document{Rules: []policy.RuleSpec{
		{Name: "ask", SQL: spec, Effect: "require_approval", Reason: "rows go for good", Approval: &policy.ApprovalSpec{Groups: []string{"approver"}}},
		{Name: "all", Effect: "allow"},
	}}
}

func deletes() *policy.SQLSpec { return &policy.SQLSpec{Kinds: []string{"delete", "execute"}} }

func newHolding(t testing.TB, doc policy.Document) *holding {
	t.Helper()
	w := relayWorld(t, doc)
	return holdingOn(t, w, &w.events)
}

// holdingOn keeps what happens in a recorder of the caller's.
func holdingOn(t testing.TB, w *world, rec broker.Recorder) *holding {
	t.Helper()
	h := &holding{world: w}
	h.deps.Recorder = rec
	st, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h.desk, err = approval.New(t.Context(), approval.Config{State: st, Recorder: rec, Policy: func() *policy.Policy { return h.policy }})
	if err != nil {
		t.Fatal(err)
	}
	h.deps.Approvals = h.desk
	t.Cleanup(func() { h.desk.Close(); _ = st.Close() }) // after the sessions: cleanups run backwards
	return h
}

// reload puts another policy in force.
func (h *holding) reload(doc policy.Document) {
	h.t.Helper()
	p, err := policy.Compile([]policy.Document{doc})
	if err != nil {
		h.t.Fatal(err)
	}
	h.policy = p
}

// orders makes the table that these tests delete from.
func orders(t testing.TB) {
	superuser(t, `drop schema if exists evil cascade; drop table if exists orders, archive cascade; create table orders (id int, note text); create table archive (id int, note text);
		insert into orders select i, 'order' from generate_series(1, 10) i; insert into archive select i, 'kept' from generate_series(1, 10) i;
		grant all on orders, archive to app; alter table orders owner to app; alter table archive owner to app`)
}

// waiting gives the approval that somebody waits for.
func (h *holding) waiting() approval.Approval {
	h.t.Helper()
	return h.waitingFor(1)[0]
}

func (h *holding) waitingFor(n int) []approval.Approval {
	h.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if all, _ := h.desk.List(h.t.Context(), approval.Pending); len(all) == n {
			return all
		}
	}
	h.t.Fatalf("no %d approvals were asked for", n)
	return nil
}

// previewed gives what the broker found out, once it has.
func (h *holding) previewed(a approval.Approval) *approval.Preview {
	h.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		now, err := h.desk.Get(h.t.Context(), a.ID)
		if err != nil {
			h.t.Fatal(err)
		}
		if now.Preview != nil {
			return now.Preview
		}
	}
	h.t.Fatal("nothing was found out")
	return nil
}

// approver is a person with a key of their own.
func approver(name string, groups ...string) (*approval.Approver, ed25519.PrivateKey) {
	pub, key, _ := ed25519.GenerateKey(nil)
	p := policy.Principal{ID: "test|" + name, Name: name, Kind: policy.Person, Groups: groups}
	return &approval.Approver{Principal: p, Chain: policy.Chain{{ID: p.ID, Name: p.Name, Kind: p.Kind}}, Key: pub}, key
}

// answer answers as bob.
func (h *holding) answer(a approval.Approval, said approval.Answer) error {
	who, key := approver("bob", "approver")
	said.Signature = ed25519.Sign(key, said.Message(a.ID, a.Signs))
	_, err := h.desk.Answer(h.t.Context(), a.ID, a.Signs, who, said)
	return err
}

// meanwhile runs f while something is held and gives what the held one gave.
func (h *holding) meanwhile(held func() error, f func(approval.Approval)) error {
	h.t.Helper()
	var err error
	var wg sync.WaitGroup
	wg.Go(func() { err = held() })
	f(h.waiting())
	wg.Wait()
	return err
}

func (h *holding) approve(a approval.Approval) {
	h.t.Helper()
	if err := h.answer(a, approval.Answer{Decision: approval.Approve}); err != nil {
		h.t.Error(err)
	}
}

func left(t testing.TB) string { return superuser(t, "select count(*) from orders") }

func lastDecided(t testing.TB, h *holding) recorder.Event {
	t.Helper()
	all := h.events.of(recorder.ActionDecided)
	return all[len(all)-1]
}

// A held statement runs once it is approved, in psql as it is; the notice
// comes before, and the transaction around it is untouched.
func TestApprovedInPsql(t *testing.T) {
	h := newHolding(t, asking(deletes()))
	orders(t)
	var out string
	err := h.meanwhile(func() error {
		out = script(t, h.connString(""), "begin;\ninsert into orders values (99, 'new');\ndelete from orders where id <= 3;\nselect count(*) from orders;\ncommit;\n")
		return nil
	}, func(a approval.Approval) {
		if left(t) != "10" {
			t.Error("something ran before the answer")
		}
		if a.Text != "delete from orders where id <= 3;" || a.Rule != "ask" || a.Principal.Name != "alice" {
			t.Errorf("asked for %+v", a.Request)
		}
		h.approve(a)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`NOTICE:  hoop: this statement waits for an approval: rule "ask": rows go for good`, "group approver may answer until", "hoop approve ", "\n8\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("psql did not show %q:\n%s", want, out)
		}
	}
	if n := left(t); n != "8" {
		t.Errorf("%s rows are left", n)
	}
	var seen []string
	for _, ev := range h.events.of(recorder.ActionDecided) {
		if ev.Approval != nil {
			seen = append(seen, ev.Approval.State+" by "+strings.Join(ev.Approval.Approvers, ","))
		}
	}
	if len(seen) != 1 || seen[0] != "approved by bob" {
		t.Errorf("the record has %q", seen)
	}
}

// Each end of an approval, in each form of the protocol: the client reads why,
// nothing ran, and transaction, prepared statements and session live on.
func TestEndsOfAnApproval(t *testing.T) {
	h := newHolding(t, asking(deletes()))
	orders(t)
	c := pgxConn(t, h.connString(""))
	ctx := t.Context()
	if _, err := c.Prepare(ctx, "kept", "select note from archive where id = $1"); err != nil {
		t.Fatal(err)
	}
	tx, err := c.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	modes := []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeCacheStatement}
	for _, mode := range modes {
		for _, end := range []struct {
			how  func(a approval.Approval)
			code string
			says string
		}{
			{func(a approval.Approval) {
				if err := h.answer(a, approval.Answer{Decision: approval.Deny, Comment: "not on a Friday"}); err != nil {
					t.Error(err)
				}
			}, "42501", "bob denied approval"},
			{func(a approval.Approval) { _ = c.PgConn().CancelRequest(ctx) }, "57014", "canceling statement due to user request"},
			{h.approve, "", ""},
		} {
			sub, err := tx.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			err = h.meanwhile(func() error {
				_, err := sub.Exec(ctx, "delete from orders where id = $1", mode, 5)
				return err
			}, end.how)
			if (err != nil || end.code != "") && (code(err) != end.code || !strings.Contains(err.Error(), end.says)) {
				t.Errorf("%v: got %v, want %s %s", mode, err, end.code, end.says)
			}
			if err := sub.Rollback(ctx); err != nil {
				t.Errorf("%v: after %q the transaction does not go on: %v", mode, end.says, err)
			}
		}
	}
	var note string
	if err := tx.QueryRow(ctx, "kept", 1).Scan(&note); err != nil || note != "kept" {
		t.Errorf("the prepared statement gives %q, %v", note, err)
	}
	if err := tx.Rollback(ctx); err != nil {
		t.Error(err)
	}
	states := map[string]int{}
	for _, ev := range h.events.of(recorder.ApprovalEnded) {
		states[ev.Approval.State]++
	}
	if states[approval.Denied] != 3 || states[approval.Cancelled] != 3 || states[approval.Approved] != 3 {
		t.Errorf("the record has %v", states)
	}
	if n := left(t); n != "10" {
		t.Errorf("%s rows are left", n)
	}
}

// An approval that nobody answers expires.
func TestExpires(t *testing.T) {
	doc := asking(deletes())
	doc.Rules[0].Approval.Expires = "300ms"
	h := newHolding(t, doc)
	orders(t)
	c := pgxConn(t, h.connString(""))
	_, err := c.Exec(t.Context(), "delete from orders")
	if code(err) != "42501" || !strings.Contains(err.Error(), "in time") {
		t.Errorf("got %v", err)
	}
	if _, err := c.Exec(t.Context(), "select 1"); err != nil || left(t) != "10" {
		t.Errorf("the session does not go on: %v", err)
	}
}

// A client that is killed takes its approval with it, also where it sent more
// meanwhile; and an answer that comes then settles nothing.
func TestClientKilled(t *testing.T) {
	h := newHolding(t, asking(deletes()))
	orders(t)
	_, conn := transparent(t, h.world)
	superuser(t, "grant all on orders to trust_user")
	if _, err := conn.Write([]byte(simple("delete from orders") + simple("select 1"))); err != nil {
		t.Fatal(err)
	}
	a := h.waiting()
	_ = conn.Close()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		got, err := h.desk.Get(t.Context(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.State == approval.Cancelled && strings.Contains(got.Why, "client left") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the approval is %s: %s", got.State, got.Why)
		}
	}
	if err := h.answer(a, approval.Answer{Decision: approval.Approve}); err == nil {
		t.Error("an approval of nobody was answered")
	}
	if left(t) != "10" {
		t.Error("the statement ran")
	}
}

// Nothing overtakes a held message, and its place in a pipeline stays.
func TestPipelineKeepsItsOrder(t *testing.T) {
	h := newHolding(t, asking(deletes()))
	orders(t)
	_, c := transparent(t, h.world)
	superuser(t, "grant all on orders to trust_user")
	S := string(frame('S'))
	run := func(text string) string { return parse("", text) + bindTo("", "", 0) + execute("", 0) }
	var got string
	err := h.meanwhile(func() error {
		got = string(talk(t, c, []byte(run("insert into orders values (11)")+run("delete from orders where id > 8")+run("insert into orders values (12)")+S+
			simple("select 'first'; delete from orders where id = 1; select 'last'")+simple("select 'behind'")), 1))
		return nil
	}, h.approve)
	if err != nil || strings.Count(got, "C") < 3 || strings.Contains(got, "42501") {
		t.Errorf("got %v %q", err, got)
	}
	err = h.meanwhile(func() error { got = string(talk(t, c, nil, 2)); return nil }, h.approve)
	first, last, behind := strings.Index(got, "first"), strings.Index(got, "last"), strings.Index(got, "behind")
	if err != nil || first < 0 || last < first || behind < last {
		t.Errorf("got %v %q", err, got)
	}
	if n := superuser(t, "select string_agg(id::text, ',' order by id) from orders"); n != "2,3,4,5,6,7,8,12" {
		t.Errorf("left: %s", n)
	}
}

// A session that needs an approval to open waits after AuthenticationOk, with
// a notice; a denial is its last word.
func TestSessionWaitsToOpen(t *testing.T) {
	h := newHolding(t, policy.Document{Rules: []policy.RuleSpec{
		{Name: "ask", Actions: []string{"session.open"}, Effect: "require_approval", Approval: &policy.ApprovalSpec{Names: []string{"bob"}}},
		{Name: "all", Effect: "allow"},
	}})
	var out string
	_ = h.meanwhile(func() error { out = script(t, h.connString(""), "select 'in'\n;"); return nil }, h.approve)
	if !strings.Contains(out, "opening pg waits for an approval") || !strings.Contains(out, "\nin\n") {
		t.Errorf("psql showed:\n%s", out)
	}
	_ = h.meanwhile(func() error { out = script(t, h.connString(""), "select 'in'"); return nil }, func(a approval.Approval) {
		if err := h.answer(a, approval.Answer{Decision: approval.Deny, Comment: "ask carol"}); err != nil {
			t.Error(err)
		}
	})
	if !strings.Contains(out, "FATAL:  bob denied approval") || !strings.Contains(out, "ask carol") {
		t.Errorf("psql showed:\n%s", out)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_ = h.meanwhile(func() error { _, err := pgx.Connect(ctx, h.connString("")); return err }, func(approval.Approval) { cancel() })
	for deadline := time.Now().Add(10 * time.Second); len(h.events.of(recorder.ApprovalEnded)) < 3 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	ended := h.events.of(recorder.ApprovalEnded)
	if n := len(ended); n != 3 || ended[2].Approval.State != approval.Cancelled {
		t.Errorf("the record has %d ends", n)
	}
}

var _ broker.Approver = (*approval.Desk)(nil)

// unswap takes away what the attacks below leave.
func unswap(t testing.TB) {
	superuser(t, `drop schema if exists app cascade; do $$ begin
		if exists (select from pg_class where relname = 'orders' and relkind = 'v') then drop view orders; end if; end $$;
		drop table if exists gone cascade; drop function if exists f cascade`)
}

// Approve A, run B: what was approved is compared with what would run, in the
// session itself, right before it runs.
func TestApproveOneRunAnother(t *testing.T) {
	h := newHolding(t, asking(deletes()))
	ctx := t.Context()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeCacheStatement} {
		for _, attack := range []struct{ name, sql, says string }{
			{"the table is swapped by rename", "begin; alter table orders rename to gone; alter table archive rename to orders; commit", "no longer relation public.orders"},
			{"a schema before it in search_path gets a table of that name", "create schema app; create table app.orders (id int); grant all on schema app to app; grant all on app.orders to app", "relation app.orders"},
			{"a trigger does something else instead", "create function f() returns trigger language plpgsql as 'begin delete from archive; return null; end'; create trigger t before delete on orders for each row execute function f()", "definition"},
			{"a view takes its place", "alter table orders rename to gone; create view orders as select * from archive; grant all on orders to app", "kind v"},
			{"its columns change places", "alter table orders rename id to x; alter table orders rename note to id; alter table orders rename x to note", "definition"},
		} {
			unswap(t)
			orders(t)
			c := pgxConn(t, h.connString(""))
			err := h.meanwhile(func() error {
				_, err := c.Exec(ctx, "delete from orders where note is not null", mode)
				return err
			}, func(a approval.Approval) {
				superuser(t, attack.sql)
				h.approve(a)
			})
			if code(err) != "42501" || !strings.Contains(err.Error(), attack.says) {
				t.Errorf("%v: %s: got %v", mode, attack.name, err)
			}
			if n := left(t); n != "10" {
				t.Errorf("%v: %s: something ran", mode, attack.name)
			}
			if ev := lastDecided(t, h); ev.Outcome != "denied" || ev.Approval == nil || ev.Approval.State != approval.Approved {
				t.Errorf("%v: %s: the record has %+v", mode, attack.name, ev)
			}
			_ = c.Close(ctx)
		}
	}
	unswap(t)
	orders(t)
}

// The approver sees which labels a statement touches, and where the policy puts
// another one on its table meanwhile, the answer is not for that any more.
func TestLabelsAreApprovedToo(t *testing.T) {
	doc := asking(deletes())
	doc.Labels = []policy.LabelSpec{{Columns: map[string]string{"public.orders.note": "pii.note", "public.archive.note": "pii.kept"}}}
	h := newHolding(t, doc)
	orders(t)
	c := pgxConn(t, h.connString(""))
	remove := func() error { _, err := c.Exec(t.Context(), "delete from orders where id = 1"); return err }
	err := h.meanwhile(remove, func(a approval.Approval) {
		if len(a.Labels) != 1 || a.Labels[0] != "public.orders.note: pii.note" {
			t.Errorf("the approver sees the labels %q", a.Labels)
		}
		more := doc
		more.Labels = []policy.LabelSpec{{Columns: map[string]string{"public.orders.note": "pii.note", "public.orders.id": "pii.id"}}}
		h.reload(more)
		h.approve(a)
	})
	if code(err) != "42501" || !strings.Contains(err.Error(), "public.orders.id: pii.id") || left(t) != "10" {
		t.Errorf("got %v, %s rows are left", err, left(t))
	}
	if err := h.meanwhile(remove, h.approve); err != nil || left(t) != "9" {
		t.Errorf("asked again: %v, %s rows are left", err, left(t))
	}
}

// A grant covers the same again, in another session and form of names; under
// another parameter, search_path, role or meaning of a prepared name it asks
// again.
func TestGrantCoversOnlyTheSame(t *testing.T) {
	h := newHolding(t, asking(deletes()))
	orders(t)
	ctx := t.Context()
	run := func(mode pgx.QueryExecMode, setup, text string, args ...any) error {
		c := pgxConn(t, h.connString(""))
		defer func() { _ = c.Close(ctx) }()
		if setup != "" {
			if _, err := c.PgConn().Exec(ctx, setup).ReadAll(); err != nil {
				return err
			}
		}
		_, err := c.Exec(ctx, text, append([]any{mode}, args...)...)
		return err
	}
	grant := func(a approval.Approval) {
		if err := h.answer(a, approval.Answer{Decision: approval.Approve, ForSec: 600}); err != nil {
			t.Error(err)
		}
	}
	refuse := func(a approval.Approval) {
		if err := h.answer(a, approval.Answer{Decision: approval.Deny}); err != nil {
			t.Error(err)
		}
	}
	const byID = "delete from orders where id = $1"
	if err := h.meanwhile(func() error { return run(pgx.QueryExecModeCacheStatement, "", byID, 5) }, grant); err != nil {
		t.Fatal(err)
	}
	if err := run(pgx.QueryExecModeCacheStatement, "", byID, 5); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if ev := lastDecided(t, h); ev.Approval == nil || ev.Approval.Grant == "" || ev.Outcome == "denied" {
		t.Errorf("the record has %+v", ev.Approval)
	}
	superuser(t, "drop schema if exists evil cascade; create schema evil authorization app; create table evil.orders (id int); alter table evil.orders owner to app")
	const named = "prepare d as delete from orders where id = 1"
	if err := h.meanwhile(func() error { return run(pgx.QueryExecModeSimpleProtocol, named, "execute d") }, grant); err != nil {
		t.Fatal(err)
	}
	for _, other := range []struct {
		name        string
		mode        pgx.QueryExecMode
		setup, text string
		args        []any
	}{
		{"parameter", pgx.QueryExecModeCacheStatement, "", byID, []any{6}},
		{"search_path", pgx.QueryExecModeCacheStatement, "set search_path = evil, public", byID, []any{5}},
		{"setting that literals depend on", pgx.QueryExecModeCacheStatement, "set timezone = 'Asia/Tokyo'", byID, []any{5}},
		{"prepared statement", pgx.QueryExecModeSimpleProtocol, "prepare d as delete from archive where id = 1", "execute d", nil},
		{"prepared statement, redefined", pgx.QueryExecModeSimpleProtocol, named + "; deallocate d; prepare d as delete from archive", "execute d", nil},
	} {
		err := h.meanwhile(func() error { return run(other.mode, other.setup, other.text, other.args...) }, refuse)
		if code(err) != "42501" {
			t.Errorf("another %s: got %v", other.name, err)
		}
	}
	if err := run(pgx.QueryExecModeSimpleProtocol, named, "execute d"); err != nil {
		t.Errorf("the same prepared statement again: %v", err)
	}
}

// Operators and functions that a session's search_path puts before PostgreSQL's
// own do not lie to the broker about what a name stands for.
func TestMeaningIsNotFooled(t *testing.T) {
	h := newHolding(t, asking(deletes()))
	orders(t)
	superuser(t, `drop schema if exists evil cascade; create schema evil authorization app`)
	c := pgxConn(t, h.connString(""))
	if _, err := c.PgConn().Exec(t.Context(), `set search_path = evil, public, pg_catalog;
create function evil.eq(name, text) returns boolean language sql as 'select false';
create operator evil.= (leftarg = name, rightarg = text, function = evil.eq);
create function evil.eqo(oid, oid) returns boolean language sql as 'select false';
create operator evil.= (leftarg = oid, rightarg = oid, function = evil.eqo);
create function evil.concat(variadic "any") returns text language internal as 'text_concat' ;`).ReadAll(); err != nil {
		if _, err := c.PgConn().Exec(t.Context(), `set search_path = evil, public, pg_catalog`).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	err := h.meanwhile(func() error { _, err := c.Exec(t.Context(), "delete from orders"); return err }, func(a approval.Approval) {
		if len(a.Objects) != 1 || !strings.HasPrefix(a.Objects[0], "relation public.orders (oid ") {
			t.Errorf("the approver sees %q", a.Objects)
		}
		h.approve(a)
	})
	if err != nil {
		t.Error(err)
	}
}

// The approver sees what would happen before it does: the plan and the exact
// number of rows, in each form of the protocol.
func TestPreview(t *testing.T) {
	h := newHolding(t, asking(&policy.SQLSpec{Kinds: []string{"delete", "update"}}))
	orders(t)
	c := pgxConn(t, h.connString(""))
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeCacheStatement} {
		for text, args := range map[string][]any{
			"delete from orders where id <= $1":                  {mode, 7},
			"update orders set note = $1 where id <= $2 + 4 - 4": {mode, "it's", 7},
		} {
			err := h.meanwhile(func() error { _, err := c.Exec(t.Context(), text, args...); return err }, func(a approval.Approval) {
				v := h.previewed(a)
				if v == nil || v.ExactRows == nil || *v.ExactRows != 7 || !strings.Contains(v.Plan, "orders") || v.EstimatedRows <= 0 {
					t.Errorf("%v: %s: the preview is %+v", mode, text, v)
				}
				if err := h.answer(a, approval.Answer{Decision: approval.Deny}); err != nil {
					t.Error(err)
				}
			})
			if code(err) != "42501" {
				t.Errorf("%v: got %v", mode, err)
			}
		}
	}
	if n := left(t); n != "10" {
		t.Errorf("%s rows are left", n)
	}
}
