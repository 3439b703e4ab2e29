package demo

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"hoop/recorder"
)

const readAlice = `
rules:
- {name: everything, who: {names: [alice@demo.example]}, actions: ["*"], effect: allow}
- {name: even so, who: {names: [alice@demo.example]}, sql: {unknown: true}, effect: allow}
`

// tap is a relay that keeps all that a client receives.
type tap struct {
	mu  sync.Mutex
	got bytes.Buffer
	net.Listener
}

func newTap(t *testing.T, to string) *tap {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{Listener: l}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { p.relay(c, to) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return p
}

func (p *tap) relay(c net.Conn, to string) {
	defer func() { _ = c.Close() }()
	s, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	done := make(chan struct{})
	go func() { defer close(done); _, _ = io.Copy(s, c); _ = s.Close() }()
	_, _ = io.Copy(c, io.TeeReader(s, p))
	_ = c.Close()
	<-done
}

func (p *tap) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.got.Write(b)
}

func (p *tap) all() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Clone(p.got.Bytes())
}

// directQueries ask for labelled columns by name or star. Expressions over
// them, views, and what a function makes of them (pg_notify) are not among
// them: labels do not follow those yet, only detectors do.
var directQueries = []string{
	"select * from customers",
	"select ssn, email from customers order by ssn desc",
	"select c.* from customers c join orders o on o.customer_id = c.id",
	"table customers",
	"select id, card_number as n, phone as harmless from customers where id < 500",
	"copy customers to stdout",
	"copy customers to stdout csv header",
	"copy customers (ssn, phone) to stdout with (format csv, force_quote *)",
	"copy (select email, ssn, card_number, phone from customers) to stdout",
	"begin; update customers set plan = plan where id < 300 returning *; rollback",
	"begin; insert into customers select id + 5000, name, 'x' || id, phone, ssn, card_number, city, plan, null, now() from customers where id < 20 returning ssn, phone, card_number; rollback",
	"begin; delete from customers where id = 0 returning *; rollback",
	"begin; declare c cursor for select * from customers; fetch 100 from c; fetch all from c; close c; commit",
	"begin; declare b binary cursor for select ssn, email from customers; fetch all from b; commit",
	"prepare p as select * from customers where id > $1; execute p (10); deallocate p",
	"select ssn::int from customers",
	"select email::uuid from customers",
	"insert into customers select * from customers where id = 7",
	"begin; alter table customers add check (ssn = 'x'); rollback",
	"begin; create unique index on customers (city); rollback",
	"do $$ begin raise notice '%', (select ssn from customers where id = 3); end $$",
	"do $$ begin raise exception '%', (select email from customers where id = 4); end $$",
	"select set_config('application_name', email, false) from customers where id = 9",
	"select * from customers where note is not null",
	"explain analyze select * from customers where id = 7",
}

