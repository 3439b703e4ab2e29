package approval

import "sync"

// What happened, in an Event.
const (
	Opened   = "opened"
	Answered = "answered" // and more answers are needed
	Changed  = "changed"  // a preview has come
	Ended    = "ended"
	Glass    = "break_glass"
)

// Event tells of a change.
type Event struct {
	What     string   `json:"what"`
	Approval Approval `json:"approval,omitzero"`
	Grant    *Grant   `json:"grant,omitempty"` // of Glass
}

// Watcher receives events until it is closed. One that falls behind is closed:
// it must look at the list and watch again.
type Watcher struct {
	C    <-chan Event
	send chan Event
	desk *Desk
	once sync.Once
}

// watchBuffer is how far a watcher may fall behind, in events.
const watchBuffer = 256

// Watch begins to deliver events.
func (d *Desk) Watch() *Watcher {
	c := make(chan Event, watchBuffer)
	w := &Watcher{C: c, send: c, desk: d}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watched[w] = struct{}{}
	return w
}

// Close ends the delivery and closes C.
func (w *Watcher) Close() {
	w.desk.mu.Lock()
	defer w.desk.mu.Unlock()
	w.close()
}

// close is Close under the desk's lock.
func (w *Watcher) close() {
	w.once.Do(func() {
		delete(w.desk.watched, w)
		close(w.send)
	})
}

func (d *Desk) publish(what string, a Approval) {
	d.tell(Event{What: what, Approval: a})
}

func (d *Desk) tell(ev Event) {
	d.mu.Lock()
	for w := range d.watched {
		select {
		case w.send <- ev:
		default:
			w.close()
		}
	}
	d.mu.Unlock()
	if ev.What != Changed {
		d.announce(ev)
	}
}
