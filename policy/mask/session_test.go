package mask

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"testing"
	"time"

	"hoop/policy"
)

// recorded is one read or write of a terminal session: microseconds since its
// start, "i" for what was typed or "o" for what came back, the bytes.
type recorded struct {
	at    time.Time
	typed bool
	bytes []byte
}

// session reads a recording of somebody at work in bash, less and vi.
func session(t *testing.T) (out []recorded) {
	t.Helper()
	f, err := os.Open("testdata/bash_vi.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(z); ; {
		var e [3]any
		if err := dec.Decode(&e); err == io.EOF {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		raw, err := hex.DecodeString(e[2].(string))
		if err != nil {
			t.Fatal(err)
		}
		at := noon.Add(time.Duration(e[0].(float64)) * time.Microsecond)
		out = append(out, recorded{at: at, typed: e[1] == "i", bytes: raw})
	}
}

// At most one byte in a hundred of a terminal session waits, none for longer
// than the delay, and no prompt does.
func TestRecordedSessionIsHardlyDelayed(t *testing.T) {
	d := allDetectors(t, policy.MaskSpec{Method: "partial"})
	s := d.NewStream(StreamOptions{})
	total, delayed, prompts, fired := 0, 0, 0, 0
	var in, out []byte
	for _, e := range session(t) {
		if due, held := s.Deadline(); held && !due.After(e.at) {
			out = s.Expire(out, due)
			fired++
		}
		if e.typed {
			s.Typed(e.bytes, e.at)
			continue
		}
		before := len(s.held)
		out = s.Write(out, e.bytes, e.at)
		in = append(in, e.bytes...)
		total += len(e.bytes)
		delayed += max(0, len(s.held)-before)
		if bytes.HasSuffix(e.bytes, []byte("$ ")) || bytes.HasSuffix(e.bytes, []byte("\n:\x1b[K")) { // bash and less
			if prompts++; len(s.held) > 0 {
				t.Errorf("a prompt waits behind %q", s.held)
			}
		}
	}
	out = s.Close(out)
	t.Logf("%d of %d bytes waited (%.2f %%), %d prompts, the delay ran out %d times", delayed, total, 100*float64(delayed)/float64(total), prompts, fired)
	if delayed*100 > total || fired > 10 { // an echo that waits makes the delay run out
		t.Errorf("%d of %d bytes waited, %d times to the end of the delay", delayed, total, fired)
	}
	if prompts < 10 {
		t.Errorf("only %d prompts", prompts)
	}
	if len(out) != len(in) { // partial keeps the length
		t.Errorf("%d bytes came out, %d went in", len(out), len(in))
	}
	if bytes.Contains(out, []byte("mira7@example.com")) {
		t.Error("an address came out")
	}
}
