package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"hoop/recorder"
)

// shopWithOrders is a broker of its own with a database of its own: ann's
// DELETEs wait for bob, and a trigger counts how often one ran.
type shopWithOrders struct {
	*brokerProcess
	t        *testing.T
	database string
	annEnv   []string
	bobEnv   []string
	shop     string    // connection and rules
	l        *listener // ann's
}

const bobsPassword = "a password of bob's own"

func newShopWithOrders(t *testing.T, expires string) *shopWithOrders {
	t.Helper()
	s := &shopWithOrders{brokerProcess: newBroker(t, brokerOptions{}), t: t, database: "held" + freePort(t)}
	s.superuser("shop", "CREATE DATABASE "+s.database+" OWNER app")
	s.superuser(s.database, `CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 10); CREATE TABLE runs (at timestamptz DEFAULT clock_timestamp());
		CREATE FUNCTION ran() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN INSERT INTO public.runs DEFAULT VALUES; RETURN NULL; END';
		CREATE TRIGGER t AFTER DELETE ON orders FOR EACH STATEMENT EXECUTE FUNCTION ran(); GRANT ALL ON orders TO app`)
	t.Cleanup(func() { s.superuser("shop", "DROP DATABASE "+s.database+" WITH (FORCE)") })
	s.shop = `
connections:
- {name: shop, protocol: postgres, credential: app, target: {host: 127.0.0.1, port: PORT, database: ` + s.database + `, tls: {mode: require}}}
rules:
- {name: deletes, sql: {kinds: [delete]}, effect: require_approval, reason: rows go for good, approval: {groups: [approver], expires: ` + expires + `}}
- {name: work, who: {groups: [engineer]}, effect: allow}
- {name: record, who: {groups: [approver]}, actions: [audit.read, session.end], effect: allow}
`
	s.writeShop(t, s.shop)
	hoopIn(t, clientEnv(s.dir), bobsPassword, "issuer", "user", "add", "bob", "--group", "approver", "--email", "bob@example.com", "--config", s.config()).must(t, 0)
	s.reload(t, "configuration reloaded")
	s.annEnv = s.ann(t)
	bob := filepath.Join(t.TempDir(), "bob")
	signInTo(t, bob, s.url(), s.ca(), "bob", bobsPassword)
	s.bobEnv = clientEnv(bob)
	s.listen4ann()
	return s
}

func (s *shopWithOrders) listen4ann() {
	s.t.Helper()
	s.l = openListener(s.t, s.annEnv, "shop", "--listen", "--format", "json", "--port", freePort(s.t), "--socket-dir", s.t.TempDir()+"/s")
}

