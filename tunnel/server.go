package tunnel

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a Server. The zero value is ready for use.
type Options struct {
	// ResumeWindow is how long a stream waits for its client; 2 minutes if zero.
	ResumeWindow time.Duration
	// MaxSuspended is how many streams may wait at the same time, 1024 if zero;
	// one owner may have a quarter of them.
	MaxSuspended int
	// MaxSuspendedBytes is what they may hold in memory together, 256 MiB if zero.
	MaxSuspendedBytes int64
	Logger            *slog.Logger
}

// Stats are the counters of a Server or Dialer.
type Stats struct {
	Active    int    // streams that are not over, suspended ones included
	Suspended int    // streams without network connection
	Resumed   uint64 // times that a stream got one back
	BytesIn   uint64 // payload received
	BytesOut  uint64 // payload sent, each byte once
}

type counters struct {
	in, out, resumed atomic.Uint64
}

// Server is the broker's end of all streams.
type Server struct {
	set      *settings
	opts     Options
	instance string

	mu        sync.Mutex // taken with a stream's lock held, never the other way round
	closed    bool
	streams   map[digest]*served
	suspended map[string]int // how many, by owner
	waiting   int            // how many, all owners
	bytes     int64          // what the suspended hold
	ended     tombstones
}

type digest = [sha256.Size]byte

// served is one stream, as the endpoint of which the server acts.
type served struct {
	srv   *Server
	s     *Stream
	key   digest
	owner string
	timer *time.Timer // runs while suspended
	bytes int64       // counted while suspended
}

// NewServer makes a Server. Close ends it.
func NewServer(o Options) *Server {
	if o.MaxSuspended == 0 {
		o.MaxSuspended = 1024
	}
	if o.MaxSuspendedBytes == 0 {
		o.MaxSuspendedBytes = 256 << 20
	}
	return &Server{
		set: newSettings(o.ResumeWindow, o.Logger), opts: o, instance: random(8),
		streams: map[digest]*served{}, suspended: map[string]int{}, ended: tombstones{at: map[digest]tombstone{}},
	}
}

// random gives n random bytes in hexadecimal; crypto/rand never fails.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// Accept turns an authorised request into a stream. Only the same owner may
// resume it. The headers set on w go into the answer. An *HTTPError means that
// the caller still has to answer. After Accept the handler should return and
// leave the stream to another goroutine, so that the HTTP server's buffers are
// freed.
func (srv *Server) Accept(w http.ResponseWriter, r *http.Request, owner string) (*Stream, error) {
	if err := wantsUpgrade(r); err != nil {
		return nil, err
	}
	id := srv.instance + "." + random(16)
	header := w.Header().Clone()
	header.Set(headerStream, id)
	srv.mu.Lock()
	closed := srv.closed
	srv.mu.Unlock()
	if closed {
		return nil, srv.shuttingDown()
	}
	l, err := hijack(w, header, &srv.set.pool)
	if err != nil {
		return nil, err
	}
	e := &served{srv: srv, key: sha256.Sum256([]byte(id)), owner: owner}
	e.s = newStream(id, srv.set, e, l)
	srv.mu.Lock()
	srv.streams[e.key] = e
	closed = srv.closed
	srv.mu.Unlock()
	if closed {
		_ = e.s.CloseBecause(CloseShutdown, srv.shuttingDown().Reason)
		return nil, fmt.Errorf("accept a stream: %w", http.ErrServerClosed)
	}
	return e.s, nil
}

func (srv *Server) shuttingDown() *HTTPError {
	return &HTTPError{http.StatusServiceUnavailable, "the broker is shutting down"}
}

// Resume gives a stream the connection of this request, which the caller has
// authorised as owner. On an *HTTPError the caller still has to answer; the
// header that tells the client why is set already. Resume returns when what the
// client lacked was sent.
func (srv *Server) Resume(w http.ResponseWriter, r *http.Request, id, owner string) error {
	err := srv.resume(w, r, id, owner)
	if h, ok := err.(*HTTPError); ok {
		w.Header().Set(headerReason, clean(h.Reason))
	}
	return err
}

func (srv *Server) resume(w http.ResponseWriter, r *http.Request, id, owner string) error {
	if err := wantsUpgrade(r); err != nil {
		return err
	}
	peer, err := strconv.ParseUint(r.URL.Query().Get("received"), 10, 63)
	if err != nil {
		return &HTTPError{http.StatusBadRequest, "the parameter received is not a number of bytes"}
	}
	e, err := srv.find(id, owner)
	if err != nil {
		return err
	}
	e.s.fail(e.s.current(), errReplaced) // frees an attempt that hangs on a dead link
	e.s.resuming.Lock()
	defer e.s.resuming.Unlock()
	received, cause := e.s.detach()
	if cause != nil {
		return gone(cause.Reason)
	}
	header := w.Header().Clone()
	header.Set(headerStream, id)
	header.Set(headerReceived, strconv.FormatUint(received, 10))
	l, err := hijack(w, header, &srv.set.pool)
	if err != nil {
		return err
	}
	if err := e.s.attach(l, peer); err != nil {
		return fmt.Errorf("resume stream %s: %w", shortID(id), err)
	}
	return nil
}

func (s *Stream) current() *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link
}

// find looks a stream up by a digest of its id, so that the time that takes
// says nothing about ids, and compares the owner in constant time. Another
// owner learns only that there is no such stream.
func (srv *Server) find(id, owner string) (*served, error) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	key := sha256.Sum256([]byte(id))
	e := srv.streams[key]
	if e != nil && subtle.ConstantTimeCompare([]byte(e.owner), []byte(owner)) == 1 {
		return e, nil
	}
	if instance, _, _ := strings.Cut(id, "."); instance != srv.instance {
		return nil, &HTTPError{http.StatusMisdirectedRequest, "the broker was restarted; this session is over"}
	}
	if t, ok := srv.ended.at[key]; ok && t.owner == owner {
		return nil, gone(t.reason)
	}
	return nil, gone("the broker has no such session any more")
}

func gone(reason string) *HTTPError {
	if reason == "" {
		reason = "the session has ended"
	}
	return &HTTPError{http.StatusGone, reason}
}

// Stats reads the counters.
func (srv *Server) Stats() Stats {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	c := &srv.set.count
	return Stats{Active: len(srv.streams), Suspended: srv.waiting,
		Resumed: c.resumed.Load(), BytesIn: c.in.Load(), BytesOut: c.out.Load()}
}

// Close ends all streams, telling their clients that the broker stops, and
// waits until they know or ctx is done.
func (srv *Server) Close(ctx context.Context) error {
	srv.mu.Lock()
	srv.closed = true
	all := slices.Collect(maps.Values(srv.streams))
	srv.mu.Unlock()
	stop := context.AfterFunc(ctx, func() {
		for _, e := range all {
			e.s.give(CloseShutdown)
		}
	})
	defer stop()
	var wg sync.WaitGroup
	for _, e := range all {
		wg.Go(func() {
			_ = e.s.CloseBecause(CloseShutdown, srv.shuttingDown().Reason)
			e.s.give(CloseShutdown)
		})
	}
	wg.Wait()
	return ctx.Err()
}

// give ends a stream at once, whatever its peer knows.
func (s *Stream) give(code CloseCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finish(&CloseError{Code: code, Reason: "the broker is shutting down"})
}
