package tunnel

import (
	"fmt"
	"time"
)

// suspend makes a stream wait for its client, within the caps on number and
// memory. It is called with the stream's lock held.
func (e *served) suspend(s *Stream) *CloseError {
	srv := e.srv
	srv.mu.Lock()
	defer srv.mu.Unlock()
	bytes := int64(s.out.held + s.in.size + windowSuspended)
	if srv.closed || srv.waiting >= srv.opts.MaxSuspended ||
		srv.suspended[e.owner] >= max(1, srv.opts.MaxSuspended/4) || srv.bytes+bytes > srv.opts.MaxSuspendedBytes {
		return &CloseError{CloseLimit, "the connection was lost, and the broker keeps no more sessions that wait for theirs"}
	}
	srv.waiting++
	srv.suspended[e.owner]++
	srv.bytes += bytes
	e.bytes = bytes
	cut := s.cuts
	e.timer = time.AfterFunc(srv.set.resumeWindow, func() { e.expire(cut) })
	return nil
}

func (e *served) expire(cut uint64) {
	e.s.mu.Lock()
	defer e.s.mu.Unlock()
	if e.s.cuts == cut && e.s.link == nil {
		e.s.finish(&CloseError{CloseLost, fmt.Sprintf("the client's connection was lost (%v) and did not come back within %v",
			e.s.cut, e.srv.set.resumeWindow)})
	}
}

// resumed is called with the stream's lock held.
func (e *served) resumed(*Stream) {
	e.srv.mu.Lock()
	defer e.srv.mu.Unlock()
	e.awake()
	e.srv.set.count.resumed.Add(1)
}

func (e *served) awake() {
	if e.timer == nil {
		return
	}
	e.timer.Stop()
	e.timer = nil
	srv := e.srv
	srv.waiting--
	srv.bytes -= e.bytes
	if srv.suspended[e.owner]--; srv.suspended[e.owner] == 0 {
		delete(srv.suspended, e.owner)
	}
}

// ended is called with the stream's lock held.
func (e *served) ended(s *Stream) {
	e.srv.mu.Lock()
	defer e.srv.mu.Unlock()
	e.awake()
	delete(e.srv.streams, e.key)
	e.srv.ended.add(e.key, tombstone{owner: e.owner, reason: s.cause.Reason})
}

// maxTombstones bounds how many ended streams are remembered.
const maxTombstones = 1024

// tombstones remember why the latest streams ended, for clients that were cut
// off at that moment.
type tombstones struct {
	at    map[digest]tombstone
	order [maxTombstones]digest
	next  int
}

type tombstone struct{ owner, reason string }

func (t *tombstones) add(key digest, stone tombstone) {
	delete(t.at, t.order[t.next])
	t.order[t.next] = key
	t.next = (t.next + 1) % maxTombstones
	t.at[key] = stone
}
