package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"hoop/broker"
	"hoop/broker/approval"
	"hoop/policy"
	"hoop/recorder"
)

// psql runs psql against the engine and gives what it prints.
func psql(t *testing.T, connString, sql string, env ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(filepath.Join(testServer(t).BinDir, "psql"), "-X", "-q", "-A", "-t", connString, "-c", sql)
	cmd.Env = append(append(os.Environ(), "PGCONNECT_TIMEOUT=20"), env...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func TestPsqlIsLoggedInAsTheCredential(t *testing.T) {
	w := newWorld(t)
	out, err := psql(t, w.connString(""), "select current_user, current_database()", "PGPASSWORD=whatever")
	if err != nil || out != "app|postgres" {
		t.Fatalf("got %q, %v", out, err)
	}
	if diff := cmp.Diff(1, len(w.events.of(recorder.SessionOpened))); diff != "" {
		t.Error(diff)
	}
}

// libpq asks for encryption first over TCP, and must go on without.
func TestPsqlAsksForEncryption(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.serve(l, "alice", "pg")
	at := fmt.Sprintf("host=127.0.0.1 port=%d dbname=postgres user=x", l.Addr().(*net.TCPAddr).Port)
	if out, err := psql(t, at+" sslmode=prefer", "select 1"); err != nil || out != "1" {
		t.Errorf("sslmode=prefer: %q, %v", out, err)
	}
	if out, err := psql(t, at+" sslmode=require", "select 1"); err == nil || !strings.Contains(out, "does not support SSL") {
		t.Errorf("sslmode=require: %q, %v", out, err)
	}
}

func TestSettingsReachTheTarget(t *testing.T) {
	w := newWorld(t)
	at := w.connString("application_name=shop options='-c search_path=a,b --statement-timeout=12345 -cintervalstyle=iso_8601'")
	out, err := psql(t, at, `select concat_ws('|', current_setting('application_name'), current_setting('search_path'),
		current_setting('statement_timeout'), current_setting('intervalstyle'), current_setting('client_encoding'))`)
	if want := "shop|a,b|12345ms|iso_8601|UTF8"; err != nil || out != want {
		t.Fatalf("got %q, %v; want %q", out, err, want)
	}
	var judged []string
	for _, ev := range w.events.of(recorder.ActionDecided) {
		if strings.HasPrefix(ev.Text, "SET ") {
			judged = append(judged, ev.Text)
		}
	}
	if diff := cmp.Diff([]string{"SET search_path = 'a,b'", "SET statement_timeout = '12345'"}, judged); diff != "" {
		t.Error(diff)
	}
}

func TestSettingsAreRefused(t *testing.T) {
	onlyOpen := policy.Document{Rules: []policy.RuleSpec{{Name: "open", Actions: []string{"session.open"}, Effect: "allow"}}}
	for _, tt := range []struct {
		name, conn, code string
		docs             []policy.Document
	}{
		{"latin1", "client_encoding=LATIN1", "22023", nil},
		{"latin1 by option", "options='-c client_encoding=latin1'", "22023", nil},
		{"backslashes", "options='-c standard_conforming_strings=off'", "22023", nil},
		{"backslashes, spelled otherwise", "options='--STANDARD-conforming-strings=false'", "22023", nil},
		{"another user by option", "options='-c user=postgres'", "42501", nil},
		{"another database by option", "options='-c DATABASE=hidden'", "42501", nil},
		{"a server's switch", "options='-d 5'", "42501", nil},
		{"no value", "options='-c'", "42501", nil},
		{"a blank in a name", `options='-c a\\ b=1'`, "42602", nil},
		{"policy does not allow it", "options='-c search_path=evil'", "28000", []policy.Document{onlyOpen}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.docs...)
			_, err := pgconn.Connect(t.Context(), w.connString(tt.conn))
			var pe *pgconn.PgError
			if !errors.As(err, &pe) || pe.Code != tt.code || pe.Severity != "FATAL" {
				t.Fatalf("got %v, want a fatal %s", err, tt.code)
			}
		})
	}
}

