package broker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoop/policy"
	"hoop/recorder"
	"hoop/recorder/recording"
)

// world is a session that is open, with a real log and a real folder of
// recordings.
type world struct {
	dir     string
	log     *recorder.Log
	session *Session
	ticket  *Ticket
	failed  chan error
}

func newWorld(t *testing.T, rec func(*recorder.Log) Recorder) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), failed: make(chan error, 10)}
	var err error
	if w.log, err = recorder.Open(filepath.Join(w.dir, "audit"), recorder.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.log.Close() })
	casts, err := recording.Open(filepath.Join(w.dir, "recordings"), recording.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := policy.Compile([]policy.Document{{Rules: []policy.RuleSpec{{Name: "all", Effect: "allow"}}}})
	if err != nil {
		t.Fatal(err)
	}
	w.session = NewSession(Deps{
		Policy: func() *policy.Policy { return rules }, Recorder: rec(w.log), Recordings: casts,
		Fail: func(err error) { w.failed <- err },
	}, "sess1", &Admission{
		Principal: &policy.Principal{ID: "1", Name: "alice"}, Chain: policy.Chain{{ID: "1", Name: "alice"}},
		Connection: &policy.Connection{Name: "web-1", Protocol: "ssh"}, Target: &Target{},
	})
	if err := w.session.Open(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if w.ticket, err = w.session.Decide(t.Context(), &Action{Action: policy.Action{Verb: policy.SSHShell, SSH: &policy.SSH{PTY: true}}}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) events(t *testing.T) []recorder.Event {
	t.Helper()
	if err := w.log.Append(&recorder.Event{Type: recorder.BrokerStopped}, recorder.Synced); err != nil {
		t.Fatal(err)
	}
	var out []recorder.Event
	if err := recorder.Scan(filepath.Join(w.dir, "audit"), 0, func(ev *recorder.Event) error {
		out = append(out, *ev)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRecordingIsInTheLog: a recording stands in the audit log before it holds
// anything, and its end with the hash of its file.
func TestRecordingIsInTheLog(t *testing.T) {
	w := newWorld(t, func(l *recorder.Log) Recorder { return l })
	rec, err := w.session.StartRecording(w.ticket, recording.Meta{PTY: true, Session: "another", Principal: "mallory"})
	if err != nil {
		t.Fatal(err)
	}
	if m := rec.Meta(); m.Session != "sess1" || m.Principal != "alice" || m.Verb != "ssh.shell" || m.Action != w.ticket.Number {
		t.Errorf("the recording is of %+v", m)
	}
	evs := w.events(t)
	if last := evs[len(evs)-2]; last.Type != recorder.RecordingStarted || last.Recording != "sess1.1.cast" || last.Principal.Name != "alice" {
		t.Errorf("the log ends with %+v", last)
	}
	if err := rec.Output([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	w.session.Close("closed by the client") // the engine forgot the recording
	data, err := os.ReadFile(filepath.Join(w.dir, "recordings", "sess1.1.cast"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	var types []recorder.Type
	for _, ev := range w.events(t) {
		types = append(types, ev.Type)
		if ev.Type == recorder.RecordingEnded && (ev.SHA256 != hex.EncodeToString(sum[:]) || ev.Bytes != int64(len(data))) {
			t.Errorf("the log says of the file: %+v", ev)
		}
	}
	want := []recorder.Type{
		recorder.SessionOpened, recorder.ActionDecided, recorder.RecordingStarted, recorder.BrokerStopped,
		recorder.RecordingEnded, recorder.SessionClosed, recorder.BrokerStopped,
	}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Error(diff)
	}
	if _, err := w.session.StartRecording(&Ticket{Number: 2}, recording.Meta{}); err == nil {
		t.Error("a recording began after the session ended")
	}
}

// brokenRecorder refuses what comes after broken is set.
type brokenRecorder struct {
	*recorder.Log
	broken bool
}

func (b *brokenRecorder) Append(ev *recorder.Event, d recorder.Durability) error {
	if b.broken {
		return errors.New("the disk is gone")
	}
	return b.Log.Append(ev, d)
}

func (b *brokenRecorder) Later(ev *recorder.Event) error { return b.Append(ev, recorder.Written) }

// TestNoRecordingNoSession: where recording does not work nothing is shown, and
// a session that runs is ended.
func TestNoRecordingNoSession(t *testing.T) {
	broken := &brokenRecorder{}
	w := newWorld(t, func(l *recorder.Log) Recorder { broken.Log = l; return broken })
	rec, err := w.session.StartRecording(w.ticket, recording.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	var denial *Denial
	if _, err := w.session.StartRecording(w.ticket, recording.Meta{}); !errors.As(err, &denial) || denial.Code != CodeUnavailable {
		t.Errorf("a recording that is there already began: %v", err)
	}
	broken.broken = true
	if _, err := w.session.StartRecording(&Ticket{Number: 2}, recording.Meta{}); !errors.As(err, &denial) || denial.Code != CodeUnavailable {
		t.Errorf("a recording began with a broken log: %v", err)
	}
	if err := <-w.failed; err == nil {
		t.Error("the session was not ended")
	}
	if _, err := rec.Close(""); err != nil {
		t.Error(err)
	}
	without := NewSession(Deps{Policy: func() *policy.Policy { return &policy.Policy{} }, Recorder: broken}, "s", &Admission{})
	if _, err := without.StartRecording(&Ticket{}, recording.Meta{}); err == nil {
		t.Error("a recording began without a folder")
	}
}

// TestFailEndsTheSession: what a failed recording calls ends the session of
// the broker, and says why.
func TestFailEndsTheSession(t *testing.T) {
	b := New(Options{})
	s := NewSession(b.deps(&Connection{}, "s"), "s", &Admission{Principal: &policy.Principal{}, Connection: &policy.Connection{}})
	ctx, cancel := context.WithCancelCause(t.Context())
	if err := b.enter(s, cancel); err != nil {
		t.Fatal(err)
	}
	defer b.leave("s")
	gone := errors.New("the disk is gone")
	s.fail(gone)
	if cause := context.Cause(ctx); !errors.Is(cause, ErrUnrecorded) || !errors.Is(cause, gone) {
		t.Errorf("the session ended with %v", cause)
	}
}
