package recorder

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/tlog"
)

// recover opens the files and finds where the log ends. Sealed segments are
// believed here as far as their stored hashes give the signed root; Verify
// reads them all.
func (l *Log) recover() error {
	var err error
	if l.hashes.f, err = os.OpenFile(l.path("hashes"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return fmt.Errorf("open the stored hashes: %w", err)
	}
	if l.checkpoints, err = os.OpenFile(l.path(checkpointsFile), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return fmt.Errorf("open the checkpoints: %w", err)
	}
	last, err := l.lastSigned()
	if err != nil {
		return err
	}
	segments, err := listSegments(l.dir)
	if err != nil {
		return err
	}
	if len(segments) == 0 {
		return l.begin(last)
	}
	return l.resume(segments, last)
}

// begin starts an empty log.
func (l *Log) begin(last *Checkpoint) error {
	if last.Size > 0 {
		return fmt.Errorf("the checkpoints sign %d events and no segment is there", last.Size)
	}
	l.tree = &tree{}
	seg, err := l.createSegment(0)
	l.seg = seg
	return err
}

// lastSigned reads the newest checkpoint and cuts what a crash left of one.
func (l *Log) lastSigned() (*Checkpoint, error) {
	kept, end, err := lastKept(l.checkpoints, l.origin)
	if err != nil {
		return nil, err
	}
	if kept != nil {
		cp, err := OpenCheckpoint(kept, l.public)
		if err != nil {
			return nil, err
		}
		l.kept = cp.Size
	}
	if err := l.checkpoints.Truncate(end); err != nil {
		return nil, fmt.Errorf("cut a torn checkpoint: %w", err)
	}
	l.keptBytes = end
	_, cp, err := newer(l.dir, kept, l.public)
	if cp == nil {
		cp = &Checkpoint{Origin: l.origin}
	}
	return cp, err
}

// resume finds the end of an existing log, checks it against what was signed
// and only then cuts a torn tail.
func (l *Log) resume(segments []segmentFile, last *Checkpoint) error {
	tail := segments[len(segments)-1]
	data, base, header, err := tail.read(0)
	if err != nil {
		return err
	}
	if header.Origin != l.origin {
		return &DamageError{Segment: tail.name, What: fmt.Sprintf("it belongs to the log %q, not %q", header.Origin, l.origin)}
	}
	var leaves []tlog.Hash
	next := tail.first
	end, err := walk(tail.name, data, base, func(f *frame) error {
		if n, ok := f.index(); !f.erased && (!ok || n != next) {
			return &DamageError{Segment: tail.name, Offset: f.offset, What: fmt.Sprintf("event %d is not where it belongs", next)}
		}
		next++
		leaves = append(leaves, leafHash(f.commitment()))
		return nil
	})
	var damage *DamageError
	if err != nil && (!errors.As(err, &damage) || !damage.torn) {
		return err
	}
	if next < last.Size {
		return &DamageError{Segment: tail.name, Offset: end, What: fmt.Sprintf("the log ends with event %d, but %d were signed", next, last.Size)}
	}
	if err := l.regrow(segments, leaves, last); err != nil {
		return err
	}
	return l.reopen(tail, next, end, base+int64(len(data)), damage)
}

// regrow brings the tree back: from the stored hashes, or where they do not
// give the signed root, from all segments.
func (l *Log) regrow(segments []segmentFile, leaves []tlog.Hash, last *Checkpoint) error {
	first := segments[len(segments)-1].first
	t, err := l.hashes.tree(first)
	if err == nil {
		err = l.extend(t, leaves, last)
	}
	if err == nil {
		return nil
	}
	l.logger.Warn("audit log: the stored hashes are rebuilt", "dir", l.dir, "reason", err)
	t = &tree{}
	for _, s := range segments[:len(segments)-1] {
		if err := addSegment(t, s); err != nil {
			return err
		}
	}
	if t.size != first {
		return &DamageError{Segment: segments[len(segments)-1].name,
			What: fmt.Sprintf("it begins with event %d, and %d stand before it", first, t.size)}
	}
	if err := l.hashes.f.Truncate(0); err != nil {
		return fmt.Errorf("rebuild the stored hashes: %w", err)
	}
	return l.extend(t, leaves, last)
}

// extend adds the leaves of the last segment and compares with what was signed.
func (l *Log) extend(t *tree, leaves []tlog.Hash, last *Checkpoint) error {
	from := t.size
	if len(t.fresh) > 0 { // rebuilt from the first event on
		from = 0
	}
	for _, h := range leaves {
		t.add(h)
	}
	if err := l.hashes.flush(from, t.fresh); err != nil {
		return err
	}
	if err := l.hashes.f.Truncate(tlog.StoredHashCount(int64(t.size)) * tlog.HashSize); err != nil {
		return fmt.Errorf("cut the stored hashes: %w", err)
	}
	root, err := l.hashes.root(last.Size)
	if err != nil {
		return err
	}
	if last.Size > 0 && root != last.Root {
		return fmt.Errorf("the first %d events are not those that were signed", last.Size)
	}
	t.fresh = nil
	l.tree, l.flushed, l.signed = t, t.size, last.Size
	return nil
}

func addSegment(t *tree, s segmentFile) error {
	data, base, _, err := s.read(0)
	if err != nil {
		return err
	}
	_, err = walk(s.name, data, base, func(f *frame) error {
		t.add(leafHash(f.commitment()))
		return nil
	})
	return err
}

// reopen makes the last segment ready to be written at end.
func (l *Log) reopen(tail segmentFile, next uint64, end, size int64, cut *DamageError) error {
	d, err := l.open(tail.path, os.O_WRONLY)
	if err != nil {
		return fmt.Errorf("open the last segment: %w", err)
	}
	l.seg = &segment{disk: d, first: tail.first, pos: end, grown: size}
	if cut != nil {
		l.logger.Warn("audit log: a torn end is cut", "segment", tail.name, "offset", end,
			"bytes", size-end, "what", cut.What, "events", next)
		if err := d.Truncate(end); err != nil {
			return fmt.Errorf("cut a torn end: %w", err)
		}
		l.seg.grown = end
	}
	l.next = next
	l.written.Store(next)
	return l.datasync()
}
