package tunnel

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	mrand "math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

var _ net.Conn = (*Stream)(nil)

func TestStreamCarriesBothWays(t *testing.T) {
	w := newWorld(t, nil, Options{})
	c, s := w.open(t)
	if got := c.Header().Get("Hoop-Session"); got != "s1" {
		t.Errorf("Hoop-Session = %q, want s1", got)
	}
	exchangeBoth(t, c, s, 8<<20, 200<<10)
	if got := w.srv.Stats(); got.Active != 1 || got.BytesIn != 8<<20 || got.BytesOut != 8<<20 {
		t.Errorf("stats = %+v, want 1 active and 8 MiB each way", got)
	}
}

// exchangeBoth sends total random bytes in each direction, in pieces of up to
// piece bytes, and fails unless each end reads what the other wrote.
func exchangeBoth(t testing.TB, c, s *Stream, total, piece int) {
	t.Helper()
	var wg sync.WaitGroup
	sums := make([][]byte, 4)
	send := func(i int, to *Stream) {
		h := sha256.New()
		if err := sendRandom(to, h, total, piece); err != nil {
			t.Errorf("send %d: %v", i, err)
		}
		sums[i] = h.Sum(nil)
	}
	receive := func(i int, from *Stream) {
		h := sha256.New()
		buf := make([]byte, 1+mrand.IntN(2*piece))
		n, err := io.CopyBuffer(h, struct{ io.Reader }{from}, buf)
		if err != nil || n != int64(total) {
			t.Errorf("receive %d: %d bytes of %d, %v", i, n, total, err)
		}
		sums[i] = h.Sum(nil)
	}
	wg.Go(func() { send(0, c) })
	wg.Go(func() { receive(1, s) })
	wg.Go(func() { send(2, s) })
	wg.Go(func() { receive(3, c) })
	wg.Wait()
	if string(sums[0]) != string(sums[1]) || string(sums[2]) != string(sums[3]) {
		t.Error("what was read is not what was written")
	}
}

func sendRandom(to *Stream, h hash.Hash, total, piece int) error {
	buf := make([]byte, piece)
	_, _ = rand.Read(buf)
	for total > 0 {
		n := min(total, 1+mrand.IntN(piece))
		off := mrand.IntN(piece - n + 1)
		h.Write(buf[off : off+n])
		if _, err := to.Write(buf[off : off+n]); err != nil {
			return err
		}
		total -= n
	}
	return to.CloseWrite()
}

// The connection is cut hundreds of times at random offsets, also within the
// handshake, the upgrade, frame headers and retransmissions: no byte is lost
// or doubled.
func TestStreamSurvivesCuts(t *testing.T) {
	w := newWorld(t, quick, Options{})
	r := w.via(t)
	c, s := w.open(t)
	r.budget = func() int { return 6000 + mrand.IntN(1+mrand.IntN(300<<10)) }
	r.cut()
	exchangeBoth(t, c, s, 5<<20, 100<<10)
	r.budget = nil
	if got := w.srv.Stats().Resumed; got < 50 {
		t.Errorf("resumed %d times: the cuts did not happen", got)
	}
	if err := c.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// With nobody reading at first, both sides' windows fill and both writers look
// for acknowledgements themselves.
func TestWritersThatDoNotRead(t *testing.T) {
	w := newWorld(t, quick, Options{})
	c, s := w.open(t)
	const total = 3 << 20 // less than the window: a Write needs no reader
	for _, end := range []*Stream{c, s} {
		if n, err := end.Write(make([]byte, total)); n != total || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
	}
	for _, end := range []*Stream{c, s} {
		if n, err := io.ReadFull(end, make([]byte, total)); n != total || err != nil {
			t.Fatalf("read: %d, %v", n, err)
		}
	}
}

func TestWindowBlocksAndDeadlineWakes(t *testing.T) {
	w := newWorld(t, quick, Options{})
	c, s := w.open(t)
	_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	n, err := c.Write(make([]byte, 2*window))
	if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n > window {
		t.Fatalf("write beyond the window: %d, %v", n, err)
	}
	_ = c.SetWriteDeadline(time.Time{})
	go func() {
		_, _ = c.Write([]byte("!"))
		_ = c.CloseWrite()
	}()
	got, err := io.ReadAll(s)
	if err != nil || len(got) != n+1 || got[n] != '!' {
		t.Errorf("read %d bytes, want %d: %v", len(got), n+1, err)
	}
}

func TestReadDeadlineWakesAndLosesNothing(t *testing.T) {
	w := newWorld(t, quick, Options{})
	c, s := w.open(t)
	woken := make(chan error)
	go func() {
		_, err := s.Read(make([]byte, 10))
		woken <- err
	}()
	_ = s.SetReadDeadline(time.Unix(1, 0))
	if err := <-woken; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("idle read: %v, want a deadline error", err)
	}
	go func() { _, _ = c.Write(make([]byte, 1<<20)); _ = c.CloseWrite() }()
	total, timeouts := 0, 0
	for buf := make([]byte, 3000); ; {
		_ = s.SetReadDeadline(time.Now().Add(time.Duration(mrand.IntN(100)) * time.Microsecond))
		n, err := s.Read(buf)
		total += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			timeouts++
			continue
		}
		if err != nil {
			if err != io.EOF || total != 1<<20 {
				t.Errorf("%d bytes, then %v", total, err)
			}
			return
		}
	}
}

