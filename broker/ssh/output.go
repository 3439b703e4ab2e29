package ssh

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"hoop/broker"
	"hoop/policy"
	"hoop/policy/mask"
)

// How long the end of an output is held back while it may be the beginning of a
// value: a terminal has to keep up with who types.
const (
	holdOnTerminal = 5 * time.Millisecond
	holdElsewhere  = 2 * time.Second
)

// errBinary says that an output is none that detectors can look at.
var errBinary = errors.New("its output is not text, which cannot be masked")

// filter masks what detectors find in one stream of output.
type filter struct {
	dst   io.Writer
	lines bool // not a terminal's

	mu     sync.Mutex
	stream *mask.Stream
	buf    []byte
	timer  *time.Timer
	masked map[string]int
	err    error // of a write that a timer did
}

func newFilter(dst io.Writer, d *mask.Detectors, terminal bool) *filter {
	f := &filter{dst: dst, lines: !terminal, masked: map[string]int{}}
	o := mask.StreamOptions{Delay: holdElsewhere, Found: func(x mask.Finding) { f.masked[x.Class]++ }}
	if terminal {
		o.Delay = holdOnTerminal
	}
	f.stream = d.NewStream(o)
	f.timer = time.AfterFunc(time.Hour, f.expire)
	f.timer.Stop()
	return f
}

// Write lets through what holds no value, and cannot become one.
func (f *filter) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil && f.lines && bytes.IndexByte(p, 0) >= 0 {
		f.err = errBinary
	}
	if f.err != nil {
		return 0, f.err
	}
	f.buf = f.stream.Write(f.buf[:0], p, time.Now())
	if err := f.flush(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// typed tells what the client typed: its echo is let through at once.
func (f *filter) typed(keys []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stream.Typed(keys, time.Now())
}

func (f *filter) expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.buf = f.stream.Expire(f.buf[:0], time.Now())
	_ = f.flush() // told with the next Write
}

// flush writes what was let through, and sets the timer for the rest.
func (f *filter) flush() error {
	if len(f.buf) > 0 {
		_, f.err = f.dst.Write(f.buf)
	}
	if due, held := f.stream.Deadline(); held {
		f.timer.Reset(time.Until(due))
	}
	return f.err
}

// Close lets the rest through: no more will come.
func (f *filter) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.timer.Stop()
	if f.err == nil {
		f.buf = f.stream.Close(f.buf[:0])
		_ = f.flush()
		f.timer.Stop()
	}
	f.err = errStopped
	return nil
}

// count adds how many values of each class were masked.
func (f *filter) count(into map[string]int) map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if into == nil {
		return f.masked
	}
	for class, n := range f.masked {
		into[class] += n
	}
	return into
}

// detectors gives those that look at the output of an action, nil for none.
func (c *channel) detectors(v *policy.Verdict) (*mask.Detectors, error) {
	if slices.Contains(v.Unmask, "*") {
		return nil, nil
	}
	d, err := c.r.s.Detectors()
	if err != nil {
		return nil, &broker.Denial{Code: broker.CodeUnavailable, Message: "masking is unavailable: " + err.Error()}
	}
	return d, nil
}

// speaksBinary tells of the programs whose output is a protocol of their own:
// held back at a wrong place it would stand still, and changed it would break.
func speaksBinary(command string) bool {
	words := strings.Fields(command)
	if len(words) == 0 {
		return false
	}
	switch path.Base(words[0]) {
	case "rsync", "scp", "git-upload-pack", "git-receive-pack", "git-upload-archive", "sftp-server":
		return true
	}
	return false
}

// unmaskable is the refusal of a program whose output cannot be masked.
func unmaskable(why error) *broker.Denial {
	return &broker.Denial{Code: broker.CodeDenied, Message: "denied: detectors are on for this connection, and " + why.Error(),
		Hint: `a rule that allows it with unmask: ["*"] passes it on as it is`}
}

// sum adds up what filters masked, nil for nothing.
func sum(filters []*filter) map[string]int {
	var total map[string]int
	for _, f := range filters {
		total = f.count(total)
	}
	if len(total) == 0 {
		return nil
	}
	return maps.Clone(total)
}
