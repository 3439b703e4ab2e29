package issuer

import (
	"sync"
	"time"
)

// throttle gives every key a bucket of tries that fills again over time. It
// limits guesses, not use: a success gives its try back.
type throttle struct {
	burst  float64
	refill time.Duration // per try
	mu     sync.Mutex
	spent  map[string]spending
}

type spending struct {
	tries float64
	at    time.Time
}

// maxThrottled bounds the memory that made-up keys can take.
const maxThrottled = 10_000

func newThrottle(burst int, refill time.Duration) *throttle {
	return &throttle{burst: float64(burst), refill: refill, spent: map[string]spending{}}
}

// take spends one try of key at the time now. It answers zero, or how long to
// wait for the next try. A full table is emptied of old keys; full of fresh
// ones, it refuses.
func (t *throttle) take(key string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	tries := t.triesLocked(key, now)
	if tries+1 > t.burst {
		return time.Duration((tries + 1 - t.burst) * float64(t.refill))
	}
	if _, known := t.spent[key]; !known && !t.roomLocked(now) {
		return t.refill
	}
	t.spent[key] = spending{tries: tries + 1, at: now}
	return 0
}

// giveBack returns the try of a success.
func (t *throttle) giveBack(key string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spent[key] = spending{tries: max(0, t.triesLocked(key, now)-1), at: now}
}

func (t *throttle) triesLocked(key string, now time.Time) float64 {
	s := t.spent[key]
	return max(0, s.tries-float64(now.Sub(s.at))/float64(t.refill))
}

func (t *throttle) roomLocked(now time.Time) bool {
	if len(t.spent) < maxThrottled {
		return true
	}
	for key := range t.spent {
		if t.triesLocked(key, now) == 0 {
			delete(t.spent, key)
		}
	}
	return len(t.spent) < maxThrottled
}
