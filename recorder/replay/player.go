package replay

import (
	"context"
	"fmt"
	"sort"
	"time"

	"hoop/recorder/terminal"
)

// Player is a recording and a time in it. It is made by NewPlayer and not safe
// for several goroutines at once; see Clone.
type Player struct {
	// Speed is how many times faster than it was Advance goes; 1 where zero.
	Speed float64
	// Idle cuts each pause in which nothing was shown to this length while
	// Advance plays; 0 leaves them.
	Idle time.Duration

	rec  *Recording
	keys []keyframe
	term *terminal.Terminal
	next int // the event that was not shown yet
	at   time.Duration
}

// keyframe is the terminal as it was before an event.
type keyframe struct {
	next int
	term *terminal.Terminal
}

const (
	// spacing is how much output there is between two keyframes: what a seek
	// has to go through, at some 70 MB/s.
	spacing = 64 << 10
	// maxKept bounds what all keyframes of a player take, in cells of 16 bytes.
	maxKept = 4 << 20
)

// NewPlayer goes through a recording once and stands at its start. It takes
// about 15 ms for a megabyte.
func NewPlayer(ctx context.Context, rec *Recording) (*Player, error) {
	p := &Player{rec: rec, term: terminal.New(rec.Cols, rec.Rows)}
	if rec.lines {
		_, _ = p.term.Write([]byte("\x1b[20h")) // LNM: a line feed begins a line
	}
	p.keep()
	since, every, kept := 0, spacing, 0
	for p.next < len(rec.events) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("go through the recording: %w", err)
		}
		since += p.show()
		if since < every {
			continue
		}
		since = 0
		p.keep()
		cols, rows := p.term.Size()
		if kept += 2 * cols * rows; kept > maxKept {
			p.thin()
			every, kept = 2*every, kept/2
		}
	}
	p.SeekTo(0)
	return p, nil
}

func (p *Player) keep() { p.keys = append(p.keys, keyframe{p.next, p.term.Clone()}) }

// thin leaves every second keyframe.
func (p *Player) thin() {
	half := p.keys[:0]
	for i := 0; i < len(p.keys); i += 2 {
		half = append(half, p.keys[i])
	}
	clear(p.keys[len(half):])
	p.keys = half
}

// show shows the next event and tells how many bytes it had.
func (p *Player) show() int {
	e := &p.rec.events[p.next]
	p.next++
	p.at = e.at
	if e.cols > 0 {
		p.term.Resize(int(e.cols), int(e.rows))
		return 0
	}
	_, _ = p.term.Write(p.rec.output[e.from:e.to])
	return e.to - e.from
}

// Clone makes a player of the same recording at the same time, which may be
// used in another goroutine.
func (p *Player) Clone() *Player {
	c := *p
	c.term = p.term.Clone()
	return &c
}

// Recording is what is played.
func (p *Player) Recording() *Recording { return p.rec }

// Screen is the terminal at the player's time. It is for reading, until the
// player moves.
func (p *Player) Screen() *terminal.Terminal { return p.term }

// At is the player's time.
func (p *Player) At() time.Duration { return p.at }

// Ended tells whether nothing comes any more.
func (p *Player) Ended() bool { return p.at >= p.rec.Length }

// SeekTo goes to a time: everything up to it is on the screen.
func (p *Player) SeekTo(at time.Duration) {
	at = max(0, min(at, p.rec.Length))
	events := p.rec.events
	want := sort.Search(len(events), func(i int) bool { return events[i].at > at })
	p.goTo(want)
	p.at = at
}

// goTo shows the events before one, and no more.
func (p *Player) goTo(want int) {
	i := sort.Search(len(p.keys), func(i int) bool { return p.keys[i].next > want }) - 1
	if i >= 0 && (p.next > want || p.next < p.keys[i].next) {
		p.next, p.term = p.keys[i].next, p.keys[i].term.Clone()
	}
	for p.next < want {
		p.show()
	}
}

// Step goes to the next time at which something was shown.
func (p *Player) Step() {
	if p.next < len(p.rec.events) {
		p.SeekTo(p.rec.events[p.next].at)
		return
	}
	p.at = p.rec.Length
}

// Advance plays on for as long as elapsed of the viewer's time.
func (p *Player) Advance(elapsed time.Duration) {
	speed := p.Speed
	if speed <= 0 {
		speed = 1
	}
	left := time.Duration(float64(elapsed) * speed)
	for left > 0 && !p.Ended() {
		due := p.rec.Length
		if p.next < len(p.rec.events) {
			due = p.rec.events[p.next].at
		}
		cut := p.shownUntil(due)
		if cut <= p.at { // the rest of the pause is left out
			p.SeekTo(due)
			continue
		}
		step := min(left, cut-p.at)
		left -= step
		if p.at += step; p.at >= due {
			p.SeekTo(due)
		}
	}
}

// shownUntil is how far a pause that ends at due is shown.
func (p *Player) shownUntil(due time.Duration) time.Duration {
	if p.Idle <= 0 {
		return due
	}
	var began time.Duration
	if p.next > 0 {
		began = p.rec.events[p.next-1].at
	}
	return min(due, began+p.Idle)
}

// NextMark is the index of the first mark after the player's time; as many as
// there are marks where there is none.
func (p *Player) NextMark() int {
	marks := p.rec.Marks
	return sort.Search(len(marks), func(i int) bool { return marks[i].At > p.at })
}

// PreviousMark is the index of the last mark before the player's time; -1 where
// there is none.
func (p *Player) PreviousMark() int {
	marks := p.rec.Marks
	return sort.Search(len(marks), func(i int) bool { return marks[i].At >= p.at }) - 1
}
