package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// readCause reads until the stream ends and gives the reason.
func readCause(t *testing.T, s *Stream) *CloseError {
	t.Helper()
	_, err := io.Copy(io.Discard, struct{ io.Reader }{s})
	var ce *CloseError
	if !errors.As(err, &ce) {
		t.Fatalf("stream ended with %v, want a reason", err)
	}
	return ce
}

func TestBrokerRestartIsTheReason(t *testing.T) {
	w := newWorld(t, quick, Options{})
	r := w.via(t)
	c, _ := w.open(t)
	old := w.srv
	t.Cleanup(func() { _ = old.Close(context.Background()) })
	w.mu.Lock()
	w.srv = NewServer(Options{})
	w.mu.Unlock()
	r.cut()
	if got := readCause(t, c); got.Code != CloseUnknown || got.Reason != "the broker was restarted; this session is over" {
		t.Errorf("reason = %+v", got)
	}
}

// A stream id alone is worth nothing: its owner resumes, nobody else.
func TestOnlyTheOwnerResumes(t *testing.T) {
	w := newWorld(t, quick, Options{})
	r := w.via(t)
	c, s := w.open(t)
	w.mu.Lock()
	w.owner = "mallory"
	w.mu.Unlock()
	r.cut()
	if got := readCause(t, c); got.Code != CloseUnknown {
		t.Errorf("reason = %+v", got)
	}
	if s.CloseReason() != nil {
		t.Errorf("the attempt ended the owner's stream: %v", s.CloseReason())
	}
}

func TestResumeWindowPasses(t *testing.T) {
	w := newWorld(t, quick, Options{ResumeWindow: 100 * time.Millisecond})
	r := w.via(t)
	c, s := w.open(t)
	r.setDown(true)
	for name, end := range map[string]*Stream{"client": c, "broker": s} {
		if got := readCause(t, end); got.Code != CloseLost || !strings.Contains(got.Reason, "100ms") {
			t.Errorf("%s: reason = %+v", name, got)
		}
	}
	if got := w.srv.Stats(); got.Active != 0 || got.Suspended != 0 {
		t.Errorf("stats = %+v, want nothing left", got)
	}
}

func TestSuspendedStreamsAreCapped(t *testing.T) {
	tune := func(s *settings) { quick(s); s.closeTimeout = 50 * time.Millisecond }
	w := newWorld(t, tune, Options{MaxSuspended: 8})
	r := w.via(t)
	var ends []*Stream
	for range 5 {
		_, s := w.open(t)
		ends = append(ends, s)
	}
	r.setDown(true)
	over := 0
	deadline := time.Now().Add(10 * time.Second)
	for over < 3 && time.Now().Before(deadline) {
		over = 0
		for _, s := range ends {
			_ = s.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, _ = s.Read(make([]byte, 1))
			if ce := s.CloseReason(); ce != nil && ce.Code == CloseLimit {
				over++
			}
		}
	}
	if st := w.srv.Stats(); over != 3 || st.Suspended != 2 {
		t.Errorf("%d streams over the limit, %d suspended; want 3 and 2: a quarter for one owner", over, st.Suspended)
	}
}

// A link on which nothing arrives any more, without any error, is found dead
// and replaced; reading and writing go on.
func TestSilentLinkIsReplaced(t *testing.T) {
	tune := func(s *settings) { quick(s); s.pingEvery = 50 * time.Millisecond }
	w := newWorld(t, tune, Options{})
	hole := newRelay(t, w.addr)
	w.dialer.URL = &url.URL{Scheme: "https", Host: hole.addr()}
	var mu sync.Mutex
	var events []Event
	w.dialer.Notify = func(_ *Stream, e Event, _ error) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
	}
	c, s := w.open(t)
	hole.freeze()
	go func() { _, _ = c.Write([]byte("hello")) }()
	buf := make([]byte, 5)
	if _, err := io.ReadFull(s, buf); err != nil || string(buf) != "hello" {
		t.Errorf("read %q, %v", buf, err)
	}
	_ = c.Close()
	mu.Lock()
	defer mu.Unlock()
	if got := fmt.Sprint(events); got != "[reconnecting resumed closed]" {
		t.Errorf("events = %s", got)
	}
}

// After the clock has jumped, as after a laptop's sleep, the link must prove
// itself at once.
func TestSleepIsNoticed(t *testing.T) {
	w := newWorld(t, nil, Options{})
	r := w.via(t)
	c, s := w.open(t)
	jump := func() (probing bool, cuts uint64) {
		c.mu.Lock()
		c.keep.wall = c.keep.wall.Add(-time.Hour)
		c.keep.heard = false
		c.mu.Unlock()
		c.tick()
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.keep.probing, c.cuts
	}
	if probing, _ := jump(); !probing {
		t.Fatal("the jump was not noticed")
	}
	_ = s.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) // answers the PING
	_, _ = s.Read(make([]byte, 1))
	_ = s.SetReadDeadline(time.Time{})
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) // hears the answer
	_, _ = c.Read(make([]byte, 1))
	_ = c.SetReadDeadline(time.Time{})
	c.tick()
	r.freeze()
	if probing, cuts := jump(); !probing || cuts != 0 {
		t.Fatalf("probing %v, %d cuts: a link that answers was given up", probing, cuts)
	}
	c.tick() // no answer came
	go func() { _, _ = c.Write([]byte("awake")) }()
	buf := make([]byte, 5)
	if _, err := io.ReadFull(s, buf); err != nil || string(buf) != "awake" {
		t.Errorf("read %q, %v", buf, err)
	}
}

// An application that reads nothing for a long time keeps its link, because
// the keep-alive answers for it.
func TestSlowReaderStaysAlive(t *testing.T) {
	tune := func(s *settings) { quick(s); s.pingEvery = 20 * time.Millisecond }
	w := newWorld(t, tune, Options{})
	c, s := w.open(t)
	go func() { _, _ = c.Write(make([]byte, 3<<20)); _ = c.CloseWrite() }()
	time.Sleep(500 * time.Millisecond)
	if n, err := io.Copy(io.Discard, struct{ io.Reader }{s}); n != 3<<20 || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
	if got := w.srv.Stats().Resumed; got > 2 {
		t.Errorf("the link was given up %d times", got)
	}
}

func TestAuthorizeRetryAndRefusal(t *testing.T) {
	w := newWorld(t, nil, Options{})
	tries := 0
	w.dialer.Authorize = func(_ context.Context, req *http.Request, exporter []byte) error {
		tries++
		if len(exporter) != 32 {
			t.Errorf("exporter of %d bytes", len(exporter))
		}
		req.Header.Set("Authorization", "test")
		return nil
	}
	w.dialer.Retry = func(resp *http.Response) bool { return resp.StatusCode == http.StatusNotFound }
	_, err := w.dialer.Open(t.Context(), "v1/nothing", nil)
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Status != http.StatusNotFound || tries != 2 {
		t.Errorf("open: %v after %d tries, want 404 after 2", err, tries)
	}
	req, _ := http.NewRequest(http.MethodPost, "v1/echo", strings.NewReader("over and over"))
	resp, err := w.dialer.Do(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); string(b) != "over and over" || err != nil {
		t.Errorf("echo: %q, %v", b, err)
	}
	resp, err = w.dialer.Do(t.Context(), &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "v1/open"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("open without upgrade: %d", resp.StatusCode)
	}
}
