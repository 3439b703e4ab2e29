package recording

import (
	"bytes"
	"errors"
	"io"
	"math"
	"testing"
	"time"
)

// FuzzReader: whatever a file holds, times never go back, and what was read is
// read again from what is written of it.
func FuzzReader(f *testing.F) {
	f.Add([]byte(`{"version":3,"term":{"cols":80,"rows":24}}` + "\n[0.5, \"o\", \"a\\u001b[0m漢\"]\n# no event\n[1, \"x\", 0]\n[1e-3,\"r\",\"90x30\"]\n[2, \"o\", \"torn"))
	f.Add([]byte(`{"version":2,"width":80,"height":24}` + "\n[0.5, \"o\", \"a\"]\n[0.25,\"i\",\"b\"]\n[0.75, \"long\", \"\\ud800\"]\n"))
	for _, name := range []string{"marks", "top"} {
		f.Add(cast(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := NewReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		lines := []byte(`{"version":3,"term":{"cols":80,"rows":24}}` + "\n")
		var want []Event
		last := time.Duration(0)
		for {
			ev, err := r.Next()
			if err != nil {
				if !errors.Is(err, io.EOF) && len(err.Error()) > 1000 {
					t.Errorf("an error of %d bytes", len(err.Error()))
				}
				break
			}
			if ev.Time < last || ev.Time > maxTime {
				t.Fatalf("an event at %s follows one at %s", ev.Time, last)
			}
			if ev.Code != 0 && plain(ev.Code) {
				lines = appendEvent(lines, ev.Time-last, ev.Code, []byte(ev.Data))
				want = append(want, ev)
				last = ev.Time
			}
		}
		again, err := NewReader(bytes.NewReader(lines))
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if got, err := again.Next(); err != nil || got != want[i] {
				t.Fatalf("event %d is %+v, %v, not %+v", i, got, err, want[i])
			}
		}
	})
}

// TestReadsQuickly: the quick way to read a line reads what encoding/json
// reads.
func TestReadsQuickly(t *testing.T) {
	for _, line := range []string{
		`[0, "o", ""]`, `[0.000001, "o", "a"]`, `[12.5, "m", "漢\n\"\\\u001b\ud83d\ude80"]`, `[315360000.999999, "h", "{}"]`, `[1.25,"o","a"]`,
		`[1e2, "o", "a"]`, `[0.1234567, "o", "a"]`, `[-1, "o", "a"]`, `[1, "o", "a", 2]`, `[1, "o", "a"`, `[1, "o", "a" ]`, `[01, "o", "a"]`, `[1., "o", "a"]`,
		`[.5, "o", "a"]`, `[1, "oo", "a"]`, `[1, "", "a"]`, `[1, "o", 5]`, `[1, "o", "a"b"]`, "[1, \"o\", \"a\tb\"]", "[1, \"o\", \"\xff\"]", `[1, "o", "\"]`, `[99999999999999999999, "o", "a"]`, ``, `[`,
	} {
		quick, ok := quickEvent([]byte(line))
		slow, err := slowEvent([]byte(line))
		if ok && (err != nil || quick != slow) {
			t.Errorf("%s is %+v quickly, and %+v, %v", line, quick, slow, err)
		}
		if got, gotErr := parseEvent([]byte(line)); got != slow || (gotErr == nil) != (err == nil) {
			t.Errorf("%s is %+v, %v; and %+v, %v", line, got, gotErr, slow, err)
		}
	}
	if ev, ok := quickEvent([]byte(`[12.5, "m", "plain"]`)); !ok || ev.Data != "plain" || ev.Time != 12500*time.Millisecond || math.IsNaN(ev.Time.Seconds()) {
		t.Errorf("the quick way gives %+v, %t", ev, ok)
	}
}

func BenchmarkReader(b *testing.B) {
	for _, name := range []string{"vim", "bash"} {
		b.Run(name, func(b *testing.B) {
			data := cast(b, name)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				events(b, bytes.NewReader(data))
			}
		})
	}
}
