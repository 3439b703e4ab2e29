package recorder

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// VerifyOptions says what a log is checked against.
type VerifyOptions struct {
	// Key is the log's public key, in note form. The one in the log's folder
	// where empty: that shows accidents, not an operator who signs anew.
	Key string
	// Checkpoint is a signed one that was kept elsewhere. What was cut off
	// after the log's own last checkpoint shows only against it.
	Checkpoint []byte
}

// Problem is one thing that is wrong with a log, and where.
type Problem struct {
	Segment string `json:"segment"` // file name
	Offset  int64  `json:"offset"`  // bytes from the file's begin
	Index   uint64 `json:"index"`   // the event there, or the first that is concerned
	What    string `json:"what"`
}

func (p Problem) String() string {
	return fmt.Sprintf("%s, byte %d, event %d: %s", p.Segment, p.Offset, p.Index, p.What)
}

// Report is what Verify found.
type Report struct {
	Origin      string    `json:"origin"`
	Events      uint64    `json:"events"`
	Erased      uint64    `json:"erased"` // bodies removed; their places are still proved
	Segments    int       `json:"segments"`
	Checkpoints int       `json:"checkpoints"`
	Signed      uint64    `json:"signed"` // events that the last checkpoint covers
	Root        string    `json:"root"`   // of the tree over all events, in base64
	Problems    []Problem `json:"problems"`
	// Notes are no problems: what a crash or a writer at work explains.
	Notes []string `json:"notes,omitempty"`
}

// OK reports whether nothing is wrong.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

// Verify reads the whole log in dir and checks every frame, the order of the
// events, and the tree against every signed checkpoint. What is wrong stands
// in the report; the error is only for what could not be read at all.
func Verify(dir string, opts VerifyOptions) (*Report, error) {
	if opts.Key == "" {
		key, err := PublicKey(dir)
		if err != nil {
			return nil, err
		}
		opts.Key = key
	}
	v := &verifier{whole: true}
	if err := v.checkpoints(dir, opts); err != nil {
		return nil, err
	}
	segments, err := listSegments(dir)
	if err != nil {
		return nil, err
	}
	stored, err := os.Open(filepath.Join(dir, "hashes"))
	if err == nil {
		defer stored.Close() //nolint:errcheck // only read from
		v.stored = bufio.NewReaderSize(stored, 1<<18)
	}
	v.report.Segments = len(segments)
	for i, s := range segments {
		if err := v.segment(s, i == len(segments)-1); err != nil {
			return nil, err
		}
	}
	v.finish(segments)
	return &v.report, nil
}

type verifier struct {
	report Report
	signed []*Checkpoint // in order of size
	tree   tree
	good   uint64 // the events up to here are those that were signed
	whole  bool   // every event so far could be hashed

	stored   *bufio.Reader
	differs  bool    // the stored hashes and the events differ …
	suspect  Problem // … first here
	scratch  []byte
	position Problem // of the latest event
}

func (v *verifier) problem(segment string, offset int64, index uint64, format string, args ...any) {
	v.report.Problems = append(v.report.Problems, Problem{segment, offset, index, fmt.Sprintf(format, args...)})
}

