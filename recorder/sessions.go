package recorder

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrNoSession is returned where the log knows no such session.
var ErrNoSession = errors.New("no such session in the audit log")

// Filter selects sessions. What is zero selects all.
type Filter struct {
	Principal  string // ID, name or e-mail address
	Connection string
	Since      time.Time // opened or still active since then
	Limit      int       // the newest so many
	Live       bool      // only those that run
}

// keptFolds is for how many sealed segments a reader keeps in memory what it
// read; the rest is read again from the files beside them.
const keptFolds = 32

// Reader answers questions about the sessions of a log, also while a broker
// writes it. It keeps what it has read: the next question reads only what came
// since. Its methods may be called from several goroutines.
type Reader struct {
	dir string

	mu     sync.Mutex
	sealed map[uint64]*fold // by first index of the segment
	live   fold             // the segment that is being written
	cursor cursor
}

// NewReader makes a reader of the log in dir. It reads nothing yet.
func NewReader(dir string) *Reader {
	return &Reader{dir: dir, sealed: map[uint64]*fold{}}
}

// Sessions lists the sessions that f selects, newest first.
func Sessions(dir string, f Filter) ([]SessionInfo, error) { return NewReader(dir).Sessions(f) }

// Session finds the session with an id, or the only one whose id begins with
// it, and its statements in order.
func Session(dir, id string) (*SessionInfo, []Statement, error) { return NewReader(dir).Session(id) }

// Sessions lists the sessions that f selects, newest first.
func (r *Reader) Sessions(f Filter) ([]SessionInfo, error) {
	var out []SessionInfo
	err := r.newest(f.Live, func(s *SessionInfo) bool {
		if f.matches(s) {
			out = append(out, *s)
		}
		return f.Limit > 0 && len(out) >= f.Limit
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (f *Filter) matches(s *SessionInfo) bool {
	if f.Live && s.State != StateLive || f.Connection != "" && s.Connection != f.Connection {
		return false
	}
	if !f.Since.IsZero() && s.State != StateLive && s.Last.Before(f.Since) {
		return false
	}
	p := s.Principal
	return f.Principal == "" || p != nil && (p.ID == f.Principal || p.Name == f.Principal || p.Email == f.Principal)
}

// newest calls fn with each session, newest first, until fn says enough. It
// reads segments from the last to the first: what a session did later is known
// before its begin is met.
// What began before the broker last started is not live.
func (r *Reader) newest(live bool, fn func(*SessionInfo) (enough bool)) error {
	segments, err := r.refresh()
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var started uint64
	later := map[string]*SessionInfo{}
	for _, s := range slices.Backward(segments) {
		d, err := r.fold(s)
		if err != nil {
			return err
		}
		started = max(started, d.Started)
		for _, info := range begun(d, later, started) {
			if fn(info) {
				return nil
			}
		}
		if live && s.first < started {
			return nil
		}
	}
	return nil
}

// begun gives the sessions that begin within d, whole, newest first, and keeps
// the rest in later.
func begun(d *fold, later map[string]*SessionInfo, started uint64) []*SessionInfo {
	var out []*SessionInfo
	for id, part := range d.Sessions {
		whole := *part
		if l := later[id]; l != nil {
			whole.merge(l)
		}
		if whole.Opened.IsZero() {
			later[id] = &whole
			continue
		}
		delete(later, id)
		if whole.State == "" {
			whole.State = StateLive
			if whole.FirstIndex < started {
				whole.State = StateLost
			}
		}
		out = append(out, &whole)
	}
	slices.SortFunc(out, func(a, b *SessionInfo) int { return cmp.Compare(b.FirstIndex, a.FirstIndex) })
	return out
}

// counted is a segment and how many events it holds; live where that grows.
type counted struct {
	segmentFile
	count uint64
	live  bool
}

// refresh reads what the log has got since the last question.
func (r *Reader) refresh() ([]counted, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	files, err := listSegments(r.dir)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	out := make([]counted, len(files))
	for i, s := range files {
		out[i] = counted{segmentFile: s, live: i == len(files)-1}
		if !out[i].live {
			out[i].count = files[i+1].first - s.first
		}
	}
	tail := files[len(files)-1]
	if r.cursor.dir == "" || r.cursor.first != tail.first {
		r.cursor = cursor{dir: r.dir, next: tail.first}
		r.live = fold{Sessions: map[string]*SessionInfo{}}
	}
	return out, r.cursor.segment(tail, true, r.live.add)
}

func (r *Reader) fold(s counted) (*fold, error) {
	if s.live {
		return &r.live, nil
	}
	if d := r.sealed[s.first]; d != nil {
		return d, nil
	}
	d, err := loadFold(s.segmentFile, s.count)
	if err != nil {
		return nil, err
	}
	if len(r.sealed) >= keptFolds {
		clear(r.sealed)
	}
	r.sealed[s.first] = d
	return d, nil
}

// Session finds the session with an id, or the only one whose id begins with
// it, and its statements in order. ErrNoSession where there is none.
func (r *Reader) Session(id string) (*SessionInfo, []Statement, error) {
	info, err := r.find(id)
	if err != nil {
		return nil, nil, err
	}
	statements, err := r.statements(info)
	for i := range statements {
		if s := &statements[i]; s.Outcome == "" && info.State != StateLive {
			s.Outcome = "lost"
		}
	}
	return info, statements, err
}

func (r *Reader) find(id string) (*SessionInfo, error) {
	var found []SessionInfo
	err := r.newest(false, func(s *SessionInfo) bool {
		if s.ID == id {
			found = []SessionInfo{*s}
			return true
		}
		if id != "" && strings.HasPrefix(s.ID, id) {
			found = append(found, *s)
		}
		return false
	})
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, fmt.Errorf("%w: %s", ErrNoSession, id)
	case len(found) > 1:
		return nil, fmt.Errorf("%d sessions begin with %s: %s, %s …", len(found), id, found[0].ID, found[1].ID)
	}
	return &found[0], nil
}
