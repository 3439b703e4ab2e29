package enginetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hoop/broker"
	"hoop/broker/approval"
	"hoop/broker/store"
	"hoop/policy"
	"hoop/recorder"
	"hoop/recorder/recording"
)

// connection is the name of the only connection there is.
const connection = "the-target"

// patience is how long the suite waits for what must come. It is no measure:
// what works takes a small part of it.
const patience = 20 * time.Second

// stage is a broker with everything around it, for one case.
type stage struct {
	t         *testing.T
	world     *suite
	engine    broker.Engine
	broker    *broker.Broker
	desk      *approval.Desk
	log       *recorder.Log
	rec       *watched
	wire      *wire
	casts     string // folder of the recordings
	store     *store.Store
	handshake time.Duration

	engineLog transcript
	seen      transcript // by all clients

	mu     sync.Mutex
	secret func() (*broker.Secret, error)
	conn   *broker.Connection
	serves sync.WaitGroup
}

// newStage makes a broker under some rules. When the case ends, what the
// sessions left is checked: see check.
func newStage(t *testing.T, w *suite, doc policy.Document) *stage {
	t.Helper()
	return newHurriedStage(t, w, doc, patience)
}

// newHurriedStage makes one whose engine waits only so long for a handshake.
func newHurriedStage(t *testing.T, w *suite, doc policy.Document, handshake time.Duration) *stage {
	t.Helper()
	s := &stage{t: t, world: w, handshake: handshake, wire: newWire(t, &w.Target.Where)}
	s.secret = func() (*broker.Secret, error) { sec := w.Target.Secret; return &sec, nil }
	s.open(t.TempDir())
	where := w.Target.Where
	where.Host, where.Port, where.Socket = s.wire.address()
	s.conn = &broker.Connection{Connection: policy.Connection{Name: connection, Protocol: w.Protocol}, Target: where, Credential: "held"}
	s.reload(doc)
	t.Cleanup(s.close)
	return s
}

func (s *stage) open(dir string) {
	s.t.Helper()
	var err error
	if s.log, err = recorder.Open(dir+"/audit", recorder.Options{}); err != nil {
		s.t.Fatal(err)
	}
	s.rec = &watched{inner: s.log}
	s.casts = dir + "/recordings"
	casts, err := recording.Open(s.casts, recording.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	st, err := store.Open(dir+"/state", store.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.store = st
	logger := slog.New(slog.NewTextHandler(&s.engineLog, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.engine = s.world.Engine(Options{Logger: logger, Handshake: s.handshake})
	s.desk, err = approval.New(s.t.Context(), approval.Config{State: st, Recorder: s.rec, Log: logger,
		Policy: func() *policy.Policy { return s.broker.Policy() }})
	if err != nil {
		s.t.Fatal(err)
	}
	s.broker = broker.New(broker.Options{
		Engines: map[string]broker.Engine{s.world.Protocol: s.engine}, Recorder: s.rec, Approvals: s.desk, Logger: logger,
		Secret:     func(context.Context, string) (*broker.Secret, error) { return s.fetch() },
		Recordings: casts, MaskKey: bytes.Repeat([]byte{7}, 32),
	})
}

func (s *stage) fetch() (*broker.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secret()
}

// give has the credential come from f.
func (s *stage) give(f func() (*broker.Secret, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secret = f
}

// reload puts rules in force, and the connection as it is.
func (s *stage) reload(doc policy.Document) {
	s.t.Helper()
	p, err := policy.Compile([]policy.Document{doc})
	if err != nil {
		s.t.Fatal(err)
	}
	patterns, err := broker.DetectorPatterns(p)
	if err != nil {
		s.t.Fatal(err)
	}
	s.broker.Reload(&broker.State{Connections: map[string]*broker.Connection{connection: s.conn}, Policy: p, Patterns: patterns})
}

// close ends every session and checks what is left of them.
func (s *stage) close() {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	s.broker.Drain(over)
	s.serves.Wait()
	s.desk.Close()
	s.wire.close()
	err := errors.Join(s.log.Close(), s.store.Close())
	if err != nil && !s.rec.broken() {
		s.t.Error(err)
	}
	s.check()
}

// recorded is what all recordings hold, one after the other.
func (s *stage) recorded() string {
	s.t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(s.casts, func(path string, f fs.DirEntry, err error) error {
		if err != nil || f.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Error(err)
	}
	return all.String()
}

// until waits for something that must come.
func (s *stage) until(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	s.t.Fatalf("it never came that %s", what)
}

// ran gives what the target executed with a mark in it.
func (s *stage) ran(mark string) []string {
	s.t.Helper()
	texts, err := s.world.Target.Log.Ran(mark)
	if err != nil {
		s.t.Error(err)
	}
	return texts
}

// notYet wants the target to have nothing with a mark so far.
func (s *stage) notYet(text, mark string) {
	s.t.Helper()
	if len(s.ran(mark)) > 0 {
		s.t.Errorf("the target ran %q too early", text)
	}
}

// never wants it to have nothing, now or at the end of the suite.
func (s *stage) never(text, mark string) {
	s.t.Helper()
	if len(s.ran(mark)) > 0 {
		s.t.Errorf("the target ran %q", text)
		return
	}
	s.world.forbidden = append(s.world.forbidden, action{text, mark})
}

// events are those on file so far.
func (s *stage) events() []recorder.Event {
	s.t.Helper()
	var all []recorder.Event
	err := recorder.Scan(s.log.Dir(), 0, func(ev *recorder.Event) error { all = append(all, *ev); return nil })
	if err != nil {
		s.t.Error(err)
	}
	return all
}

// decided gives the decisions on file whose text has the mark.
func (s *stage) decided(mark string) []recorder.Event {
	s.t.Helper()
	var out []recorder.Event
	for _, ev := range s.events() {
		if ev.Type == recorder.ActionDecided && strings.Contains(ev.Text, mark) {
			out = append(out, ev)
		}
	}
	return out
}

// newMark makes a mark that no text had before.
func newMark(kind string) string { return kind + "-" + strings.ToLower(rand.Text()[:10]) }

// transcript collects text.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// tcpPair gives both ends of a TCP connection.
func tcpPair() (near, far net.Conn, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		return nil, nil, err
	}
	if far, err = l.Accept(); err != nil {
		_ = near.Close()
		return nil, nil, err
	}
	return near, far, nil
}
