package recording

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"hoop/policy"
)

// Description is what a store tells of one recording.
type Description struct {
	Session    string       `json:"session"`
	Action     uint64       `json:"action"`
	Connection string       `json:"connection"`
	Principal  string       `json:"principal"`
	Chain      policy.Chain `json:"chain"`
	Verb       string       `json:"verb"`
	Command    string       `json:"command,omitempty"`
	PTY        bool         `json:"pty"`
	Cols       int          `json:"cols"`
	Rows       int          `json:"rows"`
	Start      time.Time    `json:"start"`
	Bytes      int64        `json:"bytes"` // of the file
	// State is live, closed, or lost where the broker was killed before the end.
	State   string  `json:"state"`
	Seconds float64 `json:"seconds,omitempty"` // how long, once closed
	Reason  string  `json:"reason,omitempty"`  // why it ended
	Output  int64   `json:"output,omitempty"`  // bytes that were shown, once closed
	Omitted int64   `json:"omitted,omitempty"` // of them not kept
}

// The states of a recording.
const (
	StateLive   = "live"
	StateClosed = "closed"
	StateLost   = "lost"
)

// Describe tells of a recording by its first and last line. ErrNotFound where
// there is none.
func (s *Store) Describe(session string, action uint64) (*Description, error) {
	f, err := s.Open(session, action)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	d, err := describe(f)
	if err != nil {
		return nil, fmt.Errorf("describe the recording %s: %w", fileName(session, action), err)
	}
	d.Session, d.Action = session, action
	return d, nil
}

func describe(f *os.File) (*Description, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	r, err := NewReader(f)
	if err != nil {
		return nil, err
	}
	h := &r.Header
	d := &Description{Command: h.Command, Cols: h.Cols, Rows: h.Rows, Start: h.Start, Bytes: info.Size(), State: StateLive}
	if m := h.Hoop; m != nil {
		d.Connection, d.Principal, d.Chain, d.Verb, d.PTY = m.Connection, m.Principal, m.Chain, m.Verb, m.PTY
	}
	last, _, err := lastLine(f, info.Size())
	if err != nil {
		return nil, err
	}
	end := endOf(bytes.TrimSpace(last))
	if end == nil {
		return d, nil
	}
	d.State, d.Seconds, d.Reason, d.Output, d.Omitted = StateClosed, end.Seconds, end.Reason, end.Output, end.Omitted
	if end.Lost {
		d.State = StateLost
	}
	return d, nil
}
