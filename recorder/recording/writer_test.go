package recording

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hoop/policy"
)

func open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// events reads a whole recording.
func events(t testing.TB, r io.Reader) (Header, []Event) {
	t.Helper()
	d, err := NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	var out []Event
	for {
		ev, err := d.Next()
		if errors.Is(err, io.EOF) {
			return d.Header, out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, ev)
	}
}

func recorded(t testing.TB, s *Store, session string) (Header, []Event) {
	t.Helper()
	f, err := s.Open(session, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	return events(t, f)
}

// step is one call of a writer.
type step struct {
	output []byte
	cols   int
	rows   int
}

// TestReadBack: what was written is read back, the same bytes in the same
// order around the same resizes, however the output was cut into pieces.
func TestReadBack(t *testing.T) {
	s := open(t)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		session := fmt.Sprintf("s%d", n)
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 0, 20).Draw(t, "steps")
		w, err := s.Create(Meta{Session: session, Action: 1, PTY: rapid.Bool().Draw(t, "pty")}, Hooks{})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		var text []byte
		for _, st := range steps {
			if st.cols > 0 {
				want, text = append(want, string(bytes.ToValidUTF8(text, nil)), fmt.Sprintf("%dx%d", st.cols, st.rows)), nil
				err = w.Resize(st.cols, st.rows)
			} else {
				text = append(text, st.output...)
				for p := st.output; len(p) > 0 && err == nil; {
					k := rapid.IntRange(1, len(p)).Draw(t, "piece")
					err = w.Output(p[:k])
					p = p[k:]
				}
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		want = append(want, string(text))
		w.finish("done") // Close without bringing it to the disk, which takes a hundred times as long
		<-w.done
		if err := errors.Join(w.Err(), w.file.Close()); err != nil {
			t.Fatal(err)
		}
		f, err := s.Open(session, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		got := runsOf(t, f)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// runsOf gives the output between resizes, and the resizes.
func runsOf(t *rapid.T, r io.Reader) []string {
	d, err := NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{""}
	for {
		ev, err := d.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		switch ev.Code {
		case CodeOutput:
			out[len(out)-1] += ev.Data
		case CodeResize:
			out = append(out, ev.Data, "")
		}
	}
}

func drawStep(t *rapid.T) step {
	if rapid.IntRange(0, 4).Draw(t, "kind") == 0 {
		return step{cols: rapid.IntRange(1, 300).Draw(t, "cols"), rows: rapid.IntRange(1, 100).Draw(t, "rows")}
	}
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"漢字かな交じり文", "👩‍👩‍👧‍👦🏳️‍🌈", "\x1b[31mred\x1b[0m\r\n", "\x1b]133;A\x07$ ", "\"\\\u2028\x00\x7f", strings.Repeat("x漢", 9000),
	})).Draw(t, "text")
	return step{output: []byte(text)}
}

// TestInvalidUTF8: each byte that is no UTF-8 becomes U+FFFD, and nothing else
// does, wherever the pieces end.
func TestInvalidUTF8(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOfN(rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte("\xe6\xbc\xa2\xf0\x9f\x91\xa9\xc3\xa9a"))), 0, 40).Draw(t, "bytes")
		var r runes
		var got strings.Builder
		emit := func(b []byte) {
			for _, c := range string(b) {
				got.WriteRune(c)
			}
		}
		for rest := p; len(rest) > 0; {
			k := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			a, b := r.split(rest[:k])
			emit(a)
			emit(b)
			rest = rest[k:]
		}
		emit(r.flush())
		want := string([]rune(string(p)))
		if got.String() != want {
			t.Fatalf("% x became %q, not %q", p, got.String(), want)
		}
	})
}

func TestHeaderAndEnd(t *testing.T) {
	s := open(t)
	start := time.Date(2026, 11, 24, 14, 0, 0, 123456000, time.UTC)
	m := Meta{
		Session: "abc", Action: 1, Connection: "web-1", Protocol: "ssh", Principal: "alice", Verb: "ssh.exec", Command: "uname -a",
		Chain: policy.Chain{{ID: "1", Name: "alice"}, {ID: "2", Name: "claude", Claimed: true}}, PTY: true, Start: start, Term: "xterm", Cols: 100, Rows: 30,
	}
	var closed Summary
	w, err := s.Create(m, Hooks{OnClose: func(sum Summary, err error) { closed = sum }})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []func() error{
		func() error { return w.Output([]byte("Linux\r\n")) },
		func() error { return w.Mark("here") },
		func() error { return w.ExitSignal("TERM") },
	} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := w.Close("closed by the client")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Output([]byte("more")); !errors.Is(err, ErrClosed) {
		t.Errorf("output after the end: %v", err)
	}
	if again, err := w.Close("again"); err != nil || again != sum || closed != sum {
		t.Errorf("closing twice: %v, %v, %v; %v", again, closed, sum, err)
	}
	h, evs := recorded(t, s, "abc")
	want := Header{Version: 3, Cols: 100, Rows: 30, Term: "xterm", Title: "alice › claude → web-1", Command: "uname -a", Start: start, Hoop: h.Hoop}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Error(diff)
	}
	m.Term, m.Command, m.Cols, m.Rows = "", "", 0, 0 // these stand in asciicast's own fields
	if diff := cmp.Diff(&m, h.Hoop); diff != "" {
		t.Error(diff)
	}
	var got []string
	for _, ev := range evs {
		got = append(got, string(ev.Code)+" "+ev.Data)
	}
	end := `h {"end":{"reason":"closed by the client","seconds":` + fmt.Sprint(sum.Duration.Seconds()) + `,"output":7,"shown":"` + sum.Shown + `"}}`
	if diff := cmp.Diff([]string{"o Linux\r\n", "m here", `h {"signal":"TERM"}`, "x 143", end}, got); diff != "" {
		t.Error(diff)
	}
}

