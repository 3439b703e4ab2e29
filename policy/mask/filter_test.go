package mask

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoop/policy"
)

func filter(t *testing.T, in string, explain bool) string {
	t.Helper()
	d := allDetectors(t, policy.MaskSpec{Method: "redact", Text: "#"})
	var out bytes.Buffer
	err := Filter(t.Context(), iotest.OneByteReader(strings.NewReader(in)), &out, FilterOptions{Detectors: d, Explain: explain})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestFilter(t *testing.T) {
	const text = "mail ada@example.com\nor 078-05-1120\n"
	for _, c := range []struct {
		name, in string
		explain  bool
		want     string
	}{
		{"masks", text, false, "mail #\nor #\n"},
		{"nothing", "", false, ""},
		{"explains", text, true, `{"class":"email","start":5,"end":20}` + "\n" + `{"class":"us_ssn","start":24,"end":35}` + "\n"},
		{"records", `{"id":"a","text":"078051120","context":"column:ssn"}` + "\n\n" + `{"id":7,"text":"ok"}`, true,
			`{"id":"a","spans":[[0,9,"us_ssn"]]}` + "\n" + `{"id":7,"spans":[]}` + "\n"},
	} {
		if diff := cmp.Diff(c.want, filter(t, c.in, c.explain)); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}
}

func TestFilterStopsAndFails(t *testing.T) {
	d := allDetectors(t, policy.MaskSpec{Method: "redact"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Filter(ctx, strings.NewReader("x"), &bytes.Buffer{}, FilterOptions{Detectors: d}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	broken := errors.New("broken")
	if err := Filter(t.Context(), iotest.ErrReader(broken), &bytes.Buffer{}, FilterOptions{Detectors: d}); !errors.Is(err, broken) {
		t.Errorf("unreadable: %v", err)
	}
}

// timedWriter notes when what was written.
type timedWriter struct {
	since time.Time
	parts []timedPart
}

type timedPart struct {
	After time.Duration
	Text  string
}

func (w *timedWriter) Write(p []byte) (int, error) {
	w.parts = append(w.parts, timedPart{time.Since(w.since), string(p)})
	return len(p), nil
}

// On a live pipe nothing waits for longer than the delay, a prompt does not
// wait, and a value inside which the sender pauses is masked from there on.
func TestFilterOnALivePipe(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name  string
		delay time.Duration
		want  []timedPart
	}{
		{"a delay", 20 * ms, []timedPart{{0, "$ "}, {100 * ms, "user "}, {120 * ms, "alice@exa"}, {1100 * ms, "#\n"}}},
		{"no delay", 0, []timedPart{{0, "$ "}, {100 * ms, "user "}, {1100 * ms, "#\n"}}},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := allDetectors(t, policy.MaskSpec{Method: "redact", Text: "#"})
			in, sender := io.Pipe()
			go func() {
				io.WriteString(sender, "$ ")
				time.Sleep(100 * ms)
				io.WriteString(sender, "user alice@exa")
				time.Sleep(time.Second)
				io.WriteString(sender, "mple.com\n")
				sender.Close()
			}()
			out := timedWriter{since: time.Now()}
			if err := Filter(t.Context(), in, &out, FilterOptions{Detectors: d, Delay: c.delay}); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(c.want, out.parts); diff != "" {
				t.Errorf("%s:\n%s", c.name, diff)
			}
		})
	}
}

// A record is answered before the next one comes, and what is blocked ends
// with the context.
func TestFilterAnswersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := allDetectors(t, policy.MaskSpec{Method: "redact"})
		in, sender := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			io.WriteString(sender, `{"id":1,"text":"ada@example.com"}`+"\n")
			time.Sleep(time.Minute)
			cancel()
			sender.Close() // for the reader in the background
		}()
		out := timedWriter{since: time.Now()}
		err := Filter(ctx, in, &out, FilterOptions{Detectors: d, Explain: true})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		want := []timedPart{{0, `{"id":1,"spans":[[0,15,"email"]]}` + "\n"}}
		if diff := cmp.Diff(want, out.parts); diff != "" {
			t.Error(diff)
		}
	})
}

// What comes in pieces that readers find odd comes out whole.
func TestFilterReadsOddly(t *testing.T) {
	d := allDetectors(t, policy.MaskSpec{Method: "redact", Text: "#"})
	text := strings.Repeat("a line of nothing, then ada@example.com\n", 8000)
	want := strings.Repeat("a line of nothing, then #\n", 8000)
	for name, in := range map[string]io.Reader{
		"at once": strings.NewReader(text), "end with data": iotest.DataErrReader(strings.NewReader(text)),
		"halves": iotest.HalfReader(strings.NewReader(text)),
	} {
		var out bytes.Buffer
		if err := Filter(t.Context(), in, &out, FilterOptions{Detectors: d, Delay: time.Hour}); err != nil || out.String() != want {
			t.Errorf("%s: %d bytes, want %d: %v", name, out.Len(), len(want), err)
		}
	}
}