// A driver's usual settings need no rule.
func TestHarmlessSettingsPassUnjudged(t *testing.T) {
	w := newWorld(t, policy.Document{Rules: []policy.RuleSpec{{Name: "open", Actions: []string{"session.open"}, Effect: "allow"}}})
	c, err := pgconn.Connect(t.Context(), w.connString("client_encoding=sql_ascii options='-c datestyle=ISO -c extra_float_digits=2' application_name=x"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if got := c.ParameterStatus("client_encoding"); got != "UTF8" {
		t.Errorf("client_encoding is %q", got)
	}
	if got := c.ParameterStatus("server_version"); !strings.HasPrefix(got, "1") {
		t.Errorf("server_version is %q", got)
	}
}

func TestDatabaseIsTheConnections(t *testing.T) {
	w := newWorld(t)
	dir, port := w.listen()
	for asked, want := range map[string]string{"": "postgres", "postgres": "postgres", "other": "other"} {
		// pgconn and libpq put the user's name where none is given: raw.
		c, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL."+port))
		if err != nil {
			t.Fatal(err)
		}
		msgs := rawStartup(t, c, protocol30, "user", "x", "database", asked)
		if last := msgs[len(msgs)-1]; last.kind != 'Z' {
			t.Errorf("database %q: the last message is %q", asked, last.kind)
		}
		c.Close()
		opened := w.events.of(recorder.SessionOpened)
		if got := opened[len(opened)-1].Text; got != want {
			t.Errorf("database %q became %q", asked, got)
		}
	}
	at := fmt.Sprintf("host=%s port=%s user=x dbname=hidden", dir, port)
	_, err := pgconn.Connect(t.Context(), at)
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Code != "3D000" || !strings.Contains(pe.Hint, "other") {
		t.Errorf("a database that is not the connection's: %v", err)
	}
}

func TestPolicyAndRecordComeBeforeTheTarget(t *testing.T) {
	dialled := func(w *world) *bool {
		var yes bool
		dial := w.deps.Dial
		w.deps.Dial = func(ctx context.Context, tg *broker.Target) (net.Conn, error) { yes = true; return dial(ctx, tg) }
		return &yes
	}
	t.Run("denied", func(t *testing.T) {
		w := newWorld(t, policy.Document{Rules: []policy.RuleSpec{{Name: "nobody", Effect: "deny", Reason: "closed today", Hint: "come back tomorrow"}}})
		reached := dialled(w)
		out, err := psql(t, w.connString(""), "select 1")
		if err == nil || !strings.Contains(out, "closed today") || !strings.Contains(out, "come back tomorrow") || *reached {
			t.Errorf("psql printed %q; reached: %v", out, *reached)
		}
		if n := len(w.events.of(recorder.SessionRefused)); n != 1 {
			t.Errorf("%d events of a refused session", n)
		}
	})
	t.Run("no record", func(t *testing.T) {
		w := newWorld(t)
		w.events.fail = errors.New("disk full")
		reached := dialled(w)
		_, err := pgconn.Connect(t.Context(), w.connString(""))
		var pe *pgconn.PgError
		if !errors.As(err, &pe) || pe.Code != "08006" || *reached {
			t.Errorf("got %v; reached: %v", err, *reached)
		}
	})
	for name, tt := range map[string]struct{ code, verb string }{
		"replication that no rule names":   {"28000", "*"},
		"replication that a rule may name": {"0A000", "sql.replication"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, policy.Document{Rules: []policy.RuleSpec{{Name: "r", Actions: []string{"session.open", tt.verb}, Effect: "allow"}}})
			reached := dialled(w)
			_, err := pgconn.Connect(t.Context(), w.connString("replication=database"))
			var pe *pgconn.PgError
			if !errors.As(err, &pe) || pe.Code != tt.code || *reached {
				t.Errorf("got %v; reached: %v", err, *reached)
			}
			if ev := w.events.of(recorder.ActionDecided); len(ev) != 1 || ev[0].Verb != "sql.replication" {
				t.Errorf("recorded: %v", ev)
			}
		})
	}
}

// message is one message of the server, for tests that speak the protocol.
type message struct {
	kind byte
	body []byte
}

// rawStartup sends a startup packet and reads up to ReadyForQuery, an error or
// the end.
func rawStartup(t testing.TB, c net.Conn, version uint32, params ...string) []message {
	t.Helper()
	b := binary.BigEndian.AppendUint32(make([]byte, 4), version)
	for _, p := range params {
		b = append(append(b, p...), 0)
	}
	b = append(b, 0)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	return readMessages(t, c)
}

