package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoop/recorder/terminal"
)

const v3 = `{"version":3,"term":{"cols":20,"rows":4}}`

func TestRead(t *testing.T) {
	rec := parse(t, `{"version":3,"term":{"cols":20,"rows":4},"timestamp":1700000000,"title":"alice → web-1","command":"top","hoop":{"pty":true,"start":"2026-11-24T09:00:00Z"}}`,
		`# a comment`, ``, `[0.5, "o", "one"]`, `[0.25, "i", "x"]`, `[0.25, "m", "ls -la"]`, `[0, "h", "{\"command\":{\"command\":\"ls -la\",\"derived\":true}}"]`,
		`[1, "h", "{\"result\":{\"exit\":3}}"]`, `[0, "m", "a note"]`, `[0, "r", "30x5"]`, `[0, "?", "new"]`, `[0, "x", 7]`, `[2, "h", "{\"end\":{\"reason\":\"closed\"}}"]`)
	three := 3
	want := Recording{Cols: 20, Rows: 4, Title: "alice → web-1", Command: "top", Started: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC), Length: 4 * time.Second, Exit: "7", End: "closed",
		Marks: []Mark{{At: time.Second, Text: "ls -la", Command: true, Derived: true, Exit: &three}, {At: 2 * time.Second, Text: "a note"}}}
	rec.output, rec.events, rec.resizes = nil, nil, 0
	if diff := cmp.Diff(want, *rec, cmp.AllowUnexported(Recording{}, event{})); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	old := parse(t, `{"version":2,"width":20,"height":4}`, `[1.5, "o", "a"]`, `[1.2, "o", "b"]`, `[3, "o", "c"]`)
	if old.Length != 3*time.Second || old.events[0].at != 1500*time.Millisecond || old.events[1].at != 3*time.Second {
		t.Errorf("v2: %+v", old)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"nothing":           {"", "it is empty"},
		"no JSON":           {"\x1b[2J", "no asciicast header"},
		"version 1":         {`{"version":1,"width":80,"height":24}`, "version 1 is neither 2 nor 3"},
		"no size":           {`{"version":3}`, "a terminal of 0 columns"},
		"a negative size":   {`{"version":2,"width":-5,"height":24}`, "-5 columns"},
		"a broken line":     {v3 + "\n[1, \"o\"\n[1, \"o\", \"x\"]\n", "line 2"},
		"two parts":         {v3 + "\n[1, \"o\"]\n", "3 parts, not 2"},
		"a time before":     {v3 + "\n[-1, \"o\", \"x\"]\n", "no time of an event"},
		"an endless time":   {v3 + "\n[1e300, \"o\", \"x\"]\n", "no time of an event"},
		"times that add up": {v3 + strings.Repeat("\n[300000000, \"o\", \"x\"]", 3) + "\n", "after the start"},
		"no size to take":   {v3 + "\n[1, \"r\", \"wide\"]\n", "no size of a terminal"},
		"a huge line":       {v3 + "\n[1, \"o\", \"" + strings.Repeat("x", maxLine) + "\"]\n", "too long"},
	} {
		_, err := Read(strings.NewReader(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := Read(io.MultiReader(strings.NewReader(v3+"\n"), strings.NewReader("[1, \"o\", \"a\"]\n"), failing{})); !errors.Is(err, errBroken) {
		t.Errorf("a reader that fails: %v", err)
	}
}

var errBroken = errors.New("broken")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errBroken }

// A recording that is being written, or whose writer was killed, is read as far
// as it goes.
func TestReadTorn(t *testing.T) {
	whole := v3 + "\n[1, \"o\", \"one\"]\n[1, \"o\", \"two\"]\n"
	for cut := len(whole) - 17; cut < len(whole); cut++ {
		rec, err := Read(strings.NewReader(whole[:cut]))
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if complete := cut >= len(whole)-1; rec.Torn == complete && cut > len(whole)-16 || string(rec.output) != "one" && !complete {
			t.Errorf("cut at %d: %+v, %q", cut, rec.Torn, rec.output)
		}
	}
}

// Wherever a player seeks to, from wherever, it shows what plain playing shows.
func TestSeek(t *testing.T) {
	for _, name := range []string{"replay-vim", "replay-htop", "replay-less", "replay-cjk"} {
		rec := repeat(load(t, name), 40) // so that there are keyframes
		p := player(t, rec)
		if len(p.keys) < 4 {
			t.Fatalf("%d keyframes", len(p.keys))
		}
		random := rand.New(rand.NewPCG(1, 2))
		want := map[time.Duration]string{}
		for range 60 {
			want[time.Duration(random.Int64N(int64(rec.Length)))] = ""
		}
		for at := range want {
			term := terminal.New(rec.Cols, rec.Rows)
			_, _ = term.Write(shownBy(rec, at))
			want[at] = strings.Join(drawn(term), "\n")
		}
		for at, screen := range want { // in a random order
			p.SeekTo(at)
			if got := strings.Join(drawn(p.Screen()), "\n"); got != screen || p.At() != at {
				t.Fatalf("%s at %s (-want +got):\n%s", name, at, cmp.Diff(screen, got))
			}
		}
	}
}

// repeat is a recording many times over.
func repeat(rec *Recording, times int) *Recording {
	out := &Recording{Cols: rec.Cols, Rows: rec.Rows}
	for range times {
		start := out.Length
		for _, e := range rec.events {
			out.Length = start + e.at
			_ = out.show(string(rec.output[e.from:e.to]))
		}
	}
	return out
}

func TestResizes(t *testing.T) {
	p := player(t, parse(t, v3, `[1, "o", "0123456789abcdef"]`, `[1, "r", "10x2"]`, `[1, "o", "\u001b[1;10HX"]`, `[1, "r", "100000x100000"]`))
	for _, c := range []struct {
		at         time.Duration
		cols, rows int
		first      string
	}{{1, 20, 4, "0123456789abcdef"}, {2, 10, 2, "0123456789"}, {3, 10, 2, "012345678X"}, {1, 20, 4, "0123456789abcdef"}, {4, terminal.MaxCols, terminal.MaxRows, "012345678X"}} {
		p.SeekTo(c.at * time.Second)
		if cols, rows := p.Screen().Size(); cols != c.cols || rows != c.rows || p.Screen().Text(0) != c.first {
			t.Errorf("after %d s: %dx%d %q", c.at, cols, rows, p.Screen().Text(0))
		}
	}
}

// What ran without a terminal wrote line feeds alone.
func TestWithoutTerminal(t *testing.T) {
	p := player(t, parse(t, `{"version":3,"term":{"cols":20,"rows":4},"hoop":{"pty":false}}`, `[1, "o", "one\ntwo\n"]`))
	p.SeekTo(time.Second)
	if diff := cmp.Diff([]string{"one", "two", "", ""}, rows(p)); diff != "" {
		t.Error(diff)
	}
}

func TestAdvance(t *testing.T) {
	rec := parse(t, v3, `[1, "o", "a"]`, `[10, "o", "b"]`, `[1, "o", "c"]`, `[1, "x", "0"]`)
	for name, c := range map[string]struct {
		speed   float64
		idle    time.Duration
		elapsed []time.Duration
		at      time.Duration
		text    string
	}{
		"as it was":                          {0, 0, []time.Duration{5 * time.Second}, 5 * time.Second, "a"},
		"faster":                             {4, 0, []time.Duration{3 * time.Second}, 12 * time.Second, "abc"},
		"in small steps":                     {2, 0, []time.Duration{500e6, 1, 499999999, 5 * time.Second}, 12 * time.Second, "abc"},
		"a pause is cut":                     {0, 2 * time.Second, []time.Duration{3 * time.Second, 1}, 11*time.Second + 1, "ab"},
		"a pause is cut, faster":             {3, 2 * time.Second, []time.Duration{time.Second, 1}, 11*time.Second + 3, "ab"},
		"the pause itself":                   {0, 2 * time.Second, []time.Duration{2500 * time.Millisecond}, 2500 * time.Millisecond, "a"},
		"to the end and no further":          {0, time.Second, []time.Duration{time.Hour}, 13 * time.Second, "abc"},
		"to the end with a pause at its end": {0, 100 * time.Millisecond, []time.Duration{time.Hour}, 13 * time.Second, "abc"},
	} {
		p := player(t, rec)
		p.Speed, p.Idle = c.speed, c.idle
		for _, e := range c.elapsed {
			p.Advance(e)
		}
		if p.At() != c.at || p.Screen().Text(0) != c.text {
			t.Errorf("%s: at %s %q, want %s %q", name, p.At(), p.Screen().Text(0), c.at, c.text)
		}
	}
	p := player(t, rec)
	var at []time.Duration
	for range 5 {
		p.Step()
		at = append(at, p.At()/time.Second)
	}
	if diff := cmp.Diff([]time.Duration{1, 11, 12, 13, 13}, at); diff != "" {
		t.Errorf("steps: %s", diff)
	}
}

func TestMarks(t *testing.T) {
	p := player(t, parse(t, v3, `[1, "m", "a"]`, `[1, "m", "b"]`, `[1, "o", "x"]`))
	for _, c := range []struct {
		at             time.Duration
		previous, next int
	}{{0, -1, 0}, {1, -1, 1}, {2, 0, 2}, {3, 1, 2}} {
		p.SeekTo(c.at * time.Second)
		if p.PreviousMark() != c.previous || p.NextMark() != c.next {
			t.Errorf("after %d s: %d and %d", c.at, p.PreviousMark(), p.NextMark())
		}
	}
}

func TestFind(t *testing.T) {
	lines := []string{v3, `[1, "o", "Needle\r\n"]`, `[1, "o", "hay\r\n"]`, `[1, "o", "split nee"]`, `[1, "o", "dle\r\n\r\n"]`, `[1, "o", "\u001b[2Jneedle gone"]`, `[1, "o", "\u001b[2K"]`, `[1, "r", "30x5"]`, `[1, "o", "needle"]`}
	for range 200 { // some keyframes between
		lines = append(lines, fmt.Sprintf(`[0.01, "o", %q]`, strings.Repeat("hay ", 1000)))
	}
	p := player(t, parse(t, append(lines, `[1, "o", "\r\nneedle"]`, `[1, "o", "\r\nhay"]`)...))
	for _, c := range []struct {
		text     string
		backward bool
		at       []time.Duration // each from the one before
	}{
		{"needle", false, []time.Duration{1000, 4000, 5000, 8000, 11000}},
		{"Needle", false, []time.Duration{1000}},
		{"needle", true, []time.Duration{11000, 8000, 5000, 4000, 1000}},
		{"nowhere", false, nil}, {"nowhere", true, nil}, {"", false, nil},
	} {
		p.SeekTo(0)
		if c.backward {
			p.SeekTo(time.Hour)
		}
		var got []time.Duration
		for {
			find := p.Find
			if c.backward {
				find = p.FindBack
			}
			at, found, err := find(t.Context(), c.text)
			if err != nil {
				t.Fatal(err)
			}
			if !found {
				break
			}
			got = append(got, at/time.Millisecond)
			p.SeekTo(at)
		}
		if diff := cmp.Diff(c.at, got); diff != "" {
			t.Errorf("%q, backward %v (-want +got):\n%s", c.text, c.backward, diff)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	p.SeekTo(0)
	if _, _, err := p.Find(cancelled, "nowhere"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := NewPlayer(cancelled, p.Recording()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// However large the screen: keyframes stay within what they may take.
func TestKeyframesAreBounded(t *testing.T) {
	rec := &Recording{Cols: terminal.MaxCols, Rows: terminal.MaxRows}
	line := strings.Repeat("x", 4000)
	for range 4000 {
		rec.Length += time.Millisecond
		if err := rec.show(line); err != nil {
			t.Fatal(err)
		}
	}
	p := player(t, rec)
	if n := len(p.keys) * 2 * rec.Cols * rec.Rows; n > 2*maxKept || len(p.keys) < 4 {
		t.Errorf("%d keyframes hold %d cells", len(p.keys), n)
	}
}

// Whatever the bytes: either they are refused, or they play, forward and back,
// to the same screen.
func FuzzRecording(f *testing.F) {
	f.Add([]byte(v3+"\n[1, \"o\", \"\\u001b[2Ja\"]\n[1, \"m\", \"x\"]\n[0, \"h\", \"{\\\"command\\\":{}}\"]\n[1, \"r\", \"9x9\"]\n[1,\"x\",1]"), int64(1500000000))
	f.Add([]byte(`{"version":2,"width":5,"height":2}`+"\n[1, \"o\", \"\\u001bP\"]\n[0.5, \"o\", \"\\u001b\\\\b\"]\n"), int64(1))
	f.Fuzz(func(t *testing.T, in []byte, at int64) {
		rec, err := Read(bytes.NewReader(in))
		if err != nil {
			return
		}
		p := player(t, rec)
		p.SeekTo(time.Duration(at))
		want := drawn(p.Screen())
		p.SeekTo(rec.Length)
		p.Idle = time.Second
		p.Advance(time.Second)
		p.SeekTo(time.Duration(at))
		if diff := cmp.Diff(want, drawn(p.Screen())); diff != "" {
			t.Fatalf("from behind (-want +got):\n%s", diff)
		}
		for {
			next, found, err := p.Find(t.Context(), "a")
			if err != nil || found && next <= p.At() {
				t.Fatalf("found at %s from %s, %v", next, p.At(), err)
			}
			if !found {
				return
			}
			p.SeekTo(next)
		}
	})
}

// large is 12 MB of a program's output.
func large(b *testing.B, name string) *Recording {
	rec := load(b, name)
	return repeat(rec, 12<<20/len(rec.output)+1)
}

// scrolling is 12 MB of lines, the most that a terminal can be given to do.
func scrolling() *Recording {
	rec := &Recording{Cols: 100, Rows: 30}
	for i := 0; len(rec.output) < 12<<20; i++ {
		rec.Length += time.Millisecond
		_ = rec.show(fmt.Sprintf("%06d -rw-r--r-- 1 root root 4096 Nov 24 14:00 some-file-name-%06d.txt\r\n", i, i))
	}
	return rec
}

// BenchmarkSeek goes to random places; worst-ms is the slowest of them.
func BenchmarkSeek(b *testing.B) {
	for name, rec := range map[string]*Recording{"vim": large(b, "replay-vim"), "htop": large(b, "replay-htop"), "scrolling": scrolling()} {
		p, err := NewPlayer(b.Context(), rec)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 2))
			var worst time.Duration
			for b.Loop() {
				start := time.Now()
				p.SeekTo(time.Duration(random.Int64N(int64(rec.Length))))
				worst = max(worst, time.Since(start))
			}
			b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
			b.ReportMetric(float64(len(p.keys)), "keyframes")
		})
	}
}

// BenchmarkOpen goes through 12 MB once.
func BenchmarkOpen(b *testing.B) {
	rec := scrolling()
	b.SetBytes(int64(len(rec.output)))
	for b.Loop() {
		if _, err := NewPlayer(b.Context(), rec); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFind looks for what is nowhere in 12 MB.
func BenchmarkFind(b *testing.B) {
	for name, rec := range map[string]*Recording{"htop": large(b, "replay-htop"), "scrolling": scrolling()} {
		p, err := NewPlayer(b.Context(), rec)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, found, err := p.Find(b.Context(), "nowhere"); found || err != nil {
					b.Fatal(found, err)
				}
			}
		})
	}
}

// BenchmarkRead reads a recording of 12 MB of output.
func BenchmarkRead(b *testing.B) {
	rec := scrolling()
	var text bytes.Buffer
	fmt.Fprintln(&text, v3)
	for _, e := range rec.events {
		data, _ := json.Marshal(string(rec.output[e.from:e.to]))
		fmt.Fprintf(&text, "[0.001, \"o\", %s]\n", data)
	}
	b.SetBytes(int64(len(rec.output)))
	for b.Loop() {
		if _, err := Read(bytes.NewReader(text.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
}
