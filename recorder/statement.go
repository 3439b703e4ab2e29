package recorder

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"hoop/policy"
)

// Statement is one action of a session: its verdict and, where it was
// forwarded and is done, how it ended.
type Statement struct {
	Index    uint64          `json:"index"` // of the decided event in the log
	Number   uint64          `json:"number"`
	Time     time.Time       `json:"time"`
	Chain    policy.Chain    `json:"chain,omitempty"`
	Verb     string          `json:"verb"`
	Text     string          `json:"text,omitempty"`
	Digest   string          `json:"digest,omitempty"`
	Params   []Param         `json:"params,omitempty"`
	SQL      *policy.SQL     `json:"sql,omitempty"`
	Verdict  *policy.Verdict `json:"verdict,omitempty"`
	Finished bool            `json:"finished"` // false: denied, running, or nobody saw the end
	// Outcome is denied, ok, error, cancelled, lost, or "" while it runs.
	Outcome    string         `json:"outcome,omitempty"`
	Code       string         `json:"code,omitempty"`
	Rows       int64          `json:"rows,omitempty"`
	Bytes      int64          `json:"bytes,omitempty"`
	DurationUS int64          `json:"duration_us,omitempty"`
	Masked     map[string]int `json:"masked,omitempty"`
	Reason     string         `json:"reason,omitempty"`
	Approval   *Approval      `json:"approval,omitempty"` // that it waited for
	// Derived is what was typed into a shell, as far as its screen told: an aid
	// for readers. Of very many the first maxDerived are kept.
	Derived []DerivedCommand `json:"derived,omitempty"`
}

// DerivedCommand is a line that was typed into a shell.
type DerivedCommand struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

const maxDerived = 10_000

// statements reads the segments that the session lived through and decodes
// only its own events.
func (r *Reader) statements(info *SessionInfo) ([]Statement, error) {
	var out []Statement
	byNumber := map[uint64]int{}
	mark, err := json.Marshal(info.ID)
	if err != nil {
		return nil, err
	}
	mark = append([]byte(`"session":`), mark...)
	c := cursor{dir: r.dir, next: info.FirstIndex}
	err = c.advance(func(f *frame, index uint64) error {
		if index > info.LastIndex {
			return ErrStop
		}
		if !bytes.Contains(f.payload, mark) {
			return nil
		}
		ev, err := decode(f.payload)
		if err != nil || ev.Session != info.ID {
			return err
		}
		switch ev.Type {
		case ActionDecided:
			byNumber[ev.Action] = len(out)
			out = append(out, decidedStatement(ev))
		case ActionFinished:
			if i, ok := byNumber[ev.Action]; ok {
				out[i].finish(ev)
			}
		case CommandDerived:
			if i, ok := byNumber[ev.Action]; ok && len(out[i].Derived) < maxDerived {
				out[i].Derived = append(out[i].Derived, DerivedCommand{ev.Time, ev.Text})
			}
		}
		return nil
	})
	if errors.Is(err, ErrStop) {
		err = nil
	}
	slices.SortStableFunc(out, func(a, b Statement) int { return cmp.Compare(a.Number, b.Number) })
	return out, err
}

func decidedStatement(ev *Event) Statement {
	return Statement{
		Index: ev.Index, Number: ev.Action, Time: ev.Time, Chain: ev.Chain, Verb: ev.Verb, Text: ev.Text,
		Digest: ev.Digest, Params: ev.Params, SQL: ev.SQL, Verdict: ev.Verdict,
		Outcome: ev.Outcome, Reason: ev.Reason, Approval: ev.Approval,
	}
}

func (s *Statement) finish(ev *Event) {
	s.Finished = true
	s.Outcome, s.Code, s.Rows, s.Bytes = ev.Outcome, ev.Code, ev.Rows, ev.Bytes
	s.DurationUS, s.Masked = ev.DurationUS, ev.Masked
	if ev.Reason != "" {
		s.Reason = ev.Reason
	}
}
