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
	// Explain writes what was found instead of the masked text: one JSON object
	// a line, never the value.
	Explain bool
}

// Filter copies in to out, masked, until in ends or ctx is done. It holds what
// may be part of an unfinished value until more comes.
//
// Under Explain it writes {"class":…,"start":…,"end":…} for each finding, in
// bytes of the input. Where the first line of the input is a JSON object with a
// "text", each line is looked at as one such record, its "context" being
// "column:NAME" or anything else, and answered by {"id":…,"spans":[[start,
// end,class],…]} in bytes of the text.
func Filter(ctx context.Context, in io.Reader, out io.Writer, o FilterOptions) error {
	r := bufio.NewReaderSize(in, filterChunk)
	w := bufio.NewWriter(out)
	var err error
	if o.Explain && startsWithRecord(r) {
		err = explainRecords(ctx, r, w, o)
	} else {
		err = filterText(ctx, r, w, o)
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

func filterText(ctx context.Context, r *bufio.Reader, w *bufio.Writer, o FilterOptions) error {
	encode := json.NewEncoder(w)
	options := StreamOptions{Context: o.Context}
	if o.Explain {
		options.Found = func(f Finding) { _ = encode.Encode(f) } // a failed write is reported by Flush
	}
	s := o.Detectors.NewStream(options)
	chunk, masked := make([]byte, filterChunk), []byte(nil)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(chunk)
		masked = s.Write(masked[:0], chunk[:n], time.Time{})
		if err == io.EOF {
			masked = s.Close(masked)
		}
		if !o.Explain {
			if _, err := w.Write(masked); err != nil {
				return fmt.Errorf("write the output: %w", err)
			}
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the input: %w", err)
		}
		if r.Buffered() == 0 { // somebody may be watching
			if err := w.Flush(); err != nil {
				return fmt.Errorf("write the output: %w", err)
			}
		}
	}
}

// record is one labelled text, as the corpora have them.
type record struct {
	ID      json.RawMessage `json:"id"`
	Text    *string         `json:"text"`
	Context string          `json:"context"`
}

func startsWithRecord(r *bufio.Reader) bool {
	for size := 512; ; size *= 2 {
		head, err := r.Peek(min(size, filterChunk))
		if n := bytes.IndexByte(head, '\n'); n >= 0 {
			head, err = head[:n], io.EOF
		}
		if err != nil || size >= filterChunk {
			var one record
			return json.Unmarshal(head, &one) == nil && one.Text != nil
		}
	}
}

func explainRecords(ctx context.Context, r *bufio.Reader, w *bufio.Writer, o FilterOptions) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxRecord)
	encode := json.NewEncoder(w)
	for n := 1; lines.Scan(); n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
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
