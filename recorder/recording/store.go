package recording

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrNotFound is returned where there is no such recording.
var ErrNotFound = errors.New("no such recording")

const suffix = ".cast"

// liveDir holds an empty file for each recording that has no end yet, so that
// Open need not look at all the others.
const liveDir = "live"

// Options of a store. The zero value works.
type Options struct {
	Logger *slog.Logger
	Now    func() time.Time
}

// Store is a folder of recordings, written by one broker. Its methods may be
// called from several goroutines.
type Store struct {
	dir string
	now func() time.Time
	log *slog.Logger

	lost []Lost
}

// Open makes the folder where it is missing and gives recordings that nobody
// ended an end. No other store may have it open.
func Open(dir string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(filepath.Join(dir, liveDir), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of recordings: %w", err)
	}
	s := &Store{dir: dir, now: o.Now, log: o.Logger}
	if err := s.repair(); err != nil {
		return nil, err
	}
	return s, nil
}

// Lost is a recording that had no end when the store was opened: the broker
// was killed. It has one now.
type Lost struct {
	Session string
	Action  uint64
	Bytes   int64  // of the file, with its end
	SHA256  string // of the file, in hexadecimal
}

// Lost tells which recordings had no end.
func (s *Store) Lost() []Lost { return s.lost }

// sessionRE is what a file name may be made of.
var sessionRE = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func fileName(session string, action uint64) string {
	return session + "." + strconv.FormatUint(action, 10) + suffix
}

// parseName is the opposite of fileName.
func parseName(name string) (session string, action uint64, ok bool) {
	stem, isCast := strings.CutSuffix(name, suffix)
	session, number, _ := strings.Cut(stem, ".")
	action, err := strconv.ParseUint(number, 10, 64)
	return session, action, isCast && err == nil && fileName(session, action) == name && sessionRE.MatchString(session)
}

// Create begins a recording. It is in the folder, described, when Create
// returns. Start is now where it is zero.
func (s *Store) Create(m Meta, h Hooks) (*Writer, error) {
	if !sessionRE.MatchString(m.Session) {
		return nil, fmt.Errorf("record session %q: that is no name for a file", m.Session)
	}
	if m.Start.IsZero() {
		m.Start = s.now()
	}
	mark := filepath.Join(s.dir, liveDir, m.Name())
	f, err := makeFiles(filepath.Join(s.dir, m.Name()), mark)
	if err != nil {
		return nil, fmt.Errorf("make the recording: %w", err)
	}
	w, err := newWriter(f, m, h, s.now)
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()), os.Remove(mark))
	}
	w.mark = mark
	return w, nil
}

// makeFiles makes the recording's file, and before it the mark that it has no
// end.
func makeFiles(path, mark string) (*os.File, error) {
	const fresh = os.O_CREATE | os.O_EXCL | os.O_WRONLY
	if _, err := os.Lstat(path); err == nil { // another's mark is left alone
		return nil, &fs.PathError{Op: "make", Path: path, Err: fs.ErrExist}
	}
	m, err := os.OpenFile(mark, fresh, 0o600)
	if err != nil {
		return nil, err
	}
	if err := m.Close(); err != nil {
		return nil, errors.Join(err, os.Remove(mark))
	}
	f, err := os.OpenFile(path, fresh|os.O_APPEND, 0o600)
	if err != nil {
		return nil, errors.Join(err, os.Remove(mark))
	}
	return f, nil
}

// Entry is one recording of a store.
type Entry struct {
	Session string
	Action  uint64
	Bytes   int64
	Changed time.Time
}

// List gives all recordings, by session and action.
func (s *Store) List() ([]Entry, error) {
	return s.list(func(string) bool { return true })
}

// Find gives the recordings of a session, by action; none is no error.
func (s *Store) Find(session string) ([]Entry, error) {
	if !sessionRE.MatchString(session) {
		return nil, nil
	}
	return s.list(func(of string) bool { return of == session })
}

func (s *Store) list(want func(session string) bool) ([]Entry, error) {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list the recordings: %w", err)
	}
	var out []Entry
	for _, f := range files {
		session, action, ok := parseName(f.Name())
		if !ok || !want(session) {
			continue
		}
		info, err := f.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("list the recordings: %w", err)
		}
		out = append(out, Entry{Session: session, Action: action, Bytes: info.Size(), Changed: info.ModTime()})
	}
	slices.SortFunc(out, func(a, b Entry) int {
		if c := strings.Compare(a.Session, b.Session); c != 0 {
			return c
		}
		return cmp.Compare(a.Action, b.Action)
	})
	return out, nil
}

// Open opens a recording for reading, also while it is written. ErrNotFound
// where there is none.
func (s *Store) Open(session string, action uint64) (*os.File, error) {
	f, err := os.Open(s.path(session, action))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, fileName(session, action))
	}
	if err != nil {
		return nil, fmt.Errorf("open the recording: %w", err)
	}
	return f, nil
}

// Remove deletes a recording for good. That it was there stays in the audit
// log. ErrNotFound where there is none.
func (s *Store) Remove(session string, action uint64) error {
	err := os.Remove(s.path(session, action))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrNotFound, fileName(session, action))
	}
	if err != nil {
		return fmt.Errorf("remove the recording: %w", err)
	}
	return nil
}

// path names a recording's file. A name that leads elsewhere finds nothing.
func (s *Store) path(session string, action uint64) string {
	if !sessionRE.MatchString(session) {
		session = "-"
	}
	return filepath.Join(s.dir, fileName(session, action))
}
