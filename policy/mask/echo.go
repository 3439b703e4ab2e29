package mask

import "time"

const (
	echoWindow = time.Second
	maxEcho    = 4 << 10 // bytes
)

// echo remembers what the client typed lately.
type echo struct {
	keys []byte
	at   time.Time // of the last key
}

func (e *echo) add(keys []byte, now time.Time) {
	if now.Sub(e.at) > echoWindow {
		e.keys = e.keys[:0]
	}
	e.at = now
	e.keys = append(e.keys, keys...)
	if n := len(e.keys) - maxEcho; n > 0 {
		e.keys = append(e.keys[:0], e.keys[n:]...)
	}
}

// match gives how much of chunk echoes what was typed, and forgets that. A
// terminal echoes return as a line break.
func (e *echo) match(chunk []byte, now time.Time) int {
	if len(e.keys) == 0 {
		return 0
	}
	if now.Sub(e.at) > echoWindow {
		e.keys = e.keys[:0]
		return 0
	}
	n, k := 0, 0
	for n < len(chunk) && k < len(e.keys) {
		switch {
		case chunk[n] == e.keys[k]:
			n, k = n+1, k+1
		case n > 0 && chunk[n] == '\n' && chunk[n-1] == '\r':
			n++
		default:
			e.keys = append(e.keys[:0], e.keys[k:]...)
			return n
		}
	}
	e.keys = append(e.keys[:0], e.keys[k:]...)
	return n
}
