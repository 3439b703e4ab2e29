package mask

import "time"

// arrivals tells when the bytes came that a stream holds.
type arrivals struct {
	held  int // bytes
	marks []arrival
}

// arrival says that the bytes from the one before on came at a time.
type arrival struct {
	end int // counted from the first byte held
	at  time.Time
}

// arrivalsPerDelay is how finely they are told apart: what comes sooner after
// others than this part of the delay counts as come with them.
const arrivalsPerDelay = 16

// add says that with what came now so many bytes are held.
func (a *arrivals) add(held int, now time.Time, delay time.Duration) {
	if held == a.held {
		return
	}
	a.held = held
	if n := len(a.marks); n > 0 && now.Sub(a.marks[n-1].at) < delay/arrivalsPerDelay {
		a.marks[n-1].end = held
		return
	}
	a.marks = append(a.marks, arrival{held, now})
}

// keep says that of the bytes held so many are left, the last ones.
func (a *arrivals) keep(held int) {
	gone, kept := a.held-held, a.marks[:0]
	for _, m := range a.marks {
		if m.end > gone {
			kept = append(kept, arrival{m.end - gone, m.at})
		}
	}
	a.held, a.marks = held, kept
}

// first gives when the first of the bytes came.
func (a *arrivals) first() time.Time {
	if len(a.marks) == 0 {
		return time.Time{}
	}
	return a.marks[0].at
}
