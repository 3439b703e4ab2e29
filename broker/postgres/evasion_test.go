package postgres

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"hoop/broker"
	"hoop/policy"
	"hoop/recorder"
)

// attack is one entry of testdata/evasion; the head of evasion.sql explains
// them.
type attack struct {
	id, expect, role, via, intent, proof string
	chunks                               []string
}

var attackHead = regexp.MustCompile(`^-- ([A-Z]+\d+) \| (\w+) \| (\w+) \| ([\w-]+) \| (.*) \| (.*)$`)

func attacks(t *testing.T, replace *strings.Replacer, files ...string) []attack {
	t.Helper()
	var all []attack
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join("../../testdata/evasion", file))
		if err != nil {
			t.Fatal(err)
		}
		var chunk []string
		open := false
		end := func() {
			if open {
				a := &all[len(all)-1]
				a.chunks = append(a.chunks, strings.TrimRight(strings.Join(chunk, "\n"), "\n"))
			}
			chunk, open = nil, false
		}
		for _, line := range strings.Split(replace.Replace(string(text)), "\n") {
			switch m := attackHead.FindStringSubmatch(line); {
			case m != nil:
				end()
				all = append(all, attack{id: m[1], expect: m[2], role: m[3], via: m[4], intent: m[5], proof: m[6]})
				open = true
			case line == "-- @next":
				end()
				open = true
			case strings.HasPrefix(line, "-- ====="):
				end()
			default:
				chunk = append(chunk, line)
			}
		}
		end()
	}
	return all
}

// shopPolicy labels what the corpus' schema says is sensitive. Where held is
// true, what wants an approval waits for one, and so is refused here; otherwise
// it counts as approved.
func shopPolicy(held bool) policy.Document {
	ask := "allow"
	if held {
		ask = "require_approval"
	}
	yes := true
	approvers := &policy.ApprovalSpec{Groups: []string{"dba"}}
	if !held {
		approvers = nil
	}
	return policy.Document{
		Labels: []policy.LabelSpec{{Columns: map[string]string{
			"public.customers.ssn": "pii.ssn", "public.customers.card_number": "pci.pan", "public.payments.card_pan": "pci.pan", "public.payments.cvv": "pci.cvv",
		}}},
		Rules: []policy.RuleSpec{
			{Name: "outside", SQL: &policy.SQLSpec{Effects: []string{"file", "program"}}, Effect: "deny"},
			{Name: "server", SQL: &policy.SQLSpec{Effects: []string{"admin"}}, Effect: "deny"},
			{Name: "foreign", Actions: []string{"sql.create_foreign_table", "sql.function_call"}, Effect: "deny"},
			{Name: "identity", Actions: []string{"sql.set", "sql.reset"}, When: `sql.settings.exists(s, s in ["role", "session_authorization", "row_security"])`, Effect: "deny"},
			{Name: "unbounded", SQL: &policy.SQLSpec{Unbounded: &yes}, Effect: ask, Approval: approvers},
			{Name: "hidden writes", SQL: &policy.SQLSpec{Kinds: []string{"select", "explain", "copy_out"}, Effects: []string{"write"}}, Effect: ask, Approval: approvers},
			{Name: "tables", Actions: []string{"sql.create_table_as", "sql.select_into"}, Effect: "allow"},
			{Name: "ddl", SQL: &policy.SQLSpec{Effects: []string{"ddl"}}, Effect: ask, Approval: approvers},
			{Name: "code", Actions: []string{"sql.do"}, Effect: ask, Approval: approvers},
			{Name: "all", Effect: "allow"},
			{Name: "call", Actions: []string{"sql.call", "sql.execute"}, Effect: "allow"},
		},
	}
}

// TestEvasion runs the corpus through the engine on the real wire.
func TestEvasion(t *testing.T) {
	server := testServer(t)
	scratch := filepath.Join(server.SocketDir, "scratch")
	r := newRange(t, scratch)
	replace := strings.NewReplacer("{{TMP}}", scratch, "{{PORT}}", strconv.Itoa(server.Port))
	stricter := 0
	version := serverVersion(t)
	for _, a := range attacks(t, replace, "evasion.sql", "own.sql", "newer.sql") {
		if newer, _ := strconv.Atoi(strings.TrimPrefix(a.id, "N")); newer/100 > version {
			continue
		}
		t.Run(a.id, func(t *testing.T) {
			if over := r.launch(t, a); over != "" {
				stricter++
				t.Logf("stricter than expected: %s: %s", a.intent, over)
			}
		})
	}
	t.Logf("%d entries that expect mask are denied or held", stricter)
}

// serverVersion is the major version of the server.
func serverVersion(t *testing.T) int {
	t.Helper()
	out, err := testServer(t).Exec(t.Context(), "postgres", "show server_version_num")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(out)
	if err != nil {
		t.Fatal(err)
	}
	return n / 10000
}

// shootingRange gives each attack a world whose database is as the schema made
// it. Engines are kept, with the catalog that they have read, until a statement
// has changed something.
type shootingRange struct {
	admin   *pgconn.PgConn
	engines map[string]*Engine // by role and policy
	last    *world
}

