package enginetest

import (
	"errors"
	"sync"

	"hoop/broker"
	"hoop/recorder"
)

var errDiskGone = errors.New("the disk of the audit log is gone")

// watched is a recorder that a case can look into and break.
type watched struct {
	inner broker.Recorder

	mu     sync.Mutex
	before func(*recorder.Event) error // an error breaks it, for ever
	after  func(*recorder.Event)
	failed error
}

// watch calls before ahead of each event, and after once it is on file. Either
// may be nil.
func (w *watched) watch(before func(*recorder.Event) error, after func(*recorder.Event)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before, w.after = before, after
}

func (w *watched) broken() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed != nil
}

// Append keeps an event; see broker.Recorder.
func (w *watched) Append(ev *recorder.Event, d recorder.Durability) error {
	after, err := w.admit(ev)
	if err != nil {
		return err
	}
	if err := w.inner.Append(ev, d); err != nil {
		return err
	}
	if after != nil {
		after(ev)
	}
	return nil
}

// Later keeps an event; see broker.Recorder.
func (w *watched) Later(ev *recorder.Event) error {
	if _, err := w.admit(ev); err != nil {
		return err
	}
	return w.inner.Later(ev)
}

func (w *watched) admit(ev *recorder.Event) (after func(*recorder.Event), err error) {
	w.mu.Lock()
	before, after, err := w.before, w.after, w.failed
	w.mu.Unlock()
	if err != nil || before == nil {
		return after, err
	}
	if err = before(ev); err != nil {
		w.mu.Lock()
		w.failed = err
		w.mu.Unlock()
	}
	return after, err
}
