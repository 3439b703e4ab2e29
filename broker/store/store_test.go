package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clock is a time that tests move.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

func open(t *testing.T, dir string, c *clock) *Store {
	t.Helper()
	s, err := Open(dir, Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestValueSurvivesReopen(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	s := open(t, dir, c)
	if err := s.Put(t.Context(), "logins", "a", []byte("one"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, c)
	got, err := s.Get(t.Context(), "logins", "a")
	if err != nil || string(got) != "one" {
		t.Fatalf("got %q, %v", got, err)
	}
	if err := s.Delete(t.Context(), "logins", "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "logins", "a"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("after Delete: %v", err)
	}
}

func TestAbsentIsNotFound(t *testing.T) {
	s := open(t, t.TempDir(), newClock())
	if _, err := s.Get(t.Context(), "nothing", "here"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("got %v", err)
	}
	if err := s.Delete(t.Context(), "nothing", "here"); err != nil {
		t.Fatalf("deleting what is absent: %v", err)
	}
}

func TestValueEnds(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c)
	if err := s.Put(t.Context(), "b", "k", []byte("v"), c.now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	c.advance(time.Minute - 1)
	if _, err := s.Get(t.Context(), "b", "k"); err != nil {
		t.Fatalf("a nanosecond before its end: %v", err)
	}
	c.advance(1)
	if _, err := s.Get(t.Context(), "b", "k"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("at its end: %v", err)
	}
	seen := 0
	if err := s.ForEach(t.Context(), "b", func(string, []byte) error { seen++; return nil }); err != nil || seen != 0 {
		t.Fatalf("ForEach shows %d ended values, %v", seen, err)
	}
}

func TestOnceIsTrueForExactlyOneOfMany(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c)
	var first atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			ok, err := s.Once(t.Context(), "tokens", "k", c.now().Add(time.Minute))
			if err != nil {
				t.Error(err)
			}
			if ok {
				first.Add(1)
			}
		})
	}
	wg.Wait()
	if first.Load() != 1 {
		t.Fatalf("%d callers were first", first.Load())
	}
}

func TestOnceRemembersAcrossARestart(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	s := open(t, dir, c)
	until := c.now().Add(time.Minute)
	if ok, err := s.Once(t.Context(), "tokens", "k", until); !ok || err != nil {
		t.Fatalf("first: %v, %v", ok, err)
	}
	_ = s.Close()
	s = open(t, dir, c)
	if ok, err := s.Once(t.Context(), "tokens", "k", until); ok || err != nil {
		t.Fatalf("second: %v, %v", ok, err)
	}
}

func TestOnceRefusesWhatItCouldNotRemember(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c)
	if ok, err := s.Once(t.Context(), "tokens", "k", c.now()); ok || err == nil {
		t.Fatalf("an end that has passed gave %v, %v", ok, err)
	}
	if ok, err := s.Once(t.Context(), "tokens", "k", time.Time{}); ok || err == nil {
		t.Fatalf("no end gave %v, %v", ok, err)
	}
}

func TestBrokenStoreIsNeverFirst(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c)
	_ = s.Close()
	if ok, err := s.Once(t.Context(), "tokens", "k", c.now().Add(time.Minute)); ok || err == nil {
		t.Fatalf("a closed store gave %v, %v", ok, err)
	}
	if _, err := s.Get(t.Context(), "b", "k"); err == nil || errors.Is(err, ErrNotFound) {
		t.Fatalf("a closed store must not look like an empty one: %v", err)
	}
}

func TestCancelledContextDoesNothing(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, "b", "k", nil, time.Time{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if _, err := s.Get(t.Context(), "b", "k"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("it was written all the same: %v", err)
	}
}

func TestSecondBrokerIsRefused(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	open(t, dir, c)
	_, err := Open(dir, Options{})
	if !errors.Is(err, ErrLocked) {
		t.Fatalf("got %v", err)
	}
}

func TestFileIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := open(t, dir, newClock())
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, file): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %04o, want %04o", path, got, want)
		}
	}
	_ = s.Close()
	if err := os.Chmod(filepath.Join(dir, file), 0o644); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(dir, Options{}); err == nil {
		_ = s.Close()
		t.Fatal("opened a state file that others may read")
	}
}

func TestForEachStopsAtAnError(t *testing.T) {
	s := open(t, t.TempDir(), newClock())
	for _, k := range []string{"b", "a", "c"} {
		if err := s.Put(t.Context(), "x", k, []byte(k+k), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	stop := errors.New("enough")
	var got []string
	err := s.ForEach(t.Context(), "x", func(k string, v []byte) error {
		got = append(got, k+"="+string(v))
		if k == "b" {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff([]string{"a=aa", "b=bb"}, got); diff != "" {
		t.Fatal(diff)
	}
}

func TestSweepRemovesOnlyWhatHasEnded(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c)
	for i := range 30 {
		until := time.Time{}
		if i%3 != 0 {
			until = c.now().Add(time.Minute)
		}
		if err := s.Put(t.Context(), "b", fmt.Sprintf("%02d", i), nil, until); err != nil {
			t.Fatal(err)
		}
	}
	c.advance(time.Minute)
	if n, err := s.Sweep(t.Context()); n != 20 || err != nil {
		t.Fatalf("swept %d, %v", n, err)
	}
	left := 0
	if err := s.ForEach(t.Context(), "b", func(string, []byte) error { left++; return nil }); err != nil || left != 10 {
		t.Fatalf("%d are left, %v", left, err)
	}
}

func TestJanitorSweepsAndEnds(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c)
	if err := s.Put(t.Context(), "b", "k", nil, c.now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	c.advance(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		s.Janitor(ctx, time.Millisecond, slog.New(slog.NewTextHandler(io.Discard, nil)))
		close(done)
	}()
	c2 := &Store{db: s.db, now: func() time.Time { return time.Unix(0, 1) }} // sees what has ended
	for {
		if _, err := c2.Get(t.Context(), "b", "k"); errors.Is(err, ErrNotFound) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-done
}