func (s *shopWithOrders) superuser(database, sql string) string {
	s.t.Helper()
	out, err := world(s.t).Postgres.Exec(context.Background(), database, sql)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// refill puts the ten orders back and forgets how often a DELETE ran.
func (s *shopWithOrders) refill() {
	s.t.Helper()
	s.superuser(s.database, "TRUNCATE orders, runs; INSERT INTO orders SELECT generate_series(1, 10)")
}

// expects compares what is left, and how often a DELETE ran.
func (s *shopWithOrders) expects(what string, orders, runs int) {
	s.t.Helper()
	want := fmt.Sprintf("%d|%d", orders, runs)
	if got := s.superuser(s.database, "SELECT (SELECT count(*) FROM orders) || '|' || (SELECT count(*) FROM runs)"); got != want {
		s.t.Errorf("%s: orders|runs is %s, want %s", what, got, want)
	}
}

// client is a program that connects through ann's listener.
func (s *shopWithOrders) client(name string, args ...string) *process {
	s.t.Helper()
	c := exec.CommandContext(background(s.t), name, args...)
	c.Env = append(os.Environ(), "PGHOST=127.0.0.1", "PGPORT="+itoa(s.l.Port), "PGDATABASE="+s.database, "PGUSER=ann", "PGPASSWORD=none", "PGSSLMODE=disable",
		"PSQLRC=/dev/null", "NODE_NO_WARNINGS=1")
	return start(s.t, c)
}

func (s *shopWithOrders) psql() *process { return s.client("psql", "-X", "-c", "DELETE FROM orders") }

// waiting gives the ID of the approval that ann waits for.
func (s *shopWithOrders) waiting() string {
	s.t.Helper()
	id := ""
	waitFor(s.t, "an approval to be asked for", func() bool {
		r := hoop(s.t, s.bobEnv, "approvals", "list")
		if lines := strings.Split(strings.TrimSpace(r.stdout), "\n"); len(lines) == 2 {
			id, _, _ = strings.Cut(lines[1], " ")
		}
		return id != ""
	})
	return id
}

// ended gives the event that ended an approval, once it is in the audit log.
func (s *shopWithOrders) ended(id string) recorder.Event {
	s.t.Helper()
	var found *recorder.Event
	waitFor(s.t, "the end of approval "+id, func() bool {
		err := recorder.Scan(filepath.Join(s.dir, "data/audit"), 0, func(ev *recorder.Event) error {
			if ev.Type == recorder.ApprovalEnded && ev.Approval.ID == id {
				found = ev
			}
			return nil
		})
		return err == nil && found != nil
	})
	return *found
}

// who, when and why: what the record must tell of each end.
func (s *shopWithOrders) recorded(id, state, approvers, why string) {
	s.t.Helper()
	ev := s.ended(id)
	comment := ev.Reason + ev.Approval.Comment
	if ev.Outcome != state || ev.Principal.Name != "ann@example.com" || strings.Join(ev.Approval.Approvers, ",") != approvers ||
		!strings.Contains(comment, why) || time.Since(ev.Time) > limit {
		s.t.Errorf("the record of %s has %s of %s by %q because %q at %s", id, ev.Outcome, ev.Principal.Name, ev.Approval.Approvers, comment, ev.Time)
	}
}

// Unmodified clients hold on DELETE FROM orders until bob approves it in the
// TUI, by keys; then it runs, once.
func TestHeldInEveryClientAndApprovedInTheTUI(t *testing.T) {
	t.Parallel()
	s := newShopWithOrders(t, "5m")
	screen := onTerminal(t, hoopCommand(t, append(s.bobEnv, "NO_COLOR=1"), "tui"))
	screen.shows("approvals (0 pending)")
	for _, c := range []struct {
		name string
		run  func() error
	}{
		{"psql", func() error {
			p := s.psql()
			return exits0(p.wait(), p, "DELETE 10")
		}},
		{"pgx", s.pgx},
		{"node", func() error { p := s.node(); return exits0(p.wait(), p, "deleted 10") }},
		{"JDBC", s.jdbc},
	} {
		s.refill()
		done := make(chan error, 1)
		if c.name == "JDBC" && !hasJDBC() {
			t.Log("JDBC is left out: there is no java, or no " + jdbcJar + "; make compat says the same")
			continue
		}
		go func() { done <- c.run() }()
		screen.shows("approvals (1 pending)")
		screen.shows("DELETE FROM orders")
		s.expects(c.name+" while it waits", 10, 0)
		screen.type_("g") // to what waits, from what was answered before
		screen.shows("pending  shop (postgres)")
		screen.type_("a")
		screen.shows("comment (enter for none)")
		screen.type_("fine\r")
		screen.shows("approvals (0 pending)")
		if err := <-done; err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		s.expects(c.name, 0, 1)
	}
	screen.type_("q")
	if code := screen.end(); code != 0 {
		t.Errorf("the TUI ended with %d", code)
	}
}

func exits0(code int, p *process, says string) error {
	if out := p.out.String() + p.err.String(); code != 0 || !strings.Contains(out, says) {
		return fmt.Errorf("ended with %d: %s", code, out)
	}
	return nil
}

func (s *shopWithOrders) pgx() error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c, err := pgx.Connect(ctx, fmt.Sprintf("postgres://ann:none@127.0.0.1:%d/%s?sslmode=disable", s.l.Port, s.database))
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(ctx) }()
	tag, err := c.Exec(ctx, "DELETE FROM orders")
	if err == nil && tag.RowsAffected() != 10 {
		err = fmt.Errorf("it deleted %d", tag.RowsAffected())
	}
	return err
}

// node installs node-postgres at the versions of make compat.
func (s *shopWithOrders) node() *process {
	dir := s.t.TempDir()
	for _, f := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join("../testdata/compat/node", f))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, f), text, 0o600)
		}
		if err != nil {
			s.t.Error(err)
		}
	}
	const js = `const { Client } = require('pg');
(async () => {
  const c = new Client();
  await c.connect();
  const r = await c.query('DELETE FROM orders WHERE id < $1', [100]);
  console.log('deleted', r.rowCount);
  await c.end();
})().catch((e) => { console.error(e); process.exit(1); });`
	if err := os.WriteFile(filepath.Join(dir, "held.js"), []byte(js), 0o600); err != nil {
		s.t.Error(err)
	}
	return s.client("sh", "-c", "cd "+dir+" && npm ci --no-audit --no-fund --silent && exec node held.js")
}

const jdbcJar = "/usr/share/java/postgresql.jar"

func hasJDBC() bool {
	_, java := exec.LookPath("java")
	_, jar := os.Stat(jdbcJar)
	return java == nil && jar == nil
}