func newRange(t *testing.T, scratch string) *shootingRange {
	t.Helper()
	server := testServer(t)
	if err := os.MkdirAll(scratch, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(scratch, 0o777); err != nil {
		t.Fatal(err)
	}
	schema, err := os.ReadFile("../../testdata/evasion/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	superuser(t, "drop database if exists shop; create database shop")
	if _, err := server.Exec(t.Context(), "shop", string(schema)+
		fmt.Sprintf("; alter role app_user password '%s'", rolePassword)); err != nil {
		t.Fatal(err)
	}
	admin, err := pgconn.Connect(t.Context(), server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close(context.Background()) })
	return &shootingRange{admin: admin}
}

func (r *shootingRange) world(t *testing.T, a attack) *world {
	t.Helper()
	if r.last == nil || r.last.changed() {
		for _, q := range []string{"drop database if exists ev with (force)", "create database ev template shop", "grant create, temp on database ev to app_user"} {
			if _, err := r.admin.Exec(t.Context(), q).ReadAll(); err != nil {
				t.Fatal(err)
			}
		}
		r.engines = map[string]*Engine{}
	}
	held := a.expect == "approval"
	w := relayWorld(t, shopPolicy(held))
	w.target.Database = "ev"
	w.secret = broker.Secret{User: a.role, Password: rolePassword}
	if server := testServer(t); a.role == server.Superuser {
		w.secret.Password = server.Password
	}
	key := fmt.Sprint(a.role, held)
	if e := r.engines[key]; e != nil {
		w.engine = e
	}
	r.engines[key], r.last = w.engine, w
	return w
}

// changed reports whether a statement that was allowed may have changed the
// database.
func (w *world) changed() bool {
	w.events.mu.Lock()
	defer w.events.mu.Unlock()
	return slices.ContainsFunc(w.events.all, func(ev recorder.Event) bool {
		return ev.Type == recorder.ActionDecided && ev.Verdict != nil && ev.Verdict.Effect == policy.Allow && (ev.SQL.Durable() || ev.SQL.Kind == "call")
	})
}

// launch runs one attack, and gives why it was refused where it need not be.
func (r *shootingRange) launch(t *testing.T, a attack) (over string) {
	w := r.world(t, a)
	got := w.play(t, a)
	effects, reasons := w.effects()
	refused := slices.ContainsFunc(effects, func(e policy.Effect) bool { return e != policy.Allow }) || w.complained(got)
	switch a.expect {
	case "allow":
		if refused || w.masked() || bytes.Contains(got, []byte("SERROR\x00")) && !r.failsAlone(t, a, got) {
			t.Errorf("%s: refused %t %v, masked %t: %q", a.intent, refused, reasons, w.masked(), tail(got))
		}
		return ""
	case "mask":
		if refused {
			over = strings.Join(reasons, "; ")
		}
	default:
		if !refused {
			t.Errorf("%s: not refused: %q", a.intent, tail(got))
		}
	}
	for _, proof := range strings.Split(a.proof, " && ") {
		proven(t, a, proof, got)
	}
	if a.expect == "mask" {
		for _, secret := range encodings("123-45-6789", "987-65-4321", "555-12-3456", "111-22-3333", "4111111111111111", "5500005555555559", "340000000000009", "6011000000000004") {
			if bytes.Contains(got, []byte(secret)) {
				t.Errorf("%s: %q reaches the client: %q", a.intent, secret, tail(got))
			}
		}
	}
	return over
}

// failsAlone reports whether the server gives the same error where nothing
// stands before it: clients ask some versions for columns that others have.
func (r *shootingRange) failsAlone(t *testing.T, a attack, got []byte) bool {
	t.Helper()
	server := testServer(t)
	conn, err := pgconn.Connect(t.Context(), server.URL("ev"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, chunk := range a.chunks {
		_, err = conn.Exec(t.Context(), chunk).ReadAll()
		var e *pgconn.PgError
		if errors.As(err, &e) && bytes.Contains(got, []byte("\x00C"+e.Code+"\x00M"+e.Message+"\x00")) {
			t.Logf("%s: the server alone refuses it: %s", a.intent, e.Message)
			return true
		}
	}
	return false
}

func proven(t *testing.T, a attack, proof string, got []byte) {
	t.Helper()
	if want, ok := strings.CutPrefix(proof, "out:"); ok && a.expect != "deny" && len(want) > 5 { // "D\x00" is any row
		if u, err := strconv.Unquote(`"` + want + `"`); err == nil {
			want = u
		}
		if bytes.Contains(got, []byte(want)) {
			t.Errorf("%s: %q reaches the client: %q", a.intent, want, tail(got))
		}
	}
	if query, ok := strings.CutPrefix(proof, "dmg:"); ok {
		out, err := testServer(t).Exec(t.Context(), "ev", query)
		if err != nil {
			t.Fatal(err)
		}
		if out == "t" {
			t.Errorf("%s: the damage is done", a.intent)
		}
	}
}

func tail(b []byte) []byte { return b[max(0, len(b)-500):] }

// encodings gives secrets as somebody might write them.
func encodings(secrets ...string) []string {
	var all []string
	for _, s := range secrets {
		digits := strings.ReplaceAll(s, "-", "")
		for _, v := range []string{s, digits} {
			b := []byte(v)
			slices.Reverse(b)
			all = append(all, v, string(b), hex.EncodeToString([]byte(v)), strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(v)), "="))
		}
	}
	return all
}

// effects are the verdicts on statements, and the reasons of those that refuse.
func (w *world) effects() (effects []policy.Effect, reasons []string) {
	w.events.mu.Lock()
	defer w.events.mu.Unlock()
	for _, ev := range w.events.all {
		if ev.Type != recorder.ActionDecided || ev.Verdict == nil {
			continue
		}
		effects = append(effects, ev.Verdict.Effect)
		if ev.Verdict.Effect != policy.Allow {
			reasons = append(reasons, ev.Reason)
		}
	}
	return effects, reasons
}

func (w *world) masked() bool {
	w.events.mu.Lock()
	defer w.events.mu.Unlock()
	return slices.ContainsFunc(w.events.all, func(ev recorder.Event) bool { return len(ev.Masked) > 0 })
}

// complained reports whether the engine refused something by itself.
func (w *world) complained(got []byte) bool {
	return bytes.Contains(got, []byte("Mdenied: ")) || bytes.Contains(got, []byte(" through hoop, which "))
}

// play sends an attack's chunks and gives everything that the client receives.
// What is denied ends an attack that must be.
func (w *world) play(t *testing.T, a attack) []byte {
	t.Helper()
	dir, port := w.listen()
	c, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL."+port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	p := &player{t: t, conn: c}
	p.start()
	for _, chunk := range a.chunks {
		if p.gone {
			break
		}
		p.send(a.via, chunk)
		if a.expect == "deny" || a.expect == "approval" {
			if effects, _ := w.effects(); slices.ContainsFunc(effects, func(e policy.Effect) bool { return e != policy.Allow }) {
				break
			}
		}
	}
	c.Close()
	return p.got.Bytes()
}

// player is a client that keeps what it reads.
type player struct {
	t    *testing.T
	conn net.Conn
	got  bytes.Buffer
	gone bool
}

func (p *player) write(kind byte, body []byte) {
	msg := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))
	if _, err := p.conn.Write(append(msg, body...)); err != nil {
		p.gone = true
	}
}

