package mask

import (
	"bytes"
	"time"
)

// Stream masks text that has no frames, such as what a terminal shows: it
// holds back the end of what it got while a value may go on there, for a short
// time. It sees through control sequences and split characters.
//
// A value whose sender pauses inside it for longer than the delay is masked
// from the moment on at which it is recognised; what was released before is
// out. A sender who means to get values through (in base64, with one byte a
// second) is not stopped. A value longer than MaxHold is replaced by what its
// method makes of the first part, and the rest is dropped.
//
// A Stream is used by one goroutine. It reads no clock and starts no timer:
// its owner tells the time and calls Expire at Deadline.
type Stream struct {
	d     *Detectors
	name  Context
	delay time.Duration
	found func(Finding)

	past  []byte // released already, kept for context
	start int    // where past begins in the stream
	held  []byte
	came  arrivals // of what is held
	typed echo

	// masked is how much of the end of past was released masked and may go on.
	masked  int
	swallow swallowing
	view    view
}

// StreamOptions are the settings of a Stream. The zero value is fine.
type StreamOptions struct {
	Context Context
	// Delay is how long a byte is held at most; DefaultDelay where it is zero.
	Delay time.Duration
	// Found is called once for each value that is masked. Start and End count
	// the bytes of the whole stream.
	Found func(Finding)
}

// The limits of a Stream.
const (
	DefaultDelay = 20 * time.Millisecond
	MaxHold      = 4 << 10 // bytes
	maxPast      = 256     // bytes of context
)

// NewStream makes a stream that masks what the detectors find.
func (d *Detectors) NewStream(o StreamOptions) *Stream {
	if o.Delay <= 0 {
		o.Delay = DefaultDelay
	}
	if o.Found == nil {
		o.Found = func(Finding) {}
	}
	return &Stream{d: d, name: o.Context, delay: o.Delay, found: o.Found}
}

// Typed tells the stream what the client sent toward the sender: the echo of
// it is released at once.
func (s *Stream) Typed(keys []byte, now time.Time) { s.typed.add(keys, now) }

// Write takes a chunk that came at now and appends to dst what may go out.
func (s *Stream) Write(dst, chunk []byte, now time.Time) []byte {
	if len(s.held) == 0 {
		n := s.typed.match(chunk, now)
		dst = append(dst, chunk[:n]...)
		s.remember(chunk[:n])
		chunk = chunk[n:]
	}
	s.held = append(s.held, chunk...)
	s.came.add(len(s.held), now, s.delay)
	return s.settle(dst, false)
}

// Deadline says when Expire is due if nothing else comes; false means that
// nothing is held.
func (s *Stream) Deadline() (time.Time, bool) {
	return s.came.first().Add(s.delay), len(s.held) > 0
}

// Expire appends to dst what has been held for the whole delay.
func (s *Stream) Expire(dst []byte, now time.Time) []byte {
	if due, held := s.Deadline(); !held || now.Before(due) {
		return dst
	}
	return s.settle(dst, true)
}

// Close appends to dst what is still held: no more will come.
func (s *Stream) Close(dst []byte) []byte { return s.settle(dst, true) }

// settle releases all that cannot be part of an unfinished value, or
// everything.
func (s *Stream) settle(dst []byte, all bool) []byte {
	before := len(s.held)
	s.held = s.swallow.skip(s.held)
	s.start += before - len(s.held)
	if len(s.held) == 0 {
		s.came.keep(0)
		return dst
	}
	raw := append(append(make([]byte, 0, len(s.past)+len(s.held)), s.past...), s.held...)
	until := len(raw)
	if !all {
		until = cutEscape(raw)
	}
	s.view.strip(raw[:until])
	fs := s.d.findIn(&s.view, s.name)
	if !all {
		until = s.holdFrom(raw[:until], fs)
	}
	if excess := len(raw) - until - MaxHold; excess > 0 {
		dst, until = s.overflow(dst, raw, fs, until+excess)
	} else {
		dst = s.release(dst, raw, fs, until)
	}
	s.held = append(s.held[:0], raw[min(until, len(raw)):]...)
	s.came.keep(len(s.held))
	return dst
}

// release writes raw[len(past):until], the findings in it masked. Findings lie
// before until, or after.
func (s *Stream) release(dst, raw []byte, fs []finding, until int) []byte {
	done := len(s.past)
	open := 0
	for _, f := range fs {
		if f.end <= done || f.end > until {
			continue
		}
		if f.start < done {
			dst = s.late(dst, raw, f, done)
		} else {
			dst = append(dst, raw[done:f.start]...)
			dst = s.d.replace(dst, raw, f)
			s.report(f)
		}
		if done = f.end; done == until && until == len(raw) {
			open = done - max(f.start, len(s.past))
		}
	}
	if done < until {
		dst = append(dst, raw[done:until]...)
	}
	s.masked = open
	s.keep(raw[:until])
	return dst
}

func (s *Stream) report(f finding) {
	s.found(Finding{Class: s.d.names[f.class], Start: s.start + f.start, End: s.start + f.end})
}

// late masks the rest of a value whose beginning is out. Where that was masked
// too the rest adds nothing.
func (s *Stream) late(dst, raw []byte, f finding, done int) []byte {
	if s.masked > 0 && f.start <= done-s.masked {
		return dst
	}
	whole := s.d.replace(nil, raw, f)
	s.report(f)
	if shown := done - f.start; len(whole) == f.end-f.start {
		return append(dst, whole[shown:]...)
	}
	return append(dst, whole...)
}

// overflow releases up to until although a value goes on there: what has been
// seen of it is masked, the rest is dropped when it comes.
func (s *Stream) overflow(dst, raw []byte, fs []finding, until int) ([]byte, int) {
	for i, f := range fs {
		if f.start < until && f.end > until {
			s.swallow.begin(f.class)
			return s.release(dst, raw, fs[:i+1], f.end), f.end
		}
	}
	return s.release(dst, raw, fs, until), until
}

// remember adds bytes that went out unseen to the context.
func (s *Stream) remember(chunk []byte) {
	if len(chunk) > 0 {
		s.keep(append(append([]byte(nil), s.past...), chunk...))
	}
}

// keep makes the end of raw the context, from a line break on where there is
// one, so that the context does not begin within a word or a number.
func (s *Stream) keep(raw []byte) {
	s.start += len(raw)
	defer func() { s.start -= len(s.past) }()
	if len(raw) > maxPast {
		raw = raw[len(raw)-maxPast:]
		if n := bytes.IndexByte(raw, '\n'); n >= 0 && n+1 < len(raw) {
			raw = raw[n+1:]
		} else if n := bytes.IndexByte(raw, ' '); n >= 0 && n+1 < len(raw) {
			raw = raw[n+1:]
		}
	}
	s.past = append(s.past[:0], raw...)
	s.masked = min(s.masked, len(s.past))
}