func TestCloseReasonTravels(t *testing.T) {
	w := newWorld(t, quick, Options{})
	c, s := w.open(t)
	_, _ = c.Write(make([]byte, 100<<10)) // never read: must not reset the connection
	_, _ = s.Write([]byte("last words"))
	closed := make(chan error, 1)
	go func() { closed <- s.CloseBecause(CloseRevoked, "revoked by bob: \x1b[31mred\n") }()
	got, err := io.ReadAll(c)
	var ce *CloseError
	if string(got) != "last words" || !errors.As(err, &ce) {
		t.Fatalf("read %q, %v", got, err)
	}
	if ce.Code != CloseRevoked || ce.Reason != "revoked by bob:  [31mred " {
		t.Errorf("reason = %+v", ce)
	}
	if err := <-closed; err != nil {
		t.Errorf("close: %v", err)
	}
	if _, err := c.Write([]byte("x")); !errors.As(err, &ce) {
		t.Errorf("write after the end: %v", err)
	}
	if r := s.CloseReason(); r == nil || r.Code != CloseRevoked {
		t.Errorf("own reason = %+v", r)
	}
}

func TestCloseWakesReadersAndWriters(t *testing.T) {
	w := newWorld(t, quick, Options{})
	c, _ := w.open(t)
	errs := make(chan error, 2)
	go func() { _, err := c.Read(make([]byte, 1)); errs <- err }()
	go func() { _, err := c.Write(make([]byte, 2*window)); errs <- err }()
	time.Sleep(20 * time.Millisecond)
	_ = c.Close()
	for range 2 {
		if err := <-errs; !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v, want net.ErrClosed", err)
		}
	}
}

// The broker ends a session while its client is cut off: the client resumes,
// reads the last bytes and the reason.
func TestCloseWhileSuspended(t *testing.T) {
	w := newWorld(t, quick, Options{})
	r := w.via(t)
	c, s := w.open(t)
	r.setDown(true)
	for w.srv.Stats().Suspended == 0 {
		_, _ = s.Write([]byte("x")) // lets the broker notice
		time.Sleep(time.Millisecond)
	}
	_, _ = s.Write([]byte("last words"))
	if err := s.CloseBecause(CloseRevoked, "revoked by bob"); err != nil {
		t.Fatal(err)
	}
	r.setDown(false)
	got, err := io.ReadAll(c)
	var ce *CloseError
	if !strings.HasSuffix(string(got), "last words") || !errors.As(err, &ce) || ce.Reason != "revoked by bob" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestServerCloseTellsClients(t *testing.T) {
	w := newWorld(t, quick, Options{})
	c, _ := w.open(t)
	got := make(chan error)
	go func() { _, err := c.Read(make([]byte, 1)); got <- err }()
	if err := w.srv.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	var ce *CloseError
	if err := <-got; !errors.As(err, &ce) || ce.Code != CloseShutdown {
		t.Errorf("client got %v", err)
	}
	var refused *RefusedError
	if _, err := w.dialer.Open(t.Context(), "v1/open", nil); !errors.As(err, &refused) || refused.Status != 503 {
		t.Errorf("open after close: %v", err)
	}
}
