package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ErrStop ends a Scan early, without an error.
var ErrStop = errors.New("stop reading the log")

// Scan calls fn for each event from the index from on, in order, up to what is
// written now; a broker may be writing meanwhile. Erased events are left out.
// It ends with the first error of fn, or nil for ErrStop; damage is a
// *DamageError.
func Scan(dir string, from uint64, fn func(*Event) error) error {
	c := cursor{dir: dir, next: from}
	err := c.advance(decoded(fn))
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

// Tail is Scan that waits for more events until ctx is done, which is its
// normal end and no error.
func Tail(ctx context.Context, dir string, from uint64, fn func(*Event) error) error {
	const pause = 100 * time.Millisecond
	c := cursor{dir: dir, next: from}
	for {
		err := c.advance(decoded(fn))
		if errors.Is(err, ErrStop) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

func decoded(fn func(*Event) error) func(*frame, uint64) error {
	return func(f *frame, _ uint64) error {
		if f.erased {
			return nil
		}
		ev, err := decode(f.payload)
		if err != nil {
			return err
		}
		return fn(ev)
	}
}

func decode(payload []byte) (*Event, error) {
	var ev Event
	if err := json.Unmarshal(payload, &ev); err != nil {
		return nil, fmt.Errorf("read an event: %w", err)
	}
	return &ev, nil
}

// cursor reads a log that may be growing, from where it stopped before.
type cursor struct {
	dir    string
	next   uint64 // the next event that is wanted
	first  uint64 // of the segment in which offset stands
	at     uint64 // index of the event at offset
	offset int64  // 0: not begun
}

// advance calls fn with every frame between the cursor and the end.
func (c *cursor) advance(fn func(f *frame, index uint64) error) error {
	segments, err := listSegments(c.dir)
	if err != nil {
		return err
	}
	for i, s := range segments {
		last := i == len(segments)-1
		if !last && segments[i+1].first <= c.next || s.first < c.first {
			continue
		}
		if err := c.segment(s, last, fn); err != nil {
			return err
		}
	}
	return nil
}

// attempts is how often the end of a log is read again that another process
// is just writing: a write is not seen whole at once.
const attempts = 5

func (c *cursor) segment(s segmentFile, last bool, fn func(*frame, uint64) error) error {
	for try := 1; ; try++ {
		err := c.pass(s, fn)
		var d *DamageError
		if !errors.As(err, &d) || !last {
			return err
		}
		if try == attempts {
			if d.torn {
				return nil // what a crash left, or a write going on
			}
			return err
		}
		time.Sleep(time.Duration(try) * time.Millisecond)
	}
}

func (c *cursor) pass(s segmentFile, fn func(*frame, uint64) error) error {
	if s.first != c.first {
		c.first, c.at, c.offset = s.first, s.first, 0
	}
	data, base, _, err := s.read(c.offset)
	if err != nil {
		return err
	}
	if c.offset == 0 {
		c.at, c.offset = s.first, base
	}
	_, err = walk(s.name, data, base, func(f *frame) error {
		if n, ok := f.index(); !f.erased && (!ok || n != c.at) {
			return &DamageError{Segment: s.name, Offset: f.offset, What: fmt.Sprintf("event %d is not where it belongs", c.at)}
		}
		if c.at >= c.next {
			if err := fn(f, c.at); err != nil {
				return err
			}
			c.next = c.at + 1
		}
		c.at++
		c.offset = f.offset + int64(len(f.raw))
		return nil
	})
	return err
}
