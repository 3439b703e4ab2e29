package recorder

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const testOrigin = "hoop.example/audit/test"

func openTest(t *testing.T, dir string, opts Options) *Log {
	t.Helper()
	if opts.Origin == "" {
		opts.Origin = testOrigin
	}
	l, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil && l.Health() == nil {
			t.Error(err)
		}
	})
	return l
}

func closeTest(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func scanAll(t *testing.T, dir string) []*Event {
	t.Helper()
	var out []*Event
	if err := Scan(dir, 0, func(ev *Event) error { out = append(out, ev); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func mustVerify(t *testing.T, dir string, want uint64) {
	t.Helper()
	r, err := Verify(dir, VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK() || r.Events != want {
		t.Fatalf("verify: %d events, want %d, problems %v", r.Events, want, r.Problems)
	}
}

// appendN adds n small events of one session.
func appendN(t *testing.T, l *Log, session string, n int) {
	t.Helper()
	for i := range n {
		ev := &Event{Type: ActionDecided, Session: session, Action: uint64(i + 1), Text: fmt.Sprintf("select %d", i)}
		if err := l.Append(ev, Written); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEventsComeBackAcrossSegmentsAndReopening(t *testing.T) {
	dir := t.TempDir()
	var want []*Event
	for range 3 {
		l := openTest(t, dir, Options{SegmentBytes: 4096})
		for range 20 {
			ev := sample()
			ev.Action = uint64(len(want))
			if err := l.Append(ev, Durability(len(want)%2)); err != nil {
				t.Fatal(err)
			}
			if ev.Digest == "" || ev.Index != uint64(len(want)) {
				t.Fatalf("Append left index %d and digest %q", ev.Index, ev.Digest)
			}
			ev.Exact = nil
			want = append(want, ev)
		}
		closeTest(t, l)
	}
	if diff := cmp.Diff(want, scanAll(t, dir)); diff != "" {
		t.Error(diff)
	}
	mustVerify(t, dir, 60)
	if segments, _ := listSegments(dir); len(segments) < 10 {
		t.Errorf("%d segments, so that rolling was not tested", len(segments))
	}
}

func TestOrderIsTheSameForLaterAndAppend(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir, Options{SegmentBytes: 64 << 10})
	const writers, each = 16, 100
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				ev := &Event{Type: ActionFinished, Session: fmt.Sprint(w), Action: uint64(i)}
				err := l.Later(ev)
				if i%3 == 0 {
					err = l.Append(&Event{Type: ActionDecided, Session: fmt.Sprint(w), Action: uint64(i)}, Durability(i%2))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	closeTest(t, l)
	next := map[string]uint64{}
	events := scanAll(t, dir)
	for i, ev := range events {
		if ev.Index != uint64(i) {
			t.Fatalf("event %d stands at place %d", ev.Index, i)
		}
		if ev.Type == ActionFinished {
			if ev.Action != next[ev.Session] {
				t.Fatalf("session %s: %d comes where %d is due", ev.Session, ev.Action, next[ev.Session])
			}
			next[ev.Session]++
		}
	}
	if want := writers * (each + 34); len(events) != want {
		t.Errorf("%d events, want %d", len(events), want)
	}
	mustVerify(t, dir, uint64(len(events)))
}

func TestLaterIsWrittenByItself(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir, Options{})
	if err := l.Later(&Event{Type: SessionClosed, Session: "a"}); err != nil {
		t.Fatal(err)
	}
	for l.written.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if got := len(scanAll(t, dir)); got != 1 {
		t.Errorf("%d events in the file of the running log, want 1", got)
	}
}

func TestDigestIsKeyedAndExactIsNotWritten(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir, Options{})
	exact := []byte("insert into cards values ('4111111111111111')")
	ev := &Event{Type: ActionDecided, Text: "insert into cards values ('[masked]')", Exact: exact}
	if err := l.Append(ev, Synced); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(dir, digestKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	m := hmac.New(sha256.New, key)
	m.Write(exact)
	if want := hex.EncodeToString(m.Sum(nil)); ev.Digest != want {
		t.Errorf("digest %s, want %s", ev.Digest, want)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "4111111111111111") {
			t.Errorf("%s holds the exact text", f)
		}
	}
}

func TestFilesBelongToTheOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := openTest(t, dir, Options{})
	appendN(t, l, "s", 3)
	closeTest(t, l)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(files, dir) {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 && filepath.Base(f) != publicKeyFile {
			t.Errorf("%s has mode %v", f, info.Mode())
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Run("a second broker", func(t *testing.T) {
		dir := t.TempDir()
		openTest(t, dir, Options{})
		if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("a second Open: %v", err)
		}
	})
	t.Run("another origin", func(t *testing.T) {
		dir := t.TempDir()
		closeTest(t, openTest(t, dir, Options{}))
		if l, err := Open(dir, Options{Origin: "other.example/log"}); err == nil {
			t.Error("opened", l.Close())
		}
	})
	t.Run("a lost key", func(t *testing.T) {
		dir := t.TempDir()
		closeTest(t, openTest(t, dir, Options{}))
		if err := os.Remove(filepath.Join(dir, signingKeyFile)); err != nil {
			t.Fatal(err)
		}
		if l, err := Open(dir, Options{}); err == nil {
			t.Error("opened", l.Close())
		}
	})
}

func TestOneKeyFileServesANewFolder(t *testing.T) {
	key := filepath.Join(t.TempDir(), "broker.key")
	for range 2 {
		dir := t.TempDir()
		l := openTest(t, dir, Options{Key: key})
		appendN(t, l, "s", 1)
		closeTest(t, l)
		mustVerify(t, dir, 1)
	}
}

func TestOneEventMayBeRefusedWithoutBreakingTheLog(t *testing.T) {
	l := openTest(t, t.TempDir(), Options{})
	for _, ev := range []*Event{
		{Time: time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)},
		{Text: strings.Repeat("x", maxPayload)},
	} {
		if err := l.Append(ev, Written); err == nil {
			t.Error("taken")
		}
	}
	if err := l.Append(&Event{Type: BrokerStarted}, Synced); err != nil {
		t.Error(err)
	}
}

func TestClosedLogRefuses(t *testing.T) {
	l := openTest(t, t.TempDir(), Options{})
	closeTest(t, l)
	if err := l.Append(&Event{}, Written); !errors.Is(err, errClosed) {
		t.Errorf("Append after Close: %v", err)
	}
	if err := l.Later(&Event{}); !errors.Is(err, errClosed) {
		t.Errorf("Later after Close: %v", err)
	}
}

func TestScanOfARunningLog(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir, Options{SegmentBytes: 64 << 10})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := l.Append(sample(), Written); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for range 50 {
		before := l.written.Load()
		from := before - min(before, 100)
		next := from
		err := Scan(dir, from, func(ev *Event) error {
			if ev.Index != next {
				return fmt.Errorf("event %d where %d is due", ev.Index, next)
			}
			next++
			return nil
		})
		if err != nil || next < before {
			t.Fatalf("read the events from %d to %d, %d were written: %v", from, next, before, err)
		}
	}
	close(stop)
	wg.Wait()
}
