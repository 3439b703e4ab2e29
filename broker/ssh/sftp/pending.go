package sftp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Bounds of one conversation: OpenSSH's client has 64 requests under way.
const (
	maxPending = 4096
	maxHandles = 4096
)

// expect is what a request may be answered with; every one may be answered with
// a status.
type expect uint8

const (
	expectStatus expect = iota
	expectHandle
	expectData
	expectName
	expectAttrs
	expectExtended
)

func (e expect) allows(kind byte) bool {
	switch kind {
	case fxpStatus:
		return true
	case fxpHandle:
		return e == expectHandle
	case fxpData:
		return e == expectData
	case fxpName:
		return e == expectName
	case fxpAttrs:
		return e == expectAttrs
	case fxpExtendedReply:
		return e == expectExtended
	}
	return false
}

// pending is a request whose answer has not come.
type pending struct {
	kind   byte // the request's; 0 for a question of our own
	expect expect
	size   uint32 // bytes of a read or write
	offset uint64
	handle *handle
	op     *decided
	answer chan<- frame // of a question of our own
}

// decided is a request that was decided on.
type decided struct {
	op      Operation
	open    access
	finish  func(Result)
	started time.Time
}

func (d *decided) end(code uint32, lost bool) {
	if d.finish != nil {
		d.finish(Result{Code: code, Lost: lost, Duration: time.Since(d.started)})
	}
}

// table holds what is under way and what is open.
type table struct {
	mu      sync.Mutex
	pending map[uint32]pending
	handles map[string]*handle
	slots   chan struct{} // one for each pending request
	ended   chan struct{} // closed when the server answers no more
}

func newTable() *table {
	return &table{pending: map[uint32]pending{}, handles: map[string]*handle{},
		slots: make(chan struct{}, maxPending), ended: make(chan struct{})}
}

// errServerEnded ends the way of the requests.
var errServerEnded = errors.New("the SFTP server ended the conversation")

// slot waits until one more request may be under way.
func (t *table) slot(ctx context.Context) error {
	select {
	case t.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case t.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.ended:
		return errServerEnded
	}
}

// add notes a request before it is forwarded; a slot was taken for it. An id that
// is under way already would make answers ambiguous.
func (t *table) add(id uint32, p pending) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, live := t.pending[id]; live {
		return fmt.Errorf("the SFTP client used the id %d of a request that is under way", id)
	}
	if p.handle != nil {
		p.handle.live++
	}
	t.pending[id] = p
	return nil
}

// own notes a question of our own under an id that nobody uses. The client's
// next request waits until it is answered, so the two cannot meet.
func (t *table) own(p pending) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := uint32(0xffffffff)
	for {
		if _, live := t.pending[id]; !live {
			t.pending[id] = p
			return id
		}
		id--
	}
}

// live reports whether a request with that id is under way.
func (t *table) live(id uint32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, live := t.pending[id]
	return live
}

// answered takes out the request that a reply is for.
func (t *table) answered(id uint32) (pending, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.pending[id]
	if ok {
		delete(t.pending, id)
		<-t.slots
	}
	return p, ok
}

// find gives an open handle; nil where there is none.
func (t *table) find(name []byte) *handle {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.handles[string(name)]
}

// opened keeps a handle of the server's.
func (t *table) opened(name []byte, h *handle) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, live := t.handles[string(name)]; live || len(name) > maxHandle {
		return fmt.Errorf("the SFTP server gave a handle that is open already, or longer than %d bytes", maxHandle)
	}
	t.handles[string(name)] = h
	return nil
}

// full reports whether no more may be opened.
func (t *table) full() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.handles) >= maxHandles
}

// closing takes a handle out as soon as its close is forwarded: the server may
// give the same name to the next file.
func (t *table) closing(name []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.handles, string(name))
}

// release ends one request on a handle and, with the last of a closed one, the
// use of the file.
func (t *table) release(h *handle, closed bool, code uint32) {
	t.mu.Lock()
	h.live--
	if closed {
		h.closed, h.code = true, code
	}
	over := h.closed && h.live == 0
	t.mu.Unlock()
	if over {
		h.end(h.code, false)
	}
}

// lose ends everything that is under way or open.
func (t *table) lose() {
	t.mu.Lock()
	handles := make(map[*handle]bool, len(t.handles))
	var ops []*decided
	for _, h := range t.handles {
		handles[h] = true
	}
	for _, p := range t.pending {
		if p.handle != nil {
			handles[p.handle] = true
		}
		if p.op != nil {
			ops = append(ops, p.op)
		}
	}
	clear(t.handles)
	clear(t.pending)
	t.mu.Unlock()
	for h := range handles {
		h.end(StatusOK, true)
	}
	for _, d := range ops {
		d.end(StatusOK, true)
	}
}