// checkpoints reads all signed heads: the log's own and the one kept elsewhere.
func (v *verifier) checkpoints(dir string, opts VerifyOptions) error {
	data, err := os.ReadFile(filepath.Join(dir, checkpointsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the checkpoints: %w", err)
	}
	notes, rest := splitCheckpoints(data)
	if len(rest) > 0 {
		v.report.Notes = append(v.report.Notes, fmt.Sprintf("the last checkpoint is torn: %d bytes", len(rest)))
	}
	offset := int64(0)
	for _, n := range notes {
		v.checkpoint(checkpointsFile, offset, n, opts.Key)
		offset += int64(len(n)) + 1
	}
	newest, err := os.ReadFile(filepath.Join(dir, newestFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the newest checkpoint: %w", err)
	}
	if len(newest) > 0 {
		v.checkpoint(newestFile, 0, newest, opts.Key)
	}
	if len(opts.Checkpoint) > 0 {
		cp, err := OpenCheckpoint(opts.Checkpoint, opts.Key)
		if err != nil {
			return fmt.Errorf("the checkpoint kept elsewhere: %w", err)
		}
		v.signed = append(v.signed, cp)
	}
	slices.SortStableFunc(v.signed, func(a, b *Checkpoint) int { return cmp.Compare(a.Size, b.Size) })
	if n := len(v.signed); n > 0 {
		v.report.Signed, v.report.Origin = v.signed[n-1].Size, v.signed[n-1].Origin
	}
	return nil
}

func (v *verifier) checkpoint(file string, offset int64, signed []byte, key string) {
	cp, err := OpenCheckpoint(signed, key)
	if err != nil {
		v.problem(file, offset, 0, "%v", err)
		return
	}
	if n := len(v.signed); file == checkpointsFile && n > 0 && cp.Size < v.signed[n-1].Size {
		v.problem(file, offset, cp.Size, "a checkpoint of %d events after one of %d", cp.Size, v.signed[n-1].Size)
	}
	v.report.Checkpoints++
	v.signed = append(v.signed, cp)
}

func (v *verifier) segment(s segmentFile, last bool) error {
	data, base, header, err := s.read(0)
	var d *DamageError
	if errors.As(err, &d) {
		v.problem(s.name, d.Offset, s.first, "%s", d.What)
		v.whole = false
		return nil
	}
	if err != nil {
		return err
	}
	v.header(s, header)
	end, err := walk(s.name, data, base, func(f *frame) error { return v.event(s.name, f) })
	if err == nil {
		return nil
	}
	if !errors.As(err, &d) {
		return err
	}
	if last && d.torn && v.tree.size >= v.report.Signed {
		v.report.Notes = append(v.report.Notes, fmt.Sprintf("the end is torn at byte %d of %s: %s", end, s.name, d.What))
		return nil
	}
	v.problem(s.name, end, v.tree.size, "%s; what follows in this segment is not checked", d.What)
	v.whole = false
	return nil
}

func (v *verifier) header(s segmentFile, h *segmentHeader) {
	if v.report.Origin == "" {
		v.report.Origin = h.Origin
	}
	if h.Origin != v.report.Origin {
		v.problem(s.name, 0, s.first, "the segment belongs to the log %q, not %q", h.Origin, v.report.Origin)
	}
	if s.first == v.tree.size {
		return
	}
	if v.whole {
		v.problem(s.name, 0, v.tree.size, "the segment begins with event %d where event %d is due", s.first, v.tree.size)
		v.whole = false
	}
	v.tree.size = s.first // the count goes on; the tree is lost
}

func (v *verifier) event(segment string, f *frame) error {
	want := v.tree.size
	v.position = Problem{Segment: segment, Offset: f.offset, Index: want}
	v.report.Events++
	if f.erased {
		v.report.Erased++
	} else if n, ok := f.index(); !ok || n != want {
		v.problem(segment, f.offset, want, "event %d is due here, and this is %d", want, n)
	}
	if !v.whole {
		v.tree.size++
		return nil
	}
	v.tree.add(leafHash(f.commitment()))
	v.compareStored()
	v.compareSigned()
	return nil
}

// compareStored notes the first event whose hash is not the one that was
// stored when it was written. That names the place; the checkpoints prove it.
func (v *verifier) compareStored() {
	fresh := v.tree.fresh
	v.tree.fresh = v.tree.fresh[:0]
	if v.stored == nil || v.differs {
		return
	}
	v.scratch = slices.Grow(v.scratch[:0], len(fresh))[:len(fresh)]
	if _, err := io.ReadFull(v.stored, v.scratch); err != nil {
		v.stored = nil // the file may end before the log does
		return
	}
	if !bytes.Equal(v.scratch, fresh) {
		v.differs, v.suspect = true, v.position
	}
}

// compareSigned checks every checkpoint of exactly this size.
func (v *verifier) compareSigned() {
	for len(v.signed) > 0 && v.signed[0].Size <= v.tree.size {
		cp := v.signed[0]
		v.signed = v.signed[1:]
		if cp.Size < v.tree.size || v.good > cp.Size {
			continue
		}
		if cp.Root == v.tree.root() {
			v.good = cp.Size
			continue
		}
		at := v.position
		at.Index = v.good
		what := fmt.Sprintf("of the events %d to %d at least one is not what was signed", v.good, cp.Size-1)
		if v.differs && v.suspect.Index >= v.good {
			at = v.suspect
			what = fmt.Sprintf("event %d is not what was written; the checkpoint of %d events says so", at.Index, cp.Size)
		}
		v.problem(at.Segment, at.Offset, at.Index, "%s", what)
		v.whole = false
		return
	}
}

func (v *verifier) finish(segments []segmentFile) {
	if v.tree.size < v.report.Signed {
		name, index := "", v.tree.size
		if len(segments) > 0 {
			name = segments[len(segments)-1].name
		}
		v.problem(name, v.position.Offset, index, "the log ends with %d events, and %d were signed", index, v.report.Signed)
	}
	if !v.whole {
		return
	}
	root := v.tree.root()
	v.report.Root = tlog.Hash(root).String()
	if v.differs {
		v.report.Notes = append(v.report.Notes, "the stored hashes differ from the events and will be rebuilt: "+v.suspect.String())
	}
}
