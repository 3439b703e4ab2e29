package recorder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	segmentMagic  = "hooplog1"
	segmentSuffix = ".seg"
	// growBy is how much is filled with zeros at a time: overwriting costs a
	// sync no journal commit, growing the file does.
	growBy = 256 << 10
	// reserve always stays allocated ahead, so that on a full disk the events
	// that end what already runs still have room.
	reserve = 128 << 10
)

var zeros [growBy]byte

// segment is the file being written.
type segment struct {
	disk  disk
	first uint64 // index of its first event
	pos   int64  // where the next frame goes
	grown int64  // the file's size; zeros from pos on
}

// segmentHeader is the payload of the frame after the magic. It is no event
// and no leaf of the tree.
type segmentHeader struct {
	Origin  string    `json:"origin"`
	First   uint64    `json:"first"`
	Created time.Time `json:"created"`
}

func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, segmentSuffix) }

// createSegment makes the file under a temporary name, so that a segment
// always has a whole header.
func (l *Log) createSegment(first uint64) (*segment, error) {
	head, err := json.Marshal(segmentHeader{Origin: l.origin, First: first, Created: l.now().UTC()})
	if err != nil {
		return nil, err
	}
	b := append([]byte(segmentMagic), make([]byte, frameHeader)...)
	b = append(b, head...)
	seal(b[len(segmentMagic):])
	path := filepath.Join(l.dir, segmentName(first))
	d, err := l.open(path+".tmp", os.O_CREATE|os.O_WRONLY|os.O_TRUNC)
	if err != nil {
		return nil, fmt.Errorf("create a segment: %w", err)
	}
	seg := &segment{disk: d, first: first, pos: int64(len(b))}
	_, err = d.WriteAt(b, 0)
	if err == nil {
		seg.grown = seg.pos
		err = seg.grow(0)
	}
	if err == nil {
		err = d.Datasync()
	}
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err == nil {
		err = syncDir(l.dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create a segment: %w", err), d.Close())
	}
	return seg, nil
}

// grow makes sure that n bytes and the reserve after them are allocated.
func (s *segment) grow(n int64) error {
	for s.grown < s.pos+n+reserve {
		m, err := s.disk.WriteAt(zeros[:], s.grown)
		s.grown += int64(m)
		if err != nil {
			return err
		}
	}
	return nil
}

// close ends the segment: no zeros after the last frame, all on the disk.
func (s *segment) close() error {
	err := s.disk.Truncate(s.pos)
	if err == nil {
		err = s.disk.Datasync()
	}
	return errors.Join(err, s.disk.Close())
}

// segmentFile is a segment on disk.
type segmentFile struct {
	path  string
	name  string
	first uint64
}

// listSegments finds the segments of a log, in order.
func listSegments(dir string) ([]segmentFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list the segments: %w", err)
	}
	var out []segmentFile
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		if !ok {
			continue
		}
		first, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || segmentName(first) != e.Name() {
			return nil, fmt.Errorf("list the segments: %s is no segment's name", e.Name())
		}
		out = append(out, segmentFile{filepath.Join(dir, e.Name()), e.Name(), first})
	}
	slices.SortFunc(out, func(a, b segmentFile) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// read loads the segment from a byte offset on; 0 also checks the header and
// begins after it. It returns where in the file the bytes begin.
func (s segmentFile) read(from int64) (data []byte, base int64, header *segmentHeader, err error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, 0, nil, err
	}
	defer f.Close() //nolint:errcheck // only read from
	info, err := f.Stat()
	if err != nil {
		return nil, 0, nil, err
	}
	data = make([]byte, max(info.Size()-from, 0))
	n, err := f.ReadAt(data, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, nil, fmt.Errorf("read segment %s: %w", s.name, err)
	}
	data = data[:n]
	if from > 0 {
		return data, from, nil, nil
	}
	header, size, err := s.header(data)
	if err != nil {
		return nil, 0, nil, err
	}
	return data[size:], size, header, nil
}

func (s segmentFile) header(data []byte) (*segmentHeader, int64, error) {
	damage := func(what string) error { return &DamageError{Segment: s.name, What: what} }
	if !strings.HasPrefix(string(data[:min(len(data), len(segmentMagic))]), segmentMagic) {
		return nil, 0, damage("it does not begin as a segment does")
	}
	f, err := parseFrame(data[len(segmentMagic):])
	if err != nil {
		return nil, 0, damage("its header is " + err.Error())
	}
	var h segmentHeader
	if err := json.Unmarshal(f.payload, &h); err != nil {
		return nil, 0, damage("its header is not readable")
	}
	if h.First != s.first {
		return nil, 0, damage(fmt.Sprintf("it begins with event %d, not with the %d of its name", h.First, s.first))
	}
	return &h, int64(len(segmentMagic) + len(f.raw)), nil
}
