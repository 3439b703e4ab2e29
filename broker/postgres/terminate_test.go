package postgres

import (
	"bytes"
	"io"
	"testing"
	"time"
)

// A client may send its Query and Terminate in one write; PostgreSQL answers
// the first before it obeys the second.
func TestTerminateBehindAQueryWaitsForItsAnswer(t *testing.T) {
	past, through := transparent(t, relayWorld(t, noDeletes()))
	send := []byte(simple("SELECT pg_sleep(0.2), 'still answered'") + string(frame('X')))
	var answers [2][]byte
	for i, c := range []io.ReadWriter{past, through} {
		if d, ok := c.(interface{ SetDeadline(time.Time) error }); ok {
			_ = d.SetDeadline(time.Now().Add(20 * time.Second))
		}
		if _, err := c.Write(send); err != nil {
			t.Fatal(err)
		}
		answers[i], _ = io.ReadAll(c) // to the end that the other side makes
	}
	if !bytes.Contains(answers[0], []byte("still answered")) || !bytes.Equal(answers[0], answers[1]) {
		t.Errorf("direct %q\nthrough %q", answers[0], answers[1])
	}
}
