package mask

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// FilterOptions are the settings of Filter.
type FilterOptions struct {
	Detectors *Detectors
	Context   Context
	// Delay is how long what may be part of an unfinished value is held while
	// nothing else comes; zero is until more comes.
	Delay time.Duration
	// Explain writes what was found instead of the masked text: one JSON object
	// a line, never the value.
	Explain bool
}

// Filter copies in to out, masked, until in ends or ctx is done. It holds what
// may be part of an unfinished value for the delay; Stream tells what that
// means for a value inside which in pauses. A read of in that is under way when
// ctx is done goes on in the background.
//
// Under Explain it writes {"class":…,"start":…,"end":…} for each finding, in
// bytes of the input. Where the first line of the input is a JSON object with a
// "text", each line is looked at as one such record, its "context" being
// "column:NAME" or anything else, and answered by {"id":…,"spans":[[start,
// end,class],…]} in bytes of the text.
func Filter(ctx context.Context, in io.Reader, out io.Writer, o FilterOptions) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return err
	}
	s, w := newSource(ctx, in), bufio.NewWriter(out)
	var err error
	if o.Explain && isRecord(s.head()) {
		err = explainRecords(s, w, o)
	} else {
		err = filterText(s, w, o)
	}
	if flushed := w.Flush(); err == nil && flushed != nil {
		err = fmt.Errorf("write the output: %w", flushed)
	}
	return err
}

const (
	filterChunk = 64 << 10
	maxRecord   = 16 << 20 // bytes
)

// filtering is one run of Filter over a text.
type filtering struct {
	source *source
	stream *Stream
	out    *bufio.Writer
	silent bool // what passes is not written
	timed  bool
	masked []byte
}

func filterText(s *source, w *bufio.Writer, o FilterOptions) error {
	options := StreamOptions{Context: o.Context, Delay: o.Delay}
	if o.Explain {
		encode := json.NewEncoder(w)
		options.Found = func(f Finding) { _ = encode.Encode(f) } // a failed write is reported by Flush
	}
	f := filtering{source: s, stream: o.Detectors.NewStream(options), out: w, silent: o.Explain, timed: o.Delay > 0}
	for {
		if done, err := f.step(); done || err != nil {
			return err
		}
	}
}

// step takes one chunk, or lets out what was held for long enough. It is done
// with the input.
func (f *filtering) step() (done bool, err error) {
	c, came := f.source.ready()
	if !came {
		if err := f.out.Flush(); err != nil { // somebody may be watching
			return false, fmt.Errorf("write the output: %w", err)
		}
		due, held := f.stream.Deadline()
		if c, came = f.source.wait(due, held && f.timed); !came {
			f.masked = f.stream.Expire(f.masked[:0], time.Now())
			return false, f.write()
		}
	}
	f.masked = f.stream.Write(f.masked[:0], c.text, time.Now())
	if c.err == io.EOF {
		f.masked = f.stream.Close(f.masked)
		return true, f.write()
	}
	if err := f.write(); err != nil {
		return false, err
	}
	if c.err != nil {
		return false, fmt.Errorf("read the input: %w", c.err)
	}
	f.source.done(c)
	return false, nil
}

func (f *filtering) write() error {
	if f.silent {
		return nil
	}
	if _, err := f.out.Write(f.masked); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

// record is one labelled text, as the corpora have them.
type record struct {
	ID      json.RawMessage `json:"id"`
	Text    *string         `json:"text"`
	Context string          `json:"context"`
}

func isRecord(line []byte) bool {
	var one record
	return json.Unmarshal(line, &one) == nil && one.Text != nil
}

func explainRecords(s *source, w *bufio.Writer, o FilterOptions) error {
	s.idle = func() { _ = w.Flush() } // the last Flush reports what went wrong
	lines := bufio.NewScanner(s)
	lines.Buffer(nil, maxRecord)
	encode := json.NewEncoder(w)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		answer, err := explainRecord(lines.Bytes(), o)
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if err := encode.Encode(answer); err != nil {
			return fmt.Errorf("write the output: %w", err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the input: %w", err)
	}
	return nil
}

type explained struct {
	ID    json.RawMessage `json:"id,omitempty"`
	Spans [][3]any        `json:"spans"`
}

func explainRecord(line []byte, o FilterOptions) (explained, error) {
	var one record
	if err := json.Unmarshal(line, &one); err != nil {
		return explained{}, err
	}
	if one.Text == nil {
		return explained{}, errors.New("no text")
	}
	c := o.Context
	if name, ok := strings.CutPrefix(one.Context, "column:"); ok {
		c.Name = name
	}
	answer := explained{ID: one.ID, Spans: [][3]any{}}
	for _, f := range o.Detectors.Find(nil, []byte(*one.Text), c) {
		answer.Spans = append(answer.Spans, [3]any{f.Start, f.End, f.Class})
	}
	return answer, nil
}
