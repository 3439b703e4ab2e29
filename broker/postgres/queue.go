package postgres

import (
	"sync"

	"hoop/broker"
	"hoop/policy"
	"hoop/policy/sql"
)

// entry is one message that went to the target and is owed an answer. The
// target answers in order ("Pipelining"), so that what an answer belongs to is
// always the oldest entry.
type entry struct {
	kind    byte // type of the client's message: Q, P, B, D, E, C, S or F
	subtype byte // of D and C
	hidden  bool // made by the broker: the answer is for it alone
	direct  bool // runs what the broker had parsed, in the place of a Query
	// denied is the ErrorResponse that the client gets instead of the target's:
	// the message is one that fails, sent in the place of what was refused.
	denied  []byte
	view    *view     // labels and detectors that hold; nil where values pass untouched
	tickets []*ticket // of Q: one for each statement; of E: one
	one     [1]*ticket
	done    int      // of Q: statements that are complete
	failed  bool     // of Q: the target reported an error
	change  *binding // what P, B and C do to names once the target has agreed
	of      *portal  // of E
	// describes is the statement of a Describe, where it is known.
	describes *statement
	capture   *capture // of what the broker asks for itself
}

// ticket is an action under way, with what is counted for its end.
type ticket struct {
	*broker.Ticket
	facts    *policy.SQL
	prepares *sql.Statement // a PREPARE; nil for all else
	copy     *sql.CopyFacts
	derived  *derivation // from the target's tree; nil where nothing is labelled
	declares string      // the cursor that a DECLARE makes
	told     []string    // trees that came while it ran
	rows     int64
	bytes    int64
	masked   map[string]int
	finished bool
}

// queue is what the target owes, and what both directions know of the session.
type queue struct {
	mu      sync.Mutex
	changed sync.Cond // broadcast for await
	waiting int
	entries []*entry // the oldest at head
	head    int
	free    []*entry
	segment uint64 // number of Syncs sent: what fails skips the rest of its segment
	syncs   int    // Syncs among the entries
	// skipping is true from an error in the extended protocol to the
	// ReadyForQuery of the next Sync: the target ignores what is between.
	skipping bool
	copyIn   bool // the target reads CopyData
	ended    bool // nothing will be answered any more
	names    names
	// skipped is told of the tickets of entries that the target ignores.
	skipped func(*ticket)
}

func newQueue(skipped func(*ticket)) *queue {
	q := &queue{skipped: skipped}
	q.changed.L = &q.mu
	return q
}

// push adds an entry. It must come before its message is written.
func (q *queue) push(e *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.skipping && q.syncs == 0 && e.kind != typeSync {
		q.skip(e)
		return
	}
	if q.head > 0 && len(q.entries) == cap(q.entries) {
		n := copy(q.entries, q.entries[q.head:])
		clear(q.entries[n:])
		q.entries, q.head = q.entries[:n], 0
	}
	q.entries = append(q.entries, e)
	if e.kind == typeSync {
		q.segment++
		q.syncs++
	}
	if e.change != nil {
		e.change.segment = q.segment
		q.names.begin(e.change)
	}
}

// entry gives a clean entry.
func (q *queue) entry(kind byte) *entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := len(q.free); n > 0 {
		e := q.free[n-1]
		q.free = q.free[:n-1]
		e.kind = kind
		return e
	}
	return &entry{kind: kind}
}

// first is the oldest entry, nil where nothing is owed.
func (q *queue) first() *entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head == len(q.entries) {
		return nil
	}
	return q.entries[q.head]
}

// pop forgets the oldest entry; agreed tells whether the target did what it
// says.
func (q *queue) pop(agreed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.popLocked(agreed)
	q.signal()
}

func (q *queue) popLocked(agreed bool) {
	e := q.entries[q.head]
	q.entries[q.head] = nil
	q.head++
	if q.head == len(q.entries) {
		q.entries, q.head = q.entries[:0], 0
	}
	if e.kind == typeSync {
		q.syncs--
	}
	if e.change != nil {
		q.names.end(e.change, agreed)
	}
	q.recycle(e)
}

func (q *queue) recycle(e *entry) {
	*e = entry{}
	if len(q.free) < 16 {
		q.free = append(q.free, e)
	}
}

// fail pops the oldest entry, of the extended protocol, after an error, and
// skips what the target ignores because of it ("Extended Query").
func (q *queue) fail() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.popLocked(false)
	q.skipping = true
	for q.head < len(q.entries) && q.entries[q.head].kind != typeSync {
		for _, t := range q.entries[q.head].tickets {
			q.skipped(t)
		}
		q.popLocked(false)
	}
	q.signal()
}

// skip settles an entry that the target ignores.
func (q *queue) skip(e *entry) {
	for _, t := range e.tickets {
		q.skipped(t)
	}
	q.recycle(e)
}

// locked runs f under the queue's lock and wakes who waits for a change.
func (q *queue) locked(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f()
	q.signal()
}

func (q *queue) signal() {
	if q.waiting > 0 {
		q.changed.Broadcast()
	}
}

// await blocks until ok, which runs under the lock, or until nothing is
// answered any more, which is an error.
func (q *queue) await(ok func() bool) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting++
	defer func() { q.waiting-- }()
	for !ok() {
		if q.ended {
			return errStopped
		}
		q.changed.Wait()
	}
	return nil
}

func (q *queue) empty() bool { return q.head == len(q.entries) }

// idle gives back what a session without work need not hold.
func (q *queue) idle() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.empty() {
		q.entries, q.head, q.free = nil, 0, nil
	}
}

// is reports whether ok holds now.
func (q *queue) is(ok func() bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return ok()
}

// maxOwed bounds the answers that a client can leave unread before no more is
// read from it.
const maxOwed = 1 << 16

// crowded reports whether the client must wait; it may go on once half is
// answered.
func (q *queue) crowded() bool { return len(q.entries)-q.head >= maxOwed }
func (q *queue) roomy() bool   { return len(q.entries)-q.head <= maxOwed/2 }
