package mask

import (
	"bytes"
	"time"
)

const (
	echoWindow = time.Second
	maxEcho    = 4 << 10 // bytes
)

// echo remembers what the client typed lately and what has not come back.
type echo struct {
	keys []byte
	came arrivals
}

// add takes keys. What a terminal puts around pasted text is not echoed.
func (e *echo) add(keys []byte, now time.Time) {
	e.forget(now)
	keys = bytes.ReplaceAll(keys, []byte("\x1b[200~"), nil)
	keys = bytes.ReplaceAll(keys, []byte("\x1b[201~"), nil)
	e.keys = append(e.keys, keys...)
	e.came.add(len(e.keys), now, echoWindow)
	e.drop(max(0, len(e.keys)-maxEcho))
}

func (e *echo) drop(n int) {
	e.keys = append(e.keys[:0], e.keys[n:]...)
	e.came.keep(len(e.keys))
}

// forget drops what was typed too long ago.
func (e *echo) forget(now time.Time) {
	for len(e.keys) > 0 && now.Sub(e.came.first()) > echoWindow {
		e.drop(e.came.marks[0].end)
	}
}

// match gives how much of chunk echoes what was typed, and forgets that. Keys
// that bring no echo, such as those of a pager, are passed over where the whole
// chunk echoes what follows.
func (e *echo) match(chunk []byte, now time.Time) int {
	e.forget(now)
	for k := range e.keys {
		n, used := echoed(chunk, e.keys[k:])
		if n > 0 && (k == 0 || n == len(chunk)) {
			e.drop(k + used)
			return n
		}
	}
	return 0
}

// echoed gives how much of chunk echoes how many of the keys. Programs put
// control sequences around an echo, and some write a character twice.
func echoed(chunk, keys []byte) (n, used int) {
	for i := 0; i < len(chunk); {
		rest, key := chunk[i:], byte(0)
		if used < len(keys) {
			key = keys[used]
		}
		switch size := sequence(rest); {
		case rest[0] == escape && size > 0:
			if i += size; used > 0 {
				n = i
			}
			continue
		case used < len(keys) && rest[0] == key:
			i, used = i+1, used+1
		case used < len(keys) && key < ' ' && len(rest) > 1 && rest[0] == '^' && rest[1] == key+'@': // ^C
			i, used = i+2, used+1
		case used > 0 && rest[0] == '\n' && chunk[i-1] == '\r':
			i++
		case used > 0 && len(rest) > 1 && rest[0] == '\b' && rest[1] == keys[used-1]:
			i += 2
		default:
			return n, used
		}
		n = i
	}
	return n, used
}
