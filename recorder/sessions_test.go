package recorder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoop/policy"
)

// story writes sessions s00, s01 … one after the other, each with three
// statements: one fine, one failed, one denied. The last two stay open.
func story(t *testing.T, l *Log, n int, begin time.Time) {
	t.Helper()
	put := func(ev *Event) {
		t.Helper()
		if err := l.Append(ev, Written); err != nil {
			t.Fatal(err)
		}
	}
	put(&Event{Type: BrokerStarted, Time: begin})
	for i := range n {
		id := fmt.Sprintf("s%02d", i)
		at := begin.Add(time.Duration(i) * time.Minute)
		name := []string{"alice", "bob"}[i%2]
		put(&Event{Type: SessionOpened, Time: at, Session: id, Connection: []string{"prod-db", "stage-db"}[i%2], Protocol: "postgres",
			Principal: &policy.Principal{ID: "https://id.example|" + name, Name: name, Email: name + "@example.com", Kind: policy.Person},
			Chain:     policy.Chain{{Name: name}, {Name: "claude", Kind: policy.Agent}}, Client: "10.0.0.1:5"})
		put(&Event{Type: ActionDecided, Time: at, Session: id, Action: 1, Verb: "sql.select", Text: "select 1"})
		put(&Event{Type: ActionDecided, Time: at, Session: id, Action: 2, Verb: "sql.drop", Text: "drop table t", Outcome: "denied", Reason: "no"})
		put(&Event{Type: ActionDecided, Time: at, Session: id, Action: 3, Verb: "sql.select", Text: "select 1/0"})
		put(&Event{Type: ActionFinished, Time: at, Session: id, Action: 3, Outcome: "error", Code: "22012", DurationUS: 7})
		put(&Event{Type: ActionFinished, Time: at, Session: id, Action: 1, Outcome: "ok", Rows: 5, Bytes: 50, Masked: map[string]int{"pii": 2}})
		if i < n-2 {
			put(&Event{Type: SessionClosed, Time: at.Add(time.Second), Session: id, Reason: "client left"})
		}
	}
}

func ids(list []SessionInfo) []string {
	out := []string{}
	for _, s := range list {
		out = append(out, s.ID)
	}
	return out
}

func TestSessions(t *testing.T) {
	dir := t.TempDir()
	begin := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	l := openTest(t, dir, Options{SegmentBytes: 3000})
	story(t, l, 10, begin)
	r := NewReader(dir)
	for _, c := range []struct {
		filter Filter
		want   []string
	}{
		{Filter{}, []string{"s09", "s08", "s07", "s06", "s05", "s04", "s03", "s02", "s01", "s00"}},
		{Filter{Limit: 3}, []string{"s09", "s08", "s07"}},
		{Filter{Live: true}, []string{"s09", "s08"}},
		{Filter{Principal: "alice", Limit: 2}, []string{"s08", "s06"}},
		{Filter{Principal: "bob@example.com", Live: true}, []string{"s09"}},
		{Filter{Connection: "prod-db", Since: begin.Add(5 * time.Minute)}, []string{"s08", "s06"}},
		{Filter{Principal: "mallory"}, []string{}},
	} {
		got, err := r.Sessions(c.filter)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, ids(got)); diff != "" {
			t.Errorf("%+v: %s", c.filter, diff)
		}
	}
	fresh, err := Sessions(dir, Filter{})
	if err != nil {
		t.Fatal(err)
	}
	kept, err := r.Sessions(Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fresh, kept); diff != "" {
		t.Errorf("a fresh reader (-) and one that reads on (+) differ: %s", diff)
	}
	s := fresh[9]
	if s.State != StateClosed || s.Statements != 3 || s.Denied != 1 || s.Failed != 1 || s.Rows != 5 || s.Bytes != 50 ||
		s.Reason != "client left" || !s.Closed.Equal(begin.Add(time.Second)) || s.Principal.Name != "alice" || len(s.Chain) != 2 {
		t.Errorf("s00 is %+v", s)
	}
}

func TestSessionsOfAnEndedBrokerAreLost(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir, Options{SegmentBytes: 3000})
	story(t, l, 4, time.Now())
	r := NewReader(dir)
	if live, err := r.Sessions(Filter{Live: true}); err != nil || len(live) != 2 {
		t.Fatalf("%d live before, %v", len(live), err)
	}
	if err := l.Append(&Event{Type: BrokerStarted}, Synced); err != nil {
		t.Fatal(err)
	}
	live, err := r.Sessions(Filter{Live: true})
	if err != nil || len(live) != 0 {
		t.Errorf("live after the broker started again: %v, %v", ids(live), err)
	}
	if s, _, err := r.Session("s03"); err != nil || s.State != StateLost {
		t.Errorf("s03: %+v, %v", s, err)
	}
}