// What a client gets, keeps and remembers, and what is logged anywhere, has
// neither the target's password nor a labelled value.
func TestNothingLeaks(t *testing.T) {
	w := upApart(t, readAlice)
	through := w.listen("alice", Connection)
	seen := newTap(t, net.JoinHostPort(through.Host, strconv.Itoa(through.Port)))
	conn := fmt.Sprintf("host=127.0.0.1 port=%d user=app dbname=shop sslmode=disable", seen.Addr().(*net.TCPAddr).Port)
	answered := 0
	for _, sql := range directQueries {
		answered += askEachWay(t, conn, sql)
	}
	if answered < len(directQueries) {
		t.Errorf("only %d of %d questions had an answer", answered, 4*len(directQueries))
	}
	secrets := w.secrets(t)
	places := map[string][]byte{
		"what the client received":   seen.all(),
		"the memory of hoop connect": memory(t, through.cmd.Process.Pid),
	}
	for _, dir := range []string{"alice", "data", "broker.log"} {
		for name, b := range w.files(t, dir) {
			places[name] = b
		}
	}
	var text strings.Builder
	if err := recorder.Scan(w.path("data/audit"), 0, func(ev *recorder.Event) error {
		_, err := fmt.Fprintln(&text, ev.Text, ev.Params, ev.Reason)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	places["the audit log's texts"] = []byte(text.String())
	total := 0
	for place, b := range places {
		total += len(b)
		for _, hit := range secrets.in(b) {
			t.Errorf("%s has %s", place, hit)
		}
	}
	t.Logf("%d answers, %d values in %d forms each, %d places of %d bytes", answered, len(secrets.values), forms, len(places), total)
	if len(places["what the client received"]) < 100000 {
		t.Error("the client received next to nothing: that proves nothing")
	}
	if hits := secrets.in(w.direct(t)); len(hits) < 1000 {
		t.Errorf("searching what the target says directly finds only %d values: the search does not work", len(hits))
	}
}

// askEachWay asks in text and binary, simple and extended, and counts answers.
func askEachWay(t *testing.T, conn, sql string) (answered int) {
	c, err := pgx.Connect(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(t.Context()) }()
	if strings.HasPrefix(sql, "copy") {
		for _, how := range []string{"", " binary"} {
			if _, err := c.PgConn().CopyTo(t.Context(), io.Discard, sql+how); err == nil {
				answered++
			}
		}
		return answered
	}
	if _, err := c.PgConn().Exec(t.Context(), sql).ReadAll(); err == nil {
		answered++
	}
	_, _ = c.PgConn().Exec(t.Context(), "rollback").ReadAll()
	for _, format := range []int16{0, 1} {
		if r := c.PgConn().ExecParams(t.Context(), sql, nil, nil, nil, []int16{format}).Read(); r.Err == nil {
			answered++
		}
	}
	return answered
}

// direct is what the target says to one who reaches it without hoop.
func (w *apart) direct(t *testing.T) []byte {
	out, err := w.Postgres.Exec(t.Context(), "shop", "table customers")
	if err != nil {
		t.Fatal(err)
	}
	return []byte(out)
}

// files reads what is below a path of the world.
func (w *apart) files(t *testing.T, below string) map[string][]byte {
	out := map[string][]byte{}
	err := filepath.WalkDir(w.path(below), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path) //nolint:gosec // the test's own world
		out[path] = b
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// memory is everything that a process has mapped and written to.
func memory(t *testing.T, pid int) []byte {
	if runtime.GOOS != "linux" {
		return nil
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mem.Close() }()
	var all bytes.Buffer
	for _, m := range regexp.MustCompile(`(?m)^([0-9a-f]+)-([0-9a-f]+) rw`).FindAllStringSubmatch(string(maps), -1) {
		from, _ := strconv.ParseInt(m[1], 16, 64)
		to, _ := strconv.ParseInt(m[2], 16, 64)
		_, _ = io.Copy(&all, io.NewSectionReader(mem, from, to-from)) // a page that is not there ends a part
	}
	return all.Bytes()
}

// secrets are values to search for, whole and in disguise.
type secrets struct {
	values []string
	index  map[string][]string // the first bytes of a form → forms
}

// forms is how many disguises of a value are searched for.
const forms = 6

// window is how many bytes of a form the search looks up.
const window = 9

func (w *apart) secrets(t *testing.T) *secrets {
	app, err := os.ReadFile(w.path("secrets/app"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.Postgres.Exec(t.Context(), "shop", "select ssn from customers union select email from customers union select phone from customers union select card_number from customers")
	if err != nil {
		t.Fatal(err)
	}
	s := &secrets{values: append(strings.Fields(strings.ReplaceAll(out, " ", "\x00")), string(app), w.Postgres.Password), index: map[string][]string{}}
	for i, v := range s.values {
		v = strings.ReplaceAll(v, "\x00", " ")
		s.values[i] = v
		for _, form := range disguises(v) {
			if len(form) >= window {
				s.index[form[:window]] = append(s.index[form[:window]], form)
			}
		}
	}
	return s
}

func disguises(v string) [forms]string {
	return [forms]string{v, reversed(v), base64.StdEncoding.EncodeToString([]byte(v)), hex.EncodeToString([]byte(v)), digits(v), reversed(digits(v))}
}

func reversed(v string) string {
	b := []byte(v)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

func digits(v string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, v)
}

// in gives the forms that occur in b.
func (s *secrets) in(b []byte) (hits []string) {
	found := map[string]bool{}
	for i := 0; i+window <= len(b); i++ {
		for _, form := range s.index[string(b[i:i+window])] {
			if !found[form] && bytes.HasPrefix(b[i:], []byte(form)) {
				found[form] = true
				hits = append(hits, strconv.Quote(form)+" in "+strconv.Quote(string(b[max(0, i-40):min(len(b), i+60)])))
			}
		}
	}
	return hits
}
