package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/jackc/pgx/v5/pgconn"

	"hoop/broker"
	"hoop/recorder"
)

// asleep waits until the target runs a statement with the mark in it.
func asleep(t *testing.T, mark string) {
	t.Helper()
	sql := fmt.Sprintf(`do $$ begin
		for i in 1..2000 loop
			perform 1 from pg_stat_activity where query like '%%%s%%' and state = 'active' and wait_event = 'PgSleep';
			if found then return; end if;
			perform pg_sleep(0.01), pg_stat_clear_snapshot();
		end loop;
		raise 'it never ran';
	end $$`, mark)
	if _, err := testServer(t).Exec(t.Context(), "postgres", sql); err != nil {
		t.Fatal(err)
	}
}

// start runs pg_sleep on a connection and gives how it ends.
func sleep(t *testing.T, c *pgconn.PgConn, mark string) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := c.Exec(context.Background(), "select pg_sleep(60) -- "+mark).ReadAll()
		done <- err
	}()
	asleep(t, mark)
	return done
}

func isCancelled(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && pe.Code == "57014"
}

func TestCancel(t *testing.T) {
	for _, version := range []string{"3.0", "3.2"} {
		for _, mode := range []string{"verify-full", "disable"} {
			t.Run(version+" "+mode, func(t *testing.T) {
				w := newWorld(t)
				w.target.TLS.Mode = mode
				c, err := pgconn.Connect(t.Context(), w.connString("max_protocol_version="+version))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close(context.Background())
				done := sleep(t, c, "cancel "+version+mode)
				if err := c.CancelRequest(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := <-done; !isCancelled(err) {
					t.Errorf("the statement ended with %v", err)
				}
				if n := len(w.events.of(recorder.ActionCancelled)); n != 1 {
					t.Errorf("%d events of a cancel request", n)
				}
				if _, err := c.Exec(t.Context(), "select 1").ReadAll(); err != nil {
					t.Errorf("the session did not live on: %v", err)
				}
			})
		}
	}
}

func TestCtrlCInPsql(t *testing.T) {
	w := newWorld(t)
	cmd := exec.Command(filepath.Join(testServer(t).BinDir, "psql"), "-X", "-A", "-t", "-n", w.connString(""))
	cmd.Env = append(os.Environ(), "PAGER=cat", "PSQL_PAGER=cat")
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	var out strings.Builder
	done := make(chan struct{})
	go func() { defer close(done); _, _ = io.Copy(&out, tty) }() // ends with an error: the terminal is gone
	write := func(text string) {
		if _, err := io.WriteString(tty, text); err != nil {
			t.Error(err)
		}
	}
	write("select pg_sleep(60) as ctrl_c;\n")
	asleep(t, "ctrl_c")
	write("\x03")
	write("select 'the session ' || 'lives';\n\\q\n")
	_ = cmd.Wait() // what it printed tells
	<-done
	if got := out.String(); !strings.Contains(got, "canceling statement due to user request") || !strings.Contains(got, "the session lives") {
		t.Errorf("psql printed %q", got)
	}
}

// A cancel request works only for who opened the session, where it was opened,
// and with the whole key. It is never answered.
func TestNobodyCancelsAnothersQuery(t *testing.T) {
	w := newWorld(t)
	c, err := pgconn.Connect(t.Context(), w.connString(""))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	done := sleep(t, c, "nobody cancels")
	request := func(person, connection string, pid uint32, key []byte) {
		t.Helper()
		dir, port := w.listenAs(person, connection)
		conn, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL."+port))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(cancelPacket(pid, key)); err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(conn); len(got) > 0 {
			t.Errorf("a cancel request was answered with %q", got)
		}
	}
	pid, key := c.PID(), c.SecretKey()
	wrong := append([]byte(nil), key...)
	wrong[0] ^= 1
	var real *cancellable
	for _, real = range w.engine.cancels.byPID {
	}
	request("mallory", "pg", pid, key)
	request("alice", "other-pg", pid, key)
	request("alice", "pg", pid, wrong)
	request("alice", "pg", pid, key[:1])
	request("alice", "pg", pid+1, key)
	request("alice", "pg", real.up.pid, real.up.secret) // the target's own
	select {
	case err := <-done:
		t.Fatalf("the statement ended with %v", err)
	default:
	}
	if n := len(w.events.of(recorder.ActionCancelled)); n != 0 {
		t.Errorf("%d events of cancel requests", n)
	}
	request("alice", "pg", pid, key)
	if err := <-done; !isCancelled(err) {
		t.Errorf("the statement ended with %v", err)
	}
}

func TestCancelNeedsItsRecord(t *testing.T) {
	w := newWorld(t)
	up, err := w.login(t)
	if err != nil {
		t.Fatal(err)
	}
	s := w.session("alice", "pg")
	c, err := w.engine.cancels.add(s, up, 4)
	if err != nil {
		t.Fatal(err)
	}
	request := &startupPacket{code: codeCancel, pid: c.pid, key: c.key}
	w.events.fail = errors.New("disk full")
	w.deps.Dial = func(context.Context, *broker.Target) (net.Conn, error) { panic("reached the target") }
	if err := w.engine.cancel(t.Context(), s, request); err == nil {
		t.Error("a cancel request went on without its record")
	}
	w.events.fail = nil
	held := 0
	up.held.Store(&withdrawal{wake: func() { held++ }})
	if err := w.engine.cancel(t.Context(), s, request); err != nil || held != 1 {
		t.Errorf("a held statement was cancelled %d times: %v", held, err)
	}
	w.engine.cancels.remove(c)
	if err := w.engine.cancel(t.Context(), s, request); err != nil || held != 1 {
		t.Errorf("a closed session was cancelled: %v", err)
	}
}

// Clients compare the process ID that they were given with what the server
// says of itself; two sessions on targets with equal ones still differ.
func TestProcessIDIsTheTargets(t *testing.T) {
	w := relayWorld(t)
	conn := pgxConn(t, w.connString(""))
	var pid uint32
	if err := conn.QueryRow(t.Context(), "select pg_backend_pid()").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	if got := conn.PgConn().PID(); got != pid {
		t.Fatalf("the client was given process ID %d, the target says %d", got, pid)
	}
	c, err := w.engine.cancels.add(w.session("alice", "pg"), &upstream{pid: pid}, 4)
	if err != nil {
		t.Fatal(err)
	}
	if c.pid == pid {
		t.Fatal("two sessions have one process ID")
	}
}
