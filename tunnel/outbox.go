package tunnel

// outbox keeps every sequenced frame until the peer has acknowledged it. A
// frame is stored as it goes over the wire, so that it is copied once.
type outbox struct {
	pool        *buffers
	head, tail  *chunk
	held        int // bytes in chunks, headers included
	acked, sent uint64
	pins        int // while positive, a chunk may be in use by a write
}

// add stores one frame and returns its bytes, which stay valid while pinned.
func (o *outbox) add(t frameType, p []byte, ack uint64) []byte {
	need := headerSize + len(p)
	if o.tail == nil || len(o.tail.buf)-o.tail.w < need {
		o.grow(need)
	}
	c := o.tail
	frame := c.buf[c.w : c.w+need]
	putHeader(frame, t, len(p), ack)
	copy(frame[headerSize:], p)
	c.w += need
	o.held += need
	o.sent += uint64(len(p))
	c.end = o.sent
	return frame
}

func (o *outbox) grow(need int) {
	c := o.pool.get(need)
	c.start, c.end = o.sent, o.sent
	if o.tail == nil {
		o.head = c
	} else {
		o.tail.next = c
	}
	o.tail = c
}

// room is how many payload bytes may be added under the window.
func (o *outbox) room(window int) int {
	return min(window-o.held-headerSize, window-int(o.sent-o.acked))
}

// ack notes that the peer took everything before n. It reports whether that is
// possible at all.
func (o *outbox) ack(n uint64) bool {
	if n > o.sent {
		return false
	}
	o.acked = max(o.acked, n)
	o.trim(o.acked)
	return true
}

// trim gives back the chunks that hold nothing from n on.
func (o *outbox) trim(n uint64) {
	for o.pins == 0 && o.head != nil && o.head.end <= n {
		c := o.head
		o.held -= c.w - c.r
		o.head = c.next
		if o.head == nil {
			o.tail = nil
		}
		o.pool.put(c)
	}
}

// rewind drops what the peer has received, so that the first frame held starts
// with byte n. The header written there covers bytes that the peer has.
func (o *outbox) rewind(n, ack uint64) bool {
	if n < o.acked || n > o.sent {
		return false
	}
	o.trim(n)
	c := o.head
	for c != nil && c.start < n {
		t, size, _, err := parseHeader(c.bytes())
		if err != nil {
			return false
		}
		skip := min(uint64(size), n-c.start)
		drop := headerSize + size
		if skip < uint64(size) {
			drop = int(skip)
			putHeader(c.buf[c.r+drop:], t, size-drop, ack)
		}
		c.r += drop
		o.held -= drop
		c.start += skip
	}
	return true
}