func (p *player) start() {
	body := append([]byte{0, 3, 0, 0}, "user\x00any\x00database\x00ev\x00\x00"...)
	if _, err := p.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), body...)); err != nil {
		p.t.Fatal(err)
	}
	p.until('Z')
	p.got.Reset()
}

// until reads up to a message of one of the kinds and gives its kind.
func (p *player) until(stop ...byte) byte {
	for !p.gone {
		kind, body, err := readAny(p.conn)
		if err != nil {
			p.gone = true
			break
		}
		p.got.WriteByte(kind)
		p.got.Write(body)
		p.got.WriteByte('\n')
		if slices.Contains(stop, kind) {
			return kind
		}
	}
	return 0
}

func (p *player) send(via, text string) {
	switch via {
	case "simple":
		p.write('Q', append([]byte(text), 0))
	case "copyin":
		p.write('Q', append([]byte(text), 0))
		if p.until('G', 'Z') != 'G' {
			return
		}
		p.write('d', []byte("a\nb\n"))
		p.write('c', nil)
	case "ext-text", "ext-bin", "ext-limit":
		p.extended(via, text)
	case "fastpath":
		fields := strings.Fields(text)
		oid, err := testServer(p.t).Exec(context.Background(), "ev", "select '"+fields[0]+"'::regproc::oid")
		if err != nil {
			p.t.Fatal(err)
		}
		n, _ := strconv.ParseUint(oid, 10, 32)
		b := binary.BigEndian.AppendUint32(nil, uint32(n))
		b = append(b, 0, 0, 0, 1)
		b = binary.BigEndian.AppendUint32(b, uint32(len(fields[1])))
		p.write('F', append(append(b, fields[1]...), 0, 0))
	}
	p.until('Z')
}

func (p *player) extended(via, text string) {
	p.write('P', append(append([]byte{0}, text...), 0, 0, 0))
	format, limit := byte(0), byte(0)
	if via == "ext-bin" {
		format = 1
	}
	if via == "ext-limit" {
		limit = 1
	}
	bind := []byte{0, 0, 0, 0, 0, 0, 0, 1, 0, format}
	if strings.Contains(text, "$1") {
		bind = []byte{0, 0, 0, 0, 0, 1, 0, 0, 0, 1, '1', 0, 1, 0, format}
	}
	p.write('B', bind)
	p.write('E', []byte{0, 0, 0, 0, limit})
	if limit > 0 {
		p.write('E', []byte{0, 0, 0, 0, limit})
	}
	p.write('S', nil)
}
