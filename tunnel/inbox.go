package tunnel

// inbox holds payload that arrived while nobody was reading. It never grows
// beyond the window, which the peer must respect.
type inbox struct {
	pool       *buffers
	head, tail *chunk
	size       int
	lent       bool // the tail is being written to, without the lock
}

// space returns room for up to n bytes; commit says how much was used.
func (i *inbox) space(n int) []byte {
	if i.tail == nil || i.tail.w == len(i.tail.buf) {
		c := i.pool.get(min(n, sizeRead))
		if i.tail == nil {
			i.head = c
		} else {
			i.tail.next = c
		}
		i.tail = c
	}
	i.lent = true
	b := i.tail.buf[i.tail.w:]
	return b[:min(n, len(b))]
}

func (i *inbox) commit(n int) {
	i.lent = false
	if i.tail == nil {
		return
	}
	i.tail.w += n
	i.size += n
	i.drop()
}

func (i *inbox) read(p []byte) int {
	n := 0
	for i.head != nil && n < len(p) {
		m := copy(p[n:], i.head.bytes())
		i.head.r += m
		i.size -= m
		n += m
		if m == 0 {
			break
		}
		i.drop()
	}
	return n
}

// pop takes the leading chunk out, or a copy of it if it is still being filled.
// It is nil if there is nothing to read.
func (i *inbox) pop() *chunk {
	c := i.head
	if c == nil || c.r == c.w {
		return nil
	}
	if i.lent && c == i.tail {
		dup := i.pool.get(c.w - c.r)
		dup.w = i.read(dup.buf)
		return dup
	}
	i.head = c.next
	if i.head == nil {
		i.tail = nil
	}
	c.next = nil
	i.size -= c.w - c.r
	return c
}

// drop gives back leading chunks that are used up.
func (i *inbox) drop() {
	for i.head != nil && i.head.r == i.head.w && !(i.lent && i.head == i.tail) {
		c := i.head
		i.head = c.next
		if i.head == nil {
			i.tail = nil
		}
		i.pool.put(c)
	}
}

func (i *inbox) clear() {
	for c := i.head; c != nil; c = c.next {
		c.r = c.w
	}
	i.size = 0
	i.drop()
}
