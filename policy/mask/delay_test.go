package mask

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"hoop/policy"
)

// Whatever comes when, no byte waits for longer than the delay: measured byte
// by byte, with a method that keeps the length, on texts that come in pieces
// with pauses between them. Where a pause cuts a value its rest is dropped, and
// nobody can tell which byte is which: those texts do not count.
func TestNoByteWaitsLongerThanTheDelay(t *testing.T) {
	d := allDetectors(t, policy.MaskSpec{Method: "partial"})
	r := rand.New(rand.NewPCG(7, 7))
	longest, waits, texts := time.Duration(0), 0, 0
	for i, text := range corpus(t) {
		if i%6 != 0 || bytes.IndexByte([]byte(text.Text), escape) >= 0 {
			continue
		}
		texts++
		for _, wait := range waitsOf(d, []byte(text.Text), text.context(), r) {
			if longest = max(longest, wait); wait > DefaultDelay {
				t.Fatalf("%s: a byte of %q waited for %s", text.ID, text.Text, wait)
			}
			if wait > 0 {
				waits++
			}
		}
	}
	t.Logf("%d bytes of %d texts waited, for %s at most", waits, texts, longest)
	if waits < 10000 || longest != DefaultDelay {
		t.Errorf("%d bytes waited, for %s at most", waits, longest)
	}
}

// waitsOf sends a text in pieces and gives how long each byte was held.
func waitsOf(d *Detectors, text []byte, c Context, r *rand.Rand) (waits []time.Duration) {
	s := d.NewStream(StreamOptions{Context: c})
	now, size := noon, len(text)
	var came []time.Time
	released := func(out []byte, at time.Time) {
		for range out {
			waits = append(waits, at.Sub(came[len(waits)]))
		}
	}
	for len(text) > 0 {
		n := min(len(text), 1+r.IntN(12))
		for range n {
			came = append(came, now)
		}
		released(s.Write(nil, text[:n], now), now)
		text = text[n:]
		next := now.Add(time.Duration(r.IntN(12)) * time.Millisecond)
		for due, held := s.Deadline(); held && !due.After(next); due, held = s.Deadline() {
			released(s.Expire(nil, due), due)
		}
		now = next
	}
	released(s.Close(nil), now)
	if len(waits) != size {
		return nil
	}
	return waits
}
