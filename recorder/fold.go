package recorder

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hoop/policy"
)

// SessionInfo is what the log tells about one session, from its first event to
// its last.
type SessionInfo struct {
	ID         string            `json:"id"`
	Connection string            `json:"connection"`
	Protocol   string            `json:"protocol"`
	Principal  *policy.Principal `json:"principal,omitempty"`
	Chain      policy.Chain      `json:"chain,omitempty"`
	Client     string            `json:"client,omitempty"`
	Binding    string            `json:"binding,omitempty"`
	Opened     time.Time         `json:"opened"`
	Closed     time.Time         `json:"closed,omitzero"` // zero where it runs or nobody saw its end
	Last       time.Time         `json:"last"`            // its latest event
	// State is live, closed, refused, or lost where the broker ended before it.
	State      string `json:"state"`
	Reason     string `json:"reason,omitempty"`
	Statements int    `json:"statements"` // decided actions
	Denied     int    `json:"denied"`
	Failed     int    `json:"failed"` // forwarded, and answered with an error
	Rows       int64  `json:"rows"`
	Bytes      int64  `json:"bytes"`
	FirstIndex uint64 `json:"first_index"` // of its events in the log
	LastIndex  uint64 `json:"last_index"`
}

// The states of a session.
const (
	StateLive    = "live"
	StateClosed  = "closed"
	StateRefused = "refused"
	StateLost    = "lost"
)

// fold is what the sessions did within one segment. Folds of consecutive
// segments merge into the whole.
type fold struct {
	Events   uint64                  `json:"events"`            // how many it covers
	Started  uint64                  `json:"started,omitempty"` // 1 + index of the latest broker.started
	Sessions map[string]*SessionInfo `json:"sessions"`
}

// add counts one event.
func (d *fold) add(f *frame, index uint64) error {
	d.Events++
	if f.erased {
		return nil
	}
	b, err := readBrief(f.payload, d.id)
	if err != nil {
		return fmt.Errorf("read event %d: %w", index, err)
	}
	if b.Type == BrokerStarted {
		d.Started = index + 1
	}
	if b.Session == "" || b.Type == RecordingRead { // who looks at a session later does nothing in it
		return nil
	}
	s := d.Sessions[b.Session]
	if s == nil {
		s = &SessionInfo{ID: b.Session, FirstIndex: index}
		d.Sessions[b.Session] = s
	}
	s.Last, s.LastIndex = b.Time, index
	return s.add(&b, f.payload)
}

// id gives the string of a session's id, without making it again.
func (d *fold) id(id []byte) string {
	if s := d.Sessions[string(id)]; s != nil {
		return s.ID
	}
	return string(id)
}

func (s *SessionInfo) add(b *brief, payload []byte) error {
	switch b.Type {
	case SessionOpened, SessionRefused, SessionClosed:
		ev, err := decode(payload)
		if err != nil {
			return err
		}
		s.tell(ev)
	case ActionDecided:
		s.Statements++
		if b.Outcome == "denied" {
			s.Denied++
		}
	case ActionFinished:
		s.Rows += b.Rows
		s.Bytes += b.Bytes
		if b.Outcome == "error" {
			s.Failed++
		}
	}
	return nil
}

// tell takes what the events at either end of a session say.
func (s *SessionInfo) tell(ev *Event) {
	if ev.Type == SessionClosed {
		s.State, s.Reason, s.Closed = StateClosed, ev.Reason, ev.Time
		return
	}
	s.Connection, s.Protocol, s.Principal, s.Chain = ev.Connection, ev.Protocol, ev.Principal, ev.Chain
	s.Client, s.Binding, s.Opened = ev.Client, ev.Binding, ev.Time
	if ev.Type == SessionRefused {
		s.State, s.Reason, s.Closed = StateRefused, ev.Reason, ev.Time
	}
}

// merge adds what a later segment tells.
func (s *SessionInfo) merge(later *SessionInfo) {
	s.Statements += later.Statements
	s.Denied += later.Denied
	s.Failed += later.Failed
	s.Rows += later.Rows
	s.Bytes += later.Bytes
	s.Last, s.LastIndex = later.Last, later.LastIndex
	if later.State != "" {
		s.State, s.Reason, s.Closed = later.State, later.Reason, later.Closed
	}
}

// foldPath names the index of a sealed segment. It may be deleted at any time.
func foldPath(s segmentFile) string {
	return filepath.Join(filepath.Dir(s.path), strings.TrimSuffix(s.name, segmentSuffix)+".sessions")
}

// loadFold reads the index of a sealed segment that holds count events, or
// makes it.
func loadFold(s segmentFile, count uint64) (*fold, error) {
	var d fold
	data, err := os.ReadFile(foldPath(s))
	if err == nil && json.Unmarshal(data, &d) == nil && d.Events == count && d.Sessions != nil {
		return &d, nil
	}
	d = fold{Sessions: map[string]*SessionInfo{}}
	c := cursor{dir: filepath.Dir(s.path), next: s.first}
	if err := c.segment(s, false, d.add); err != nil {
		return nil, err
	}
	d.save(s)
	return &d, nil
}

// save keeps the index where it can; without it, it is made again.
func (d *fold) save(s segmentFile) {
	if data, err := json.Marshal(d); err == nil {
		_ = writeFile(foldPath(s), data, 0o600) // a reader may not be the owner
	}
}