// TestCap: what is beyond the cap is counted, and marked once.
func TestCap(t *testing.T) {
	s := open(t)
	w, err := s.Create(Meta{Session: "abc", Action: 1, Cap: 10}, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := w.Output([]byte("0123456")); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := w.Close("")
	if err != nil {
		t.Fatal(err)
	}
	if sum.Output != 35 || sum.Omitted != 25 || !sum.Truncated() {
		t.Errorf("summary %+v", sum)
	}
	_, evs := recorded(t, s, "abc")
	var got []string
	for _, ev := range evs[:len(evs)-1] {
		got = append(got, string(ev.Code)+ev.Data)
	}
	if diff := cmp.Diff([]string{"o0123456", "o012", "moutput beyond 10 bytes is not recorded"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestFullDisk: the first write that fails ends the recording, is told once,
// and leaves whole lines.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newWriter(full, Meta{Session: "abc"}, Hooks{}, time.Now); err == nil {
		t.Error("a recording began on a full disk")
	}
	told := make(chan error, 2)
	s := open(t)
	w, err := s.Create(Meta{Session: "abc", Action: 1}, Hooks{OnError: func(err error) { told <- err }})
	if err != nil {
		t.Fatal(err)
	}
	_ = w.file.Close() // as good as a disk that went away
	if err := w.Output([]byte("lost")); err != nil {
		t.Fatal(err)
	}
	if err := <-told; err == nil {
		t.Error("told of no error")
	}
	for name, f := range map[string]func() error{
		"output": func() error { return w.Output([]byte("x")) }, "input": func() error { return w.Input([]byte("x")) },
		"resize": func() error { return w.Resize(1, 1) }, "mark": func() error { return w.Mark("x") }, "exit": func() error { return w.Exit(0) },
		"close": func() error { _, err := w.Close(""); return err },
	} {
		if f() == nil {
			t.Errorf("%s works after the recording failed", name)
		}
	}
	if len(told) > 0 {
		t.Error("the failure was told twice")
	}
}

// TestManyWriters: calls from several goroutines make whole lines, each in one
// piece, and chunks follow each other with the hashes of what the file holds.
func TestManyWriters(t *testing.T) {
	var clock atomic.Int64
	s, err := Open(t.TempDir(), Options{Now: func() time.Time { return time.Unix(0, clock.Add(int64(time.Second))) }})
	if err != nil {
		t.Fatal(err)
	}
	var claim Claim
	w, err := s.Create(Meta{Session: "abc", Action: 1}, Hooks{OnChunk: func(c Chunk) { claim.Chunks = append(claim.Chunks, c) }})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 500 {
				if err := w.Output(bytes.Repeat([]byte{'a' + byte(g)}, 1000+i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	sum, err := w.Close("")
	if err != nil {
		t.Fatal(err)
	}
	_, evs := recorded(t, s, "abc")
	var total int64
	for _, ev := range evs[:len(evs)-1] {
		total += int64(len(ev.Data))
		if strings.Trim(ev.Data, ev.Data[:1]) != "" {
			t.Fatal("an event holds the output of two calls")
		}
	}
	if total != sum.Output || total != 4*(500*1000+499*500/2) {
		t.Errorf("%d bytes were recorded, %d told of", total, sum.Output)
	}
	if len(claim.Chunks) == 0 {
		t.Fatal("no chunk was told of")
	}
	claim.Bytes, claim.SHA256 = sum.Bytes, sum.SHA256
	checkClaim(t, s.path("abc", 1), claim)
}

// checkClaim checks a file that is as it was written, and that every change of
// it shows.
func checkClaim(t *testing.T, path string, c Claim) {
	t.Helper()
	if err := Check(path, c); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func() []byte{
		"a byte in the first chunk": func() []byte { d := bytes.Clone(data); d[c.Chunks[0].Length/2] ^= 1; return d },
		"the last byte":             func() []byte { d := bytes.Clone(data); d[len(d)-1] ^= 1; return d },
		"cut off":                   func() []byte { return data[:len(data)-1] },
		"more at the end":           func() []byte { return append(bytes.Clone(data), '\n') },
		"nothing":                   func() []byte { return nil },
	} {
		if err := os.WriteFile(path, change(), 0o600); err != nil {
			t.Fatal(err)
		}
		if Check(path, c) == nil {
			t.Errorf("%s: the change does not show", name)
		}
		unfinished := Claim{Chunks: c.Chunks} // as of a recording that runs
		if err := Check(path, unfinished); (err == nil) != (name == "more at the end" || c.end() < c.Bytes && (name == "the last byte" || name == "cut off")) {
			t.Errorf("%s, of a recording that runs: %v", name, err)
		}
	}
}

// TestPlainRun: eight bytes at a time find what one at a time finds.
func TestPlainRun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOfN(rapid.OneOf(rapid.ByteRange(' ', '~'), rapid.SampledFrom([]byte("aaaaaaa!\"#[\\]\x1f\x7f\x80\x00\n"))), 0, 40).Draw(t, "bytes")
		for at := range p {
			want := at
			for want < len(p) && plain(p[want]) {
				want++
			}
			if got := plainRun(p, at); got != want-at {
				t.Fatalf("%q from %d: %d bytes are plain, not %d", p, at, got, want-at)
			}
		}
	})
}