func TestSessionTellsItsStatements(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir, Options{SegmentBytes: 1000})
	story(t, l, 12, time.Now())
	closeTest(t, l)
	r := NewReader(dir)
	_, statements, err := r.Session("s07")
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Text, Outcome, Code string
		Finished            bool
		Rows                int64
	}
	var got []row
	for _, s := range statements {
		got = append(got, row{s.Text, s.Outcome, s.Code, s.Finished, s.Rows})
	}
	want := []row{
		{"select 1", "ok", "", true, 5},
		{"drop table t", "denied", "", false, 0},
		{"select 1/0", "error", "22012", true, 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if s, _, err := r.Session("s1"); err == nil {
		t.Errorf("s1 stands for two sessions, and gave %s", s.ID)
	}
	if s, _, err := r.Session("s00"); err != nil || s.ID != "s00" {
		t.Error(s, err)
	}
	if _, _, err := r.Session("nosuch"); !errors.Is(err, ErrNoSession) {
		t.Error(err)
	}
	if _, _, err := r.Session(""); err == nil {
		t.Error("the empty prefix names a session")
	}
}

func TestSessionIndexIsRebuilt(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir, Options{SegmentBytes: 2000})
	story(t, l, 10, time.Now())
	closeTest(t, l)
	want, err := Sessions(dir, Filter{})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.sessions"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%d index files, %v", len(files), err)
	}
	for i, f := range files {
		if i%2 == 0 {
			err = os.Remove(f)
		} else {
			err = os.WriteFile(f, []byte(`{"events":`), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := Sessions(dir, Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkSessions(b *testing.B) {
	dir := b.TempDir()
	l, err := Open(dir, Options{Origin: testOrigin})
	if err != nil {
		b.Fatal(err)
	}
	const sessions, each = 200, 500
	for s := range sessions {
		id := fmt.Sprintf("s%05d", s)
		err := l.Later(&Event{Type: SessionOpened, Session: id, Connection: "prod-db"})
		for i := range uint64(each) {
			ev := sample()
			ev.Session, ev.Action = id, i
			err = errors.Join(err, l.Later(ev), l.Later(&Event{Type: ActionFinished, Session: id, Action: i, Outcome: "ok", Rows: 1}))
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("first-list", func(b *testing.B) {
		for b.Loop() {
			if _, err := Sessions(dir, Filter{Limit: 50}); err != nil {
				b.Fatal(err)
			}
		}
	})
	r := NewReader(dir)
	if _, err := r.Sessions(Filter{}); err != nil {
		b.Fatal(err)
	}
	b.Run("next-list", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.Sessions(Filter{Limit: 50}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("show", func(b *testing.B) {
		for b.Loop() {
			if _, st, err := r.Session("s00100"); err != nil || len(st) != each {
				b.Fatal(len(st), err)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		events := uint64(0)
		for b.Loop() {
			r, err := Verify(dir, VerifyOptions{})
			if err != nil || !r.OK() {
				b.Fatal(r, err)
			}
			events += r.Events
		}
		b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	})
}

// TestDerivedCommands: what was typed into a shell stands with the shell; who
// reads a session later is no part of it.
func TestDerivedCommands(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir, Options{})
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for i, ev := range []Event{
		{Type: SessionOpened, Session: "s", Principal: &policy.Principal{Name: "alice"}},
		{Type: ActionDecided, Session: "s", Action: 1, Verb: "ssh.shell"},
		{Type: CommandDerived, Session: "s", Action: 1, Text: "ls"},
		{Type: CommandDerived, Session: "s", Action: 7, Text: "of no action"},
		{Type: CommandDerived, Session: "s", Action: 1, Text: "exit"},
		{Type: ActionFinished, Session: "s", Action: 1, Outcome: "ok"},
		{Type: SessionClosed, Session: "s"},
		{Type: RecordingRead, Session: "s", Action: 1, Principal: &policy.Principal{Name: "bob"}},
	} {
		ev.Time = at.Add(time.Duration(i) * time.Second)
		if err := l.Append(&ev, Written); err != nil {
			t.Fatal(err)
		}
	}
	info, statements, err := NewReader(dir).Session("s")
	if err != nil {
		t.Fatal(err)
	}
	if !info.Last.Equal(at.Add(6*time.Second)) || info.LastIndex != 6 {
		t.Errorf("the session ends with event %d at %s", info.LastIndex, info.Last)
	}
	want := []DerivedCommand{{at.Add(2 * time.Second), "ls"}, {at.Add(4 * time.Second), "exit"}}
	if diff := cmp.Diff(want, statements[0].Derived); len(statements) != 1 || diff != "" {
		t.Errorf("%d statements: %s", len(statements), diff)
	}
}