func readMessages(t testing.TB, c net.Conn) []message {
	t.Helper()
	var all []message
	for {
		kind, body, err := readMessage(c)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, message{kind, body})
		if kind == 'Z' || kind == 'E' {
			return all
		}
	}
}

func TestProtocolVersionIsNegotiated(t *testing.T) {
	w := newWorld(t)
	dir, port := w.listen()
	negotiated := func(version uint32, names ...string) []byte {
		b := binary.BigEndian.AppendUint32(nil, version)
		b = binary.BigEndian.AppendUint32(b, uint32(len(names)))
		for _, n := range names {
			b = append(append(b, n...), 0)
		}
		return b
	}
	for _, tt := range []struct {
		name      string
		version   uint32
		params    []string
		negotiate []byte
		keySize   int
	}{
		{"3.0", protocol30, nil, nil, 4},
		{"3.2", protocol30 + 2, nil, nil, 32},
		{"3.9999", protocol30 + 9999, nil, negotiated(protocol30 + 2), 32},
		{"unknown option", protocol30, []string{"_pq_.shiny", "1"}, negotiated(protocol30, "_pq_.shiny"), 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL."+port))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			var got []byte
			var keySize int
			for _, m := range rawStartup(t, c, tt.version, append([]string{"user", "x"}, tt.params...)...) {
				switch m.kind {
				case 'v':
					got = m.body
				case 'K':
					keySize = len(m.body) - 4
				case 'E':
					t.Fatalf("error: %q", m.body)
				}
			}
			if !bytes.Equal(got, tt.negotiate) || keySize != tt.keySize {
				t.Errorf("negotiated %x with a key of %d bytes, want %x with %d", got, keySize, tt.negotiate, tt.keySize)
			}
		})
	}
}

func TestStartupGarbageIsAnswered(t *testing.T) {
	w := newWorld(t)
	dir, port := w.listen()
	ssl := []byte("\x00\x00\x00\x08\x04\xd2\x16\x2f")
	for name, tt := range map[string]struct {
		send []byte
		want string
	}{
		"too long":           {[]byte("\x00\x00\x27\x11\x00\x03\x00\x00"), "08P01"},
		"too short":          {[]byte("\x00\x00\x00\x04"), "08P01"},
		"TLS from the start": {[]byte("\x16\x03\x01\x02\x00\x01\x00\x01"), "08P01"},
		"HTTP":               {[]byte("GET / HTTP/1.1\r\n\r\n"), "08P01"},
		"no terminator":      {[]byte("\x00\x00\x00\x0d\x00\x03\x00\x00user\x00"), "08P01"},
		"odd parameters":     {[]byte("\x00\x00\x00\x0e\x00\x03\x00\x00user\x00\x00"), "08P01"},
		"bytes after":        {[]byte("\x00\x00\x00\x0a\x00\x03\x00\x00\x00\x00"), "08P01"},
		"protocol 2":         {[]byte("\x00\x00\x00\x08\x00\x02\x00\x00"), "0A000"},
		"asks on and on":     {bytes.Repeat(ssl, 5), "08P01"},
		"cancel, no key":     {[]byte("\x00\x00\x00\x0c\x04\xd2\x16\x2e\x00\x00\x00\x01"), "08P01"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL."+port))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write(tt.send); err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(c) // a reset after the answer is as good
			got = bytes.TrimLeft(got, "N")
			if len(got) < 5 || got[0] != 'E' || !bytes.Contains(got, []byte("C"+tt.want+"\x00")) {
				t.Errorf("answered %q", got)
			}
		})
	}
	if out, err := psql(t, fmt.Sprintf("host=%s port=%s dbname=postgres", dir, port), "select 1"); err != nil || out != "1" {
		t.Errorf("a later client gets %q, %v", out, err)
	}
}

// libpq may ask for GSSAPI and for TLS, each answered before the next.
func TestEncryptionIsDeclined(t *testing.T) {
	w := newWorld(t)
	dir, port := w.listen()
	c, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL."+port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, code := range []uint32{codeGSSENC, codeSSL} {
		if _, err := c.Write(binary.BigEndian.AppendUint32([]byte{0, 0, 0, 8}, code)); err != nil {
			t.Fatal(err)
		}
		var answer [1]byte
		if _, err := io.ReadFull(c, answer[:]); err != nil || answer[0] != 'N' {
			t.Fatalf("answered %q, %v", answer, err)
		}
	}
	msgs := rawStartup(t, c, protocol30, "user", "x")
	if last := msgs[len(msgs)-1]; last.kind != 'Z' || string(last.body) != "I" {
		t.Errorf("the last message is %q %q", last.kind, last.body)
	}
}