func (s *shopWithOrders) jdbc() error {
	const java = `import java.sql.*;
public class Held {
    public static void main(String[] args) throws Exception {
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
        try (Connection c = DriverManager.getConnection(url, "ann", "none"); PreparedStatement s = c.prepareStatement("DELETE FROM orders WHERE id < ?")) {
            s.setInt(1, 100);
            System.out.println("deleted " + s.executeUpdate());
        }
    }
}`
	file := filepath.Join(s.t.TempDir(), "Held.java")
	if err := os.WriteFile(file, []byte(java), 0o600); err != nil {
		return err
	}
	p := s.client("java", "-cp", jdbcJar, file)
	return exits0(p.wait(), p, "deleted 10")
}

// Each other end of an approval: psql reads why, nothing runs, and the audit
// log has who, when and why.
func TestHeldAndNotApproved(t *testing.T) {
	t.Parallel()
	s := newShopWithOrders(t, "5m")

	// Bob denies it.
	p := s.psql()
	id := s.waiting()
	hoop(t, s.bobEnv, "deny", id, "--reason", "not on a Friday").must(t, 0)
	if code := p.wait(); code != 1 || !strings.Contains(p.err.String(), "bob@example.com denied approval "+id+": not on a Friday") {
		t.Errorf("denied: %d %s", code, p.err.String())
	}
	s.recorded(id, "denied", "", "not on a Friday")

	// Ann presses Ctrl-C.
	p = s.psql()
	id = s.waiting()
	p.shows("waits for an approval")
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	if code := p.wait(); code != 1 || !strings.Contains(p.err.String(), "canceling statement due to user request") {
		t.Errorf("cancelled: %d %s", code, p.err.String())
	}
	s.recorded(id, "cancelled", "", "the requester cancelled it")

	// Her psql is killed.
	p = s.psql()
	id = s.waiting()
	_ = p.cmd.Process.Kill()
	s.recorded(id, "cancelled", "", "client left")
	if r := hoop(t, s.bobEnv, "approve", id); r.code == 0 || !strings.Contains(r.stderr, "is cancelled already") {
		t.Errorf("an answer for nobody: %+v", r)
	}

	// The broker is killed: whoever waited is not served any more, and the next
	// broker says so in the record before it does anything else.
	p = s.psql()
	id = s.waiting()
	_ = s.cmd.Process.Kill()
	s.brokerProcess.wait()
	s.run(t)
	s.recorded(id, "cancelled", "", "the broker was restarted")
	if code := p.wait(); code == 0 {
		t.Errorf("killed with the broker: %d %s", code, p.err.String())
	}
	if r := hoop(t, s.bobEnv, "approve", id); r.code == 0 || !strings.Contains(r.stderr, "is cancelled already") {
		t.Errorf("an answer after a restart: %+v", r)
	}
	s.expects("nothing was approved", 10, 0)
	hoop(t, s.annEnv, "audit", "verify", "--config", s.config()).must(t, 0)

	// And the same login and listener go on with the new broker.
	s.expects("before", 10, 0)
	p = s.psql()
	hoop(t, s.bobEnv, "approve", s.waiting()).must(t, 0)
	if err := exits0(p.wait(), p, "DELETE 10"); err != nil {
		t.Error(err)
	}
	s.expects("after all", 0, 1)
}

// What ann says that her session is for stands in the record of its opening, and
// with what waits in it.
func TestReasonIsRecorded(t *testing.T) {
	t.Parallel()
	s := newShopWithOrders(t, "5m")
	p := start(t, hoopCommand(t, s.annEnv, "connect", "shop", "--reason", "clean up", "--ticket", "INC-7", "--", "psql", "-X", "-c", "DELETE FROM orders"))
	id := s.waiting()
	hoop(t, s.bobEnv, "deny", id, "--reason", "no").must(t, 0)
	p.wait()
	if a := s.ended(id).Approval; a.Reason != "clean up" || a.Ticket != "INC-7" {
		t.Errorf("the end of the approval has %q %q", a.Reason, a.Ticket)
	}
	opened := ""
	err := recorder.Scan(filepath.Join(s.dir, "data/audit"), 0, func(ev *recorder.Event) error {
		if ev.Type == recorder.SessionOpened {
			opened = ev.Reason
		}
		return nil
	})
	if err != nil || opened != "clean up INC-7" {
		t.Errorf("the opening has %q: %v", opened, err)
	}
}

// Nobody answers.
func TestHeldAndExpired(t *testing.T) {
	t.Parallel()
	s := newShopWithOrders(t, "2s")
	p := s.psql()
	id := s.waiting()
	if code := p.wait(); code != 1 || !strings.Contains(p.err.String(), "nobody answered approval "+id+" in time") {
		t.Errorf("expired: %d %s", code, p.err.String())
	}
	s.recorded(id, "expired", "", "")
	s.expects("expired", 10, 0)
}
