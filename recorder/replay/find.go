package replay

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hoop/recorder/terminal"
)

// Find tells when a text next appears on the screen after the player's time,
// and whether it does. The player stays where it is.
func (p *Player) Find(ctx context.Context, text string) (time.Duration, bool, error) {
	s := newSearcher(p, text)
	for s.p.next < len(s.p.rec.events) {
		if err := ctx.Err(); err != nil {
			return 0, false, fmt.Errorf("search the recording: %w", err)
		}
		if s.step() && s.p.at > p.at {
			return s.p.at, true, nil
		}
	}
	return 0, false, nil
}

// FindBack tells when a text last appeared on the screen before the player's
// time, and whether it did.
func (p *Player) FindBack(ctx context.Context, text string) (time.Duration, bool, error) {
	until := p.at
	for i := len(p.keys) - 1; i >= 0; i-- {
		c := *p
		c.goTo(p.keys[i].next)
		end := len(p.rec.events)
		if i+1 < len(p.keys) {
			end = p.keys[i+1].next
		}
		if c.next < len(p.rec.events) && p.rec.events[c.next].at >= until {
			continue
		}
		at, found, err := lastIn(ctx, newSearcher(&c, text), end, until)
		if found || err != nil {
			return at, found, err
		}
	}
	return 0, false, nil
}

// lastIn looks for the last appearance before an event and a time.
func lastIn(ctx context.Context, s *searcher, end int, until time.Duration) (at time.Duration, found bool, err error) {
	for s.p.next < end && s.p.rec.events[s.p.next].at < until {
		if err := ctx.Err(); err != nil {
			return 0, false, fmt.Errorf("search the recording: %w", err)
		}
		if s.step() {
			at, found = s.p.at, true
		}
	}
	return at, found, nil
}

// searcher plays a recording and looks for a text. The text appears where it
// stands on the screen more often than before, or on a row that did not have it,
// unless that row has only moved.
type searcher struct {
	p       *Player
	pattern terminal.Pattern
	now     sighting
	before  sighting
}

// sighting is where a text stands on a screen.
type sighting struct {
	total int
	ids   []uint64 // of each row
	count []int    // how often it stands on it
	rows  []string // the row whole, where it does
}

func newSearcher(p *Player, text string) *searcher {
	s := &searcher{p: p.Clone(), pattern: terminal.NewPattern(text)}
	s.look()
	return s
}

// step shows one event and tells whether the text appeared.
func (s *searcher) step() bool {
	s.before.total = s.now.total
	s.before.ids = append(s.before.ids[:0], s.now.ids...)
	s.before.count = append(s.before.count[:0], s.now.count...)
	s.before.rows = append(s.before.rows[:0], s.now.rows...)
	s.p.show()
	s.look()
	if s.now.total == 0 || s.now.total > s.before.total {
		return s.now.total > 0
	}
	for y, n := range s.now.count {
		if y < len(s.before.count) && n > s.before.count[y] && !slices.Contains(s.before.rows, s.now.rows[y]) {
			return true
		}
	}
	return false
}

// look looks at the rows that are new.
func (s *searcher) look() {
	term := s.p.term
	_, rows := term.Size()
	if rows != len(s.now.count) {
		s.now = sighting{ids: make([]uint64, rows), count: make([]int, rows), rows: make([]string, rows)}
	}
	for y := range rows {
		id := term.RowID(y)
		if id == s.now.ids[y] {
			continue
		}
		n, row := 0, ""
		if i := slices.Index(s.before.ids, id); i >= 0 { // it has moved
			n, row = s.before.count[i], s.before.rows[i]
		} else if n = len(term.Matches(y, s.pattern)); n > 0 {
			row = term.Text(y)
		}
		s.now.total += n - s.now.count[y]
		s.now.ids[y], s.now.count[y], s.now.rows[y] = id, n, row
	}
}
