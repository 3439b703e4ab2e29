package sql

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSplit(t *testing.T) {
	for text, want := range map[string][]string{
		"":                       nil,
		" ; -- nothing\n;":       nil,
		"SELECT 1":               {"SELECT 1"},
		"SELECT 1; ":             {"SELECT 1; "},
		"/* é */ SELECT 'é;' ;;": {"/* é */ SELECT 'é;' ;;"},
		"SELECT 1;SELECT 2":      {"SELECT 1;", "SELECT 2"},
		"; /* ; */ SELECT $$;$$ ; ; -- é ;\n DELETE FROM a --":                 {"; /* ; */ SELECT $$;$$ ;", " ; -- é ;\n DELETE FROM a --"},
		"BEGIN; SELECT 'ü'; COMMIT":                                            {"BEGIN;", " SELECT 'ü';", " COMMIT"},
		"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; SELECT 2": {"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END;", " SELECT 2"},
		"CREATE RULE r AS ON INSERT TO a DO (SELECT 1; SELECT 2); SELECT 3":    {"CREATE RULE r AS ON INSERT TO a DO (SELECT 1; SELECT 2);", " SELECT 3"},
	} {
		var got []string
		stmts := analyseText(t, text)
		for _, s := range stmts {
			got = append(got, s.Text)
			if s.Facts.Multi != (len(want) > 1) {
				t.Errorf("%q: multi is %t", s.Text, s.Facts.Multi)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q: %s", text, d)
		}
		if len(got) > 0 && strings.Join(got, "") != text {
			t.Errorf("%q: the statements are not the text", text)
		}
	}
}

func TestSyntaxErrorPosition(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT 'äöü', foo bar baz": `23 syntax error at or near "baz"`,
		"SELECT 1;\nSELEC":          `11 syntax error at or near "SELEC"`,
		"SELECT":                    `7 syntax error at end of input`,
		"SELECT 'x":                 `8 unterminated quoted string at or near "'x"`,
	} {
		s := analyseText(t, text)
		if text == "SELECT" { // an empty target list is SQL to PostgreSQL
			if s[0].Facts.Unknown {
				t.Errorf("%+v", s)
			}
			continue
		}
		if len(s) != 1 || s[0].Text != text || !s[0].Facts.Unknown {
			t.Fatalf("%q: %+v", text, s)
		}
		if got := fmt.Sprint(s[0].Position, " ", s[0].SyntaxError); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestCopyFacts(t *testing.T) {
	for text, want := range map[string]CopyFacts{
		`COPY a TO STDOUT`:                                     {Table: "a", To: true, Format: "text", Delimiter: "\t", Null: `\N`},
		`COPY s."A" (x, "Y") FROM STDIN`:                       {Table: `s."A"`, Columns: []string{"x", "Y"}, Format: "text", Delimiter: "\t", Null: `\N`},
		`COPY a TO STDOUT CSV HEADER DELIMITER ';' QUOTE ''''`: {Table: "a", To: true, Format: "csv", Delimiter: ";", Quote: "'", Escape: "'", Header: true},
		`COPY a TO STDOUT (FORMAT csv, NULL 'x', ESCAPE '\', FORCE_QUOTE *, ENCODING 'LATIN1', HEADER off)`: {Table: "a", To: true, Format: "csv", Delimiter: ",", Null: "x",
			Quote: `"`, Escape: `\`, ForceQuote: true, Encoding: "LATIN1"},
		`COPY a FROM STDIN (HEADER match, FORMAT 'csv')`: {Table: "a", Format: "csv", Delimiter: ",", Quote: `"`, Escape: `"`, Header: true},
		`COPY BINARY a TO STDOUT`:                        {Table: "a", To: true, Format: "binary"},
		`COPY a TO STDOUT (FORMAT binary)`:               {Table: "a", To: true, Format: "binary"},
		`COPY (SELECT 1) TO STDOUT NULL AS ''`:           {Query: true, To: true, Format: "text", Delimiter: "\t"},
		`COPY a TO '/tmp/x'`:                             {Table: "a", To: true, Format: "text", Delimiter: "\t", Null: `\N`, File: true},
		`COPY a FROM PROGRAM 'x' DELIMITER ','`:          {Table: "a", Format: "text", Delimiter: ",", Null: `\N`, Program: true},
	} {
		s := analyseText(t, text)
		if len(s) != 1 || s[0].Copy == nil {
			t.Errorf("%s: %+v", text, s)
			continue
		}
		if d := cmp.Diff(&want, s[0].Copy); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
}

func TestNames(t *testing.T) {
	for text, want := range map[string]string{
		`PREPARE "P q" AS DELETE FROM a`: "P q", `EXECUTE p(1)`: "p", `DEALLOCATE p`: "p", `DEALLOCATE ALL`: "",
		`DECLARE C CURSOR FOR SELECT 1`: "c", `FETCH 1 FROM c`: "c", `MOVE c`: "c", `CLOSE c`: "c", `CLOSE ALL`: "",
	} {
		if s := analyseText(t, text); s[0].Name != want {
			t.Errorf("%s: name %q", text, s[0].Name)
		}
	}
	s := analyseText(t, `PREPARE p AS DELETE FROM a`)
	if got := brief(s[0].Prepared); got != "delete read+write r:a w:a unbounded" {
		t.Errorf("prepared: %s", got)
	}
}

func TestRefusedBeforeTheParser(t *testing.T) {
	for name, text := range map[string]string{
		"too long": "SELECT '" + strings.Repeat("x", 1<<20) + "'", "zero": "SELECT 1\x00; DELETE FROM a", "not UTF-8": "SELECT '\xff'",
		"too deep": "SELECT " + strings.Repeat("(", 1001) + "1" + strings.Repeat(")", 1001),
	} {
		s := analyseText(t, text)
		if len(s) != 1 || !s[0].Facts.Unknown || s[0].Text != text || s[0].Facts.Why == "" || s[0].SyntaxError != "" {
			t.Errorf("%s: %+v", name, s[0].Facts)
		}
	}
}

func TestNothingIsUnderstoodWithoutAWorker(t *testing.T) {
	var zero Analyzer
	broken, err := New(Options{Argv: []string{"/nonexistent"}, Wait: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = broken.Close() }()
	for _, a := range []*Analyzer{&zero, broken} {
		if s := a.Statements(context.Background(), "SELECT 1"); len(s) != 1 || !s[0].Facts.Unknown {
			t.Errorf("%+v", s)
		}
	}
}

func TestGivingUpEndsTheWait(t *testing.T) {
	a, err := New(Options{Workers: 1, Argv: []string{"/bin/sleep", "100"}}) // never ready
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if s := a.Statements(ctx, "SELECT 1"); !s[0].Facts.Unknown {
		t.Errorf("%+v", s)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// hostile texts nest n deep, each in its own way.
var hostile = map[string]func(n int) string{
	"plus":    func(n int) string { return "SELECT 1" + strings.Repeat("+1", n) },
	"parens":  func(n int) string { return "SELECT " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n) },
	"not":     func(n int) string { return "SELECT " + strings.Repeat("NOT ", n) + "true" },
	"minus":   func(n int) string { return "SELECT " + strings.Repeat("- ", n) + "x" },
	"cast":    func(n int) string { return "SELECT 1" + strings.Repeat("::int", n) },
	"is null": func(n int) string { return "SELECT x" + strings.Repeat(" IS NULL", n) },
	"collate": func(n int) string { return "SELECT x" + strings.Repeat(` COLLATE "C"`, n) },
	"union":   func(n int) string { return "SELECT 1" + strings.Repeat(" UNION SELECT 1", n) },
	"join":    func(n int) string { return "SELECT 1 FROM a" + strings.Repeat(" JOIN a ON true", n) },
	"select":  func(n int) string { return strings.Repeat("SELECT (", n) + "SELECT 1" + strings.Repeat(")", n) },
	"from": func(n int) string {
		return strings.Repeat("SELECT * FROM (", n) + "SELECT 1" + strings.Repeat(") x", n)
	},
	"case": func(n int) string {
		return "SELECT " + strings.Repeat("CASE WHEN x THEN ", n) + "1" + strings.Repeat(" END", n)
	},
	"else": func(n int) string {
		return "SELECT " + strings.Repeat("CASE WHEN x THEN 1 ELSE ", n) + "1" + strings.Repeat(" END", n)
	},
	"call":      func(n int) string { return "SELECT " + strings.Repeat("f(", n) + "1" + strings.Repeat(")", n) },
	"array":     func(n int) string { return "SELECT " + strings.Repeat("ARRAY[", n) + "1" + strings.Repeat("]", n) },
	"subscript": func(n int) string { return "SELECT x" + strings.Repeat("[1]", n) },
	"with": func(n int) string {
		return strings.Repeat("WITH a AS (", n) + "SELECT 1" + strings.Repeat(") SELECT 1", n)
	},
	"like": func(n int) string { return "SELECT x" + strings.Repeat(" LIKE x", n) },
	"at":   func(n int) string { return "SELECT x" + strings.Repeat(" AT TIME ZONE 'UTC'", n) },
	"where": func(n int) string {
		return "DELETE FROM a WHERE " + strings.Repeat("NOT (", n) + "x" + strings.Repeat(")", n)
	},
	"dots":        func(n int) string { return "SELECT (x)" + strings.Repeat(".y", n) },
	"and":         func(n int) string { return "SELECT x" + strings.Repeat(" AND x", n) },
	"list":        func(n int) string { return "SELECT 1" + strings.Repeat(", -1", n) },
	"nested list": func(n int) string { return "SELECT " + strings.Repeat("f(1, -1, ", n) + "1" + strings.Repeat(")", n) },
	"statements":  func(n int) string { return strings.Repeat("SELECT 1+1;", n) },
}

// Whatever is let through to the parser leaves it whole; whatever is long is
// refused at once.
func TestHostileTexts(t *testing.T) {
	worker := shared().pool
	for name, nest := range hostile {
		for _, n := range []int{300, 950, 5_000} {
			text := nest(n)
			s := analyseText(t, text)
			if d := depth(text); d <= 1000 && s[0].Facts.Why == errLost.Error() {
				t.Errorf("%s × %d, depth %d: the worker broke", name, n, d)
			}
		}
	}
	if s := analyseText(t, "SELECT 'still here'"); s[0].Facts.Unknown || worker.alive.Load() != 1 {
		t.Errorf("%+v", s[0].Facts)
	}
}

func TestACrashCostsOneStatement(t *testing.T) {
	a, err := New(Options{Workers: 1, MaxDepth: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	ctx := context.Background()
	if s := a.Statements(ctx, hostile["plus"](23_500)); !s[0].Facts.Unknown || s[0].Facts.Why != errLost.Error() {
		t.Fatalf("47 kB of 1+1+… left the parser whole: %+v", s[0].Facts)
	}
	if s := a.Statements(ctx, "DELETE FROM a"); brief(s[0].Facts) != "delete read+write r:a w:a unbounded" {
		t.Errorf("the next statement: %+v", s[0].Facts)
	}
}

func TestAWorkerThatHangsIsEnded(t *testing.T) {
	a, err := New(Options{Workers: 1, Timeout: time.Microsecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	if s := a.Statements(context.Background(), "SELECT 1"); !s[0].Facts.Unknown {
		t.Errorf("%+v", s[0].Facts)
	}
}

// A worker has nothing that is worth stealing: no environment, no open files
// but its pipes.
func TestAWorkerHoldsNothing(t *testing.T) {
	t.Setenv("HOOP_SECRET", "hunter2")
	secret, err := os.CreateTemp(t.TempDir(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = secret.Close() }()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w, err := start(context.Background(), []string{exe, WorkerArg})
	if err != nil {
		t.Fatal(err)
	}
	defer w.stop()
	proc := fmt.Sprintf("/proc/%d", w.cmd.Process.Pid)
	env, err := os.ReadFile(proc + "/environ")
	if os.IsNotExist(err) {
		return // not Linux: exec.Cmd's own promises must do
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := string(env); got != "GOMEMLIMIT=512MiB\x00GOTRACEBACK=none\x00" {
		t.Errorf("environment %q", got)
	}
	files, err := os.ReadDir(proc + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if to, _ := os.Readlink(proc + "/fd/" + f.Name()); strings.Contains(to, "secret") || strings.HasPrefix(to, "socket:") {
			t.Errorf("the worker has %s", to)
		}
	}
}

func TestCaches(t *testing.T) {
	a, err := New(Options{Argv: []string{"/nonexistent"}, CacheBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	a.exact, a.shapes = newCache[[]Statement](1<<20), newCache[Statement](1<<20)
	ask := func(text string) []Statement {
		stmts, free, err := shared().ask(context.Background(), text)
		if err != nil {
			t.Fatal(err)
		}
		if free {
			shape, _, _ := appendShape(nil, text)
			s := stmts[0]
			s.Text = ""
			a.shapes.put(string(shape), s, 1000)
		}
		a.keep(text, stmts)
		return stmts
	}
	ask("SELECT * FROM a WHERE id = 1")
	ctx := context.Background()
	for range 3 { // no worker: from the caches or not at all
		for _, text := range []string{"SELECT * FROM a WHERE id = 1", "SELECT * FROM a WHERE id = 42"} {
			if s := a.Statements(ctx, text); brief(s[0].Facts) != "select read r:a" || s[0].Text != text {
				t.Errorf("%s: %+v", text, s[0])
			}
		}
	}
	if s := a.Statements(ctx, "SELECT * FROM b WHERE id = 1"); !s[0].Facts.Unknown {
		t.Errorf("%+v", s[0].Facts)
	}
	for _, text := range []string{"SELECT set_config('x', 'y', true)", "SET x = 1", "SELECT 1; SELECT 2", "DELETE FROM a WHERE 1 = 2"} {
		if _, free, _ := shared().ask(ctx, text); free {
			t.Errorf("%s would be judged by its shape", text)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache[int](1 << 16)
	for i := range 10_000 {
		c.put(fmt.Sprint("key ", i), i, 100)
		if _, ok := c.get("key 0"); !ok && i < 5 {
			t.Errorf("key 0 went with %d", i)
		}
	}
	if n := c.size(); n > 1<<16 || n < 1<<15 {
		t.Errorf("%d bytes are held", n)
	}
	if v, ok := c.get("key 0"); !ok || v != 0 {
		t.Error("what is used all the time was forgotten")
	}
	if v, ok := c.getBytes([]byte("key 9999")); !ok || v != 9999 {
		t.Error("what came last was forgotten")
	}
	c.put("large", 1, 1<<16)
	if _, ok := c.get("large"); ok {
		t.Error("one value may fill a shard")
	}
}

// A write stays a write, however it is wrapped.
func TestAWriteIsNeverOnlyRead(t *testing.T) {
	writes := []string{"DELETE FROM t", "UPDATE t SET x = 1 WHERE id = 2", "INSERT INTO t VALUES (1)", "MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DELETE"}
	inner := []func(string) string{ // a statement with RETURNING becomes a query
		func(w string) string { return "WITH q AS (" + w + " RETURNING 1) SELECT * FROM q" },
		func(w string) string { return "WITH p AS (SELECT 1), q AS (" + w + ") SELECT 1" },
		func(w string) string {
			return "WITH RECURSIVE q AS (" + w + " RETURNING 1) SELECT 1 UNION SELECT * FROM q"
		},
		func(w string) string { return "WITH q AS (" + w + " RETURNING *) INSERT INTO s SELECT * FROM q" },
	}
	outer := []func(string) string{
		func(q string) string { return q }, func(q string) string { return "EXPLAIN ANALYZE " + q }, func(q string) string { return "COPY (" + q + ") TO STDOUT" },
		func(q string) string { return "PREPARE p AS " + q }, func(q string) string { return "CREATE TABLE c AS " + q },
		func(q string) string { return "SELECT 1; " + q + "; SELECT 2" }, func(q string) string { return "/* SELECT 1 */ " + q + " -- ; SELECT 1" },
		func(q string) string { return "EXPLAIN (ANALYZE, VERBOSE off) PREPARE p AS " + q },
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom(writes).Draw(t, "write")
		if rapid.Bool().Draw(t, "wrapped") {
			text = rapid.SampledFrom(inner).Draw(t, "inner")(text)
		}
		text = rapid.SampledFrom(outer).Draw(t, "outer")(text)
		wrote := false
		for _, s := range shared().Statements(context.Background(), text) {
			wrote = wrote || s.Facts.Unknown || strings.Contains(strings.Join(s.Facts.Effects, " "), "write")
		}
		if !wrote {
			t.Fatalf("%s\nis only read", text)
		}
	})
}