// A client that is slow with its startup packet is given up, one that is in is
// not: the timeout is the handshake's.
func TestSlowStartup(t *testing.T) {
	w := newWorld(t)
	w.engine.handshake = 50 * time.Millisecond
	dir, port := w.listen()
	for _, sent := range []string{"", "\x00\x00\x00\x10\x00\x03"} {
		c, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL."+port))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, sent); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); err != nil || len(got) > 0 {
			t.Errorf("after %q: got %q, %v", sent, got, err)
		}
		c.Close()
	}
	w = newWorld(t)
	w.engine.handshake = 2 * time.Second
	c, err := pgconn.Connect(t.Context(), w.connString(""))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(t.Context(), "select pg_sleep(2.1)").ReadAll(); err != nil {
		t.Errorf("a session beyond the handshake timeout: %v", err)
	}
}

// waiter is an Approver that waits as long as it may.
type waiter struct{ waiting, ended chan error }

func (w *waiter) Await(ctx context.Context, _ *approval.Request, _ func(context.Context, *approval.Approval) error) (*approval.Permit, error) {
	w.waiting <- nil
	<-ctx.Done()
	err := context.Cause(ctx)
	w.ended <- err
	return nil, err
}

func (*waiter) AddPreview(string, *approval.Preview) {}
func (*waiter) Counts(string) bool                   { return true }

func waitingWorld(t *testing.T) (*world, *waiter) {
	w := newWorld(t, policy.Document{Rules: []policy.RuleSpec{{Name: "ask", Effect: "require_approval",
		Approval: &policy.ApprovalSpec{Groups: []string{"approvers"}, Quorum: 1}}}})
	a := &waiter{make(chan error, 1), make(chan error, 1)}
	w.deps.Approvals = a
	return w, a
}

func TestClientThatLeavesEndsItsWaiting(t *testing.T) {
	w, a := waitingWorld(t)
	client, server := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- w.engine.Serve(context.Background(), server, w.session("alice", "pg")) }()
	sendStartup(t, client)
	<-a.waiting
	client.Close()
	if err := <-a.ended; !errors.Is(err, errClientGone) {
		t.Errorf("the wait ended with %v", err)
	}
	<-done
}

func sendStartup(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := c.Write([]byte("\x00\x00\x00\x10\x00\x03\x00\x00user\x00x\x00\x00")); err != nil {
		t.Fatal(err)
	}
}

func TestRevokingEndsStartup(t *testing.T) {
	for _, when := range []string{"before the startup packet", "while waiting"} {
		t.Run(when, func(t *testing.T) {
			w, a := waitingWorld(t)
			client, server := net.Pipe()
			ctx, cancel := context.WithCancelCause(context.Background())
			done := make(chan error, 1)
			go func() { done <- w.engine.Serve(ctx, server, w.session("alice", "pg")) }()
			if when == "while waiting" {
				sendStartup(t, client)
				<-a.waiting
			}
			cancel(errors.New("the grant has ended"))
			msgs := readMessages(t, client)
			if len(msgs) != 1 || !bytes.Contains(msgs[0].body, []byte("C57P01\x00Mthe grant has ended\x00")) {
				t.Errorf("the client reads %q", msgs)
			}
			<-done
		})
	}
}

func TestPanicEndsOneSession(t *testing.T) {
	w := newWorld(t)
	var healthy atomic.Bool
	inner := w.deps.Secret
	w.deps.Secret = func(ctx context.Context, name string) (*broker.Secret, error) {
		if !healthy.Load() {
			panic("with a secret: " + rolePassword)
		}
		return inner(ctx, name)
	}
	at := w.connString("")
	if _, err := pgconn.Connect(t.Context(), at); err == nil {
		t.Fatal("a session opened without a credential")
	}
	healthy.Store(true)
	c, err := pgconn.Connect(t.Context(), at)
	if err != nil {
		t.Fatalf("the next session: %v", err)
	}
	c.Close(context.Background())
	if log := w.log.String(); !strings.Contains(log, "panicked") || strings.Contains(log, rolePassword) {
		t.Errorf("the log says %s", log)
	}
}
