package recorder

import (
	"crypto/rand"
	"fmt"
	"strconv"
)

// flushBytes is how much Later leaves in memory before it writes itself.
const flushBytes = 1 << 20

// batch is events that go to the operating system in one write. The first
// Append of a batch leads it: it writes for all. The next batch gathers
// meanwhile.
type batch struct {
	buf  []byte
	ends []int  // where in buf each frame ends
	last uint64 // index after its last event
	led  bool
	fate *fate // made by the first who waits for the leader
}

// fate is how a batch ended. It outlives the batch, whose memory is used again.
type fate struct {
	done chan struct{}
	err  error // read after done
}

// Append adds ev and returns once it is as durable as asked. It sets the
// event's Index, its Digest where Exact is set, and its Time where zero. After
// an error the event must be taken as not recorded; after a failed write every
// later call fails with the first error.
func (l *Log) Append(ev *Event, d Durability) error {
	lead, wait, err := l.enqueue(ev, true)
	if err != nil {
		return err
	}
	defer l.active.Done()
	last := ev.Index + 1
	if lead != nil {
		err = l.write(lead)
	} else {
		<-wait.done
		err = wait.err
	}
	if err != nil || d == Written {
		return err
	}
	return l.sync(last)
}

// Later adds ev, to be written with the next Append or within 50 milliseconds.
// Order is kept. A failure shows in the next call.
func (l *Log) Later(ev *Event) error {
	lead, _, err := l.enqueue(ev, false)
	if err != nil {
		return err
	}
	defer l.active.Done()
	if lead == nil {
		return nil
	}
	return l.write(lead)
}

// enqueue encodes ev and gives it the next index and its place in the pending
// batch. The caller writes the batch that it is told to lead; else somebody
// else does, and who wants it now gets its fate to wait for.
func (l *Log) enqueue(ev *Event, now bool) (lead *batch, wait *fate, err error) {
	tail, err := l.encode(ev)
	if err != nil {
		return nil, nil, err
	}
	defer l.buffers.Put(tail)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.accepts(now); err != nil {
		return nil, nil, err
	}
	l.active.Add(1)
	b := l.pending
	if b == nil {
		b = l.newBatch()
	}
	ev.Index = l.next
	l.next++
	b.add(ev.Index, *tail, &l.salts)
	switch {
	case now && b.led:
		if b.fate == nil {
			b.fate = &fate{done: make(chan struct{})}
		}
		wait = b.fate
	case now, len(b.buf) > flushBytes && !b.led:
		b.led, lead = true, b
	case !b.led && !l.armed:
		l.armed = true
		l.flushTimer.Reset(laterFor)
	}
	return lead, wait, nil
}

// encode prepares all of the event that needs no lock.
func (l *Log) encode(ev *Event) (*[]byte, error) {
	if ev.Time.IsZero() {
		ev.Time = l.now()
	}
	ev.Time = ev.Time.UTC()
	if err := checkTime(ev.Time); err != nil {
		return nil, err
	}
	if ev.Exact != nil {
		ev.Digest = l.digests.digest(ev.Exact)
	}
	tail := l.buffers.Get().(*[]byte)
	*tail = appendTail((*tail)[:0], ev)
	if len(*tail) > maxPayload-64 {
		return nil, fmt.Errorf("record an event of %d bytes: over the limit of %d", len(*tail), maxPayload)
	}
	return tail, nil
}

// accepts is called under mu. A full disk still takes the ends of what runs.
func (l *Log) accepts(now bool) error {
	if err := l.broken.Load(); err != nil {
		return *err
	}
	if l.closed {
		return errClosed
	}
	if err := l.full.Load(); err != nil && now {
		return *err
	}
	return nil
}

func (l *Log) newBatch() *batch {
	b := l.spare
	if l.spare = nil; b == nil {
		b = &batch{buf: make([]byte, 0, 64<<10)}
	}
	l.pending = b
	return b
}

// add puts an unsealed frame into the batch.
func (b *batch) add(index uint64, tail []byte, s *salts) {
	b.buf = append(b.buf, zeros[:8]...)
	b.buf = append(b.buf, s.next()...)
	b.buf = append(b.buf, indexKey...)
	b.buf = strconv.AppendUint(b.buf, index, 10)
	b.buf = append(b.buf, tail...)
	b.ends = append(b.ends, len(b.buf))
	b.last = index + 1
}

// salts hands out random salts, drawn many at a time.
type salts struct {
	drawn [256 * saltSize]byte
	left  []byte
}

func (s *salts) next() []byte {
	if len(s.left) == 0 {
		_, _ = rand.Read(s.drawn[:]) // never fails: crypto/rand ends the process instead
		s.left = s.drawn[:]
	}
	salt := s.left[:saltSize]
	s.left = s.left[saltSize:]
	return salt
}
