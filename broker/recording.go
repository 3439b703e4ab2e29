package broker

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"hoop/recorder"
	"hoop/recorder/recording"
)

// recordings are those of one session that are being written.
type recordings struct {
	mu     sync.Mutex
	open   map[string]*recording.Writer // by file name
	closed bool
}

func (r *recordings) add(name string, w *recording.Writer) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	if r.open == nil {
		r.open = map[string]*recording.Writer{}
	}
	r.open[name] = w
	return true
}

func (r *recordings) remove(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, name)
}

// close ends what the engine left open.
func (r *recordings) close(reason string) {
	r.mu.Lock()
	r.closed = true
	left := slices.Collect(maps.Values(r.open))
	r.mu.Unlock()
	for _, w := range left {
		_, _ = w.Close(reason) // the event says what became of it
	}
}

// StartRecording begins the recording of an action that was allowed, and tells
// the audit log of it before it returns: nothing may be shown before. m says
// what the terminal and the command are; whose it is, is filled in. The engine
// closes it; a recording that fails ends the session. The error is a *Denial.
func (s *Session) StartRecording(t *Ticket, m recording.Meta) (*recording.Writer, error) {
	if s.deps.Recordings == nil {
		return nil, unavailable("recording", errors.New("the broker has no folder for it"))
	}
	d, err := s.Detectors()
	if err != nil {
		return nil, unavailable("masking", err)
	}
	m.Session, m.Action, m.Verb, m.Command = s.ID, t.Number, t.Verb, cleanText(d, m.Command)
	m.Connection, m.Protocol, m.Principal, m.Chain = s.Connection.Name, s.Connection.Protocol, s.Principal.Name, s.Chain
	m.Start = s.deps.Now()
	r := &recorded{session: s, ticket: t, name: m.Name(), start: m.Start}
	w, err := s.deps.Recordings.Create(m, recording.Hooks{
		OnError: s.fail, OnChunk: r.chunk, OnCommand: r.command, OnClose: r.ended,
	})
	if err != nil {
		return nil, unavailable("recording", err)
	}
	ev := r.event(recorder.RecordingStarted)
	ev.Time = m.Start
	if err = s.deps.Recorder.Append(ev, recorder.Synced); err != nil {
		err = unavailable("the audit log", err)
	} else if !s.recordings.add(r.name, w) {
		err = unavailable("recording", errors.New("the session has ended"))
	}
	if err != nil {
		_, _ = w.Close(err.Error())
		return nil, err
	}
	return w, nil
}

// recorded tells the audit log of one recording.
type recorded struct {
	session *Session
	ticket  *Ticket
	name    string
	start   time.Time
}

func (r *recorded) event(t recorder.Type) *recorder.Event {
	ev := r.session.event(t)
	ev.Action, ev.Verb, ev.Recording = r.ticket.Number, r.ticket.Verb, r.name
	return ev
}

// chunk ties what the file holds to the log, so that it cannot be swapped
// later.
func (r *recorded) chunk(c recording.Chunk) {
	ev := r.event(recorder.RecordingChunk)
	ev.Offset, ev.Bytes, ev.SHA256 = c.Offset, c.Length, c.SHA256
	r.later(ev)
}

func (r *recorded) command(c recording.Command) {
	ev := r.event(recorder.CommandDerived)
	ev.Time = r.start.Add(c.Time)
	d, err := r.session.Detectors()
	if err != nil { // the next action is denied for it
		ev.Reason = "the text is left out: " + err.Error()
	} else {
		ev.Text = cleanText(d, c.Text)
	}
	r.later(ev)
}

// later ends the session where the log is broken: what is typed into a shell
// meets no Decide that would.
func (r *recorded) later(ev *recorder.Event) {
	if err := r.session.deps.Recorder.Later(ev); err != nil {
		r.session.fail(err)
	}
}

func (r *recorded) ended(sum recording.Summary, err error) {
	ev := r.event(recorder.RecordingEnded)
	ev.Bytes, ev.SHA256, ev.DurationUS, ev.Outcome = sum.Bytes, sum.SHA256, sum.Duration.Microseconds(), "ok"
	if sum.Truncated() {
		ev.Code = "truncated"
	}
	if err != nil {
		ev.Outcome, ev.Reason = "error", err.Error()
	}
	r.later(ev)
	r.session.recordings.remove(r.name)
}

// fail ends a session that cannot be recorded any more.
func (s *Session) fail(err error) {
	if s.deps.Fail != nil {
		s.deps.Fail(err)
	}
}
