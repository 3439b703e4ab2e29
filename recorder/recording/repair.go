package recording

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// tailBytes is where a recording's last line is looked for first.
const tailBytes = 4 << 10

// repair gives each recording that nobody ended its end.
func (s *Store) repair() error {
	marks, err := os.ReadDir(filepath.Join(s.dir, liveDir))
	if err != nil {
		return fmt.Errorf("read the folder of recordings: %w", err)
	}
	var failed error
	for _, m := range marks {
		session, action, ok := parseName(m.Name())
		if !ok {
			continue
		}
		err := s.end(session, action)
		if err == nil {
			err = os.Remove(filepath.Join(s.dir, liveDir, m.Name()))
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("end the recording %s: %w", m.Name(), err))
		}
	}
	return failed
}

// end gives one recording its end where it has none.
func (s *Store) end(session string, action uint64) error {
	path := s.path(session, action)
	ended, err := endLost(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed, or never begun
	}
	if err != nil || !ended {
		return err
	}
	l := Lost{Session: session, Action: action}
	if l.Bytes, l.SHA256, err = digest(path); err != nil {
		return err
	}
	s.lost = append(s.lost, l)
	s.log.Warn("a recording had no end: the broker was killed", "file", fileName(session, action))
	return nil
}

// digest gives the size of a file and its SHA-256.
func digest(path string) (int64, string, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return n, hex.EncodeToString(h.Sum(nil)), err
}

// endLost cuts a torn line off a recording without an end and marks its end. It
// reports whether that was needed.
func endLost(path string) (ended bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	last, whole, err := lastLine(f, info.Size())
	if err != nil || whole == info.Size() && endOf(last) != nil {
		return false, err
	}
	lines, err := firstLine(path, whole, info)
	if err != nil {
		return false, err
	}
	end := Note{End: &End{Reason: "the broker was killed", Lost: true, Cut: info.Size() - whole}}
	lines = appendEvent(lines, 0, CodeMark, []byte("the recording ends here: the broker was killed"))
	lines = appendNote(lines, 0, &end)
	if err := f.Truncate(whole); err != nil {
		return false, err
	}
	if _, err := f.WriteAt(lines, whole); err != nil {
		return false, err
	}
	return true, f.Sync()
}

// firstLine is what a recording lacks that was killed while it was made, so
// that it can be read all the same: nothing was shown yet.
func firstLine(path string, whole int64, info fs.FileInfo) ([]byte, error) {
	session, action, ok := parseName(filepath.Base(path))
	if whole > 0 || !ok {
		return nil, nil
	}
	return encodeHeader(&Meta{Session: session, Action: action, Start: info.ModTime()})
}

// lastLine gives the last whole line of a file, and where it ends.
func lastLine(f io.ReaderAt, size int64) (line []byte, end int64, err error) {
	for n := int64(tailBytes); ; n *= 4 {
		n = min(n, size)
		tail := make([]byte, n)
		if _, err := f.ReadAt(tail, size-n); err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, err
		}
		stop := bytes.LastIndexByte(tail, '\n')
		if stop < 0 && n < size {
			continue
		}
		start := bytes.LastIndexByte(tail[:max(stop, 0)], '\n')
		if start < 0 && n < size {
			continue
		}
		return tail[start+1 : stop+1], size - n + int64(stop+1), nil
	}
}

// endOf reads the last line of a recording; nil where it is another.
func endOf(line []byte) *End {
	ev, err := parseEvent(line)
	if err != nil || ev.Code != CodeNote {
		return nil
	}
	n, err := ev.Note()
	if err != nil {
		return nil
	}
	return n.End
}
