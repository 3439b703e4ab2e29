package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const recallSQL = clientsSQL + `;
drop view if exists v_recall; create view v_recall as select id, name as n from clients; grant select on v_recall to app`

// A statement of a shape that was judged before runs at once, and is still
// masked and judged by what it turns out to be.
func TestRecalledShapes(t *testing.T) {
	superuser(t, recallSQL)
	w := relayWorld(t, labels())
	c := pgxConn(t, w.connString("")).PgConn()
	read := func(sql string) string {
		t.Helper()
		got, err := c.Exec(t.Context(), sql).ReadAll()
		if err != nil {
			return err.Error()
		}
		var b strings.Builder
		for _, r := range got {
			for _, row := range r.Rows {
				for _, v := range row {
					fmt.Fprintf(&b, "%s|", v)
				}
			}
		}
		return b.String()
	}
	for i := 4; i > 0; i-- { // the last one fails, of a shape that is known by then
		if got, want := read(fmt.Sprintf("select id, ssn, name from clients where id = %d", i)), fmt.Sprintf("%d|***-**-%d|Client %d|", i, 1000+i, i); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got, want := read(fmt.Sprintf("select n from v_recall where id = %d", i)), fmt.Sprintf("Client %d|", i); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := read(fmt.Sprintf("select 1 / (%d - id) from other.plain where id = 1", i)); i == 1 && !strings.Contains(got, "division by zero") {
			t.Errorf("an error that quotes nothing says %q", got)
		}
	}
	superuser(t, "create or replace view v_recall as select id, ssn as n from clients")
	if got := read("select n from v_recall where id = 5"); got != "***-**-1005|" {
		t.Errorf("a view that others replaced shows %q", got)
	}
	for _, sql := range []string{"select name as x from clients where id = %d", "select set_config('client_min_messages', 'error', false), %d", "select id from clients where id = %d"} {
		for i := 1; i < 4; i++ {
			leaks(t, sql, read(fmt.Sprintf(sql, i)))
			leaks(t, sql, read(fmt.Sprintf("select ssn from clients where id = %d", i)))
		}
	}
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// The same where Parse, Bind, Execute and Sync come in one write, with the view
// replaced between two of one shape: rows are masked, errors quote nothing.
func TestRecalledInOneWrite(t *testing.T) {
	superuser(t, recallSQL)
	w := relayWorld(t, labels())
	conn := pgxConn(t, w.connString("default_query_exec_mode=exec"))
	read := func(sql string, args ...any) string {
		t.Helper()
		rows, err := conn.Query(t.Context(), sql, args...)
		if err != nil {
			return err.Error()
		}
		got, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err.Error()
		}
		return strings.Join(got, "|")
	}
	for i := 1; i < 4; i++ {
		if got, want := read("select n from v_recall where id = $1", i), fmt.Sprintf("Client %d", i); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got, want := read("select ssn from clients where id = $1", i), fmt.Sprintf("***-**-%d", 1000+i); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		leaks(t, "division", read("select (n::int / ($1 - 1))::text from v_recall where id = 1", i))
	}
	superuser(t, "create or replace view v_recall as select id, ssn as n from clients")
	if got := read("select n from v_recall where id = $1", 4); got != "***-**-1004" {
		t.Errorf("a view that others replaced shows %q", got)
	}
	leaks(t, "a cast that fails", read("select (n::int / ($1 - 1))::text from v_recall where id = 1", 2))
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// What a transaction changed is forgotten with it, and on a connection that
// asks for it nothing is recalled at all.
func TestRecallEnds(t *testing.T) {
	superuser(t, recallSQL+`; create schema if not exists elsewhere; grant usage on schema elsewhere to app;
 drop table if exists elsewhere.v_recall; create table elsewhere.v_recall (id int, n text);
 insert into elsewhere.v_recall values (1, 'elsewhere'); grant select on elsewhere.v_recall to app`)
	for _, always := range []bool{false, true} {
		w := relayWorld(t, labels())
		w.target.AnalyseAlways = always
		c := pgxConn(t, w.connString("")).PgConn()
		for i, step := range []struct{ sql, want string }{
			{"select n from v_recall where id = 1", "Client 1"}, {"select n from v_recall where id = 2", "Client 2"},
			{"begin", ""}, {"set search_path to elsewhere", ""}, {"select n from v_recall where id = 1", "elsewhere"},
			{"rollback", ""}, {"select n from v_recall where id = 3", "Client 3"}, {"select n from v_recall where id = 4", "Client 4"},
		} {
			got, err := c.Exec(t.Context(), step.sql).ReadAll()
			if err != nil {
				t.Fatalf("always %v, step %d: %v", always, i, err)
			}
			if len(got[0].Rows) > 0 && string(got[0].Rows[0][0]) != step.want {
				t.Errorf("always %v, step %d: got %q, want %q", always, i, got[0].Rows[0][0], step.want)
			}
		}
	}
}

// A view that others made to tell values by notices and settings tells none of
// them to a statement that is run on memory.
func TestRecalledViewThatTells(t *testing.T) {
	superuser(t, recallSQL+`; create or replace function tells(i int) returns text language plpgsql security definer as $$
 declare s text; begin select ssn into s from public.clients where id = i; raise notice 'it is %', s; perform set_config('application_name', s, false); return 'x'; end $$;
 grant execute on function tells(int) to app`)
	w := relayWorld(t, labels())
	for _, mode := range []string{"exec", "simple_protocol"} {
		superuser(t, "drop view v_recall; create view v_recall as select i as id, 'x'::text as n from generate_series(1, 9) i; grant select on v_recall to app")
		config, err := pgx.ParseConfig(w.connString("default_query_exec_mode=" + mode))
		if err != nil {
			t.Fatal(err)
		}
		var told strings.Builder
		config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { told.WriteString(n.Message + n.Detail) }
		conn, err := pgx.ConnectConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i < 3; i++ {
			if _, err := conn.Exec(t.Context(), "select n from v_recall where id = $1", i); err != nil {
				t.Fatal(err)
			}
		}
		superuser(t, "create or replace view v_recall as select i as id, tells(i) as n from generate_series(1, 9) i")
		_, err = conn.Exec(t.Context(), "select n from v_recall where id = $1", 1)
		if err == nil || !strings.Contains(err.Error(), "came to mean something else") {
			t.Errorf("%s: %v", mode, err)
		}
		told.WriteString(conn.PgConn().ParameterStatus("application_name"))
		leaks(t, mode, told.String()+fmt.Sprint(err))
		_ = conn.Close(t.Context())
	}
}
