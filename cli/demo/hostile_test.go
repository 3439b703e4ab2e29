package demo

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var mutations = flag.Int("mutations", 40, "how many streams TestMangledStreams breaks")

// mangler is a relay that breaks what one side says, at one place.
type mangler struct {
	net.Listener
	to     func() (net.Conn, error)
	server bool // break what comes from to, not what goes to it
	rnd    *rand.Rand
	mu     sync.Mutex
	all    sync.WaitGroup
}

func newMangler(t *testing.T, seed uint64, server bool, to func() (net.Conn, error)) *mangler {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mangler{Listener: l, to: to, server: server, rnd: rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // to be repeated
	m.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.all.Go(func() { m.relay(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); m.all.Wait() })
	return m
}

func (m *mangler) port() int { return m.Addr().(*net.TCPAddr).Port }

func (m *mangler) relay(c net.Conn) {
	defer func() { _ = c.Close() }()
	s, err := m.to()
	if err != nil {
		return
	}
	m.mu.Lock()
	broken := &breaker{at: m.rnd.IntN(1500), how: m.rnd.IntN(6), noise: m.rnd.Uint64()}
	m.mu.Unlock()
	done := make(chan struct{})
	asked, answered := io.Writer(s), io.Writer(c)
	if m.server {
		broken.to, answered = c, broken
	} else {
		broken.to, asked = s, broken
	}
	go func() { defer close(done); _, _ = io.Copy(asked, c); _ = s.Close() }()
	_, _ = io.Copy(answered, s)
	_ = c.Close()
	<-done
}

// breaker passes bytes on and damages the stream once, some way into it.
type breaker struct {
	to    io.Writer
	at    int
	how   int
	noise uint64
	seen  int
}

func (b *breaker) Write(p []byte) (int, error) {
	out := bytes.Clone(p)
	if i := b.at - b.seen; i >= 0 && i < len(p) {
		out = b.damage(out, i)
	}
	b.seen += len(p)
	if _, err := b.to.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (b *breaker) damage(p []byte, i int) []byte {
	noise := binary.BigEndian.AppendUint64(nil, b.noise)
	switch b.how {
	case 0: // one byte is another
		p[i] ^= byte(b.noise | 1)
		return p
	case 1: // bytes that nobody asked for
		return append(append(bytes.Clone(p[:i]), noise...), p[i:]...)
	case 2: // bytes are missing
		return append(p[:i:i], p[min(len(p), i+1+int(b.noise%7)):]...)
	case 3: // a length of up to 4 GiB
		return append(p[:i:i], append(noise[:4:4], p[min(len(p), i+4):]...)...)
	case 4: // what was said is said twice
		return append(p[:len(p):len(p)], p[i:]...)
	default: // a message of any type, with a length that is a lie
		return append(append(bytes.Clone(p[:i]), noise[0], 0xff, 0xff, 0xff, noise[1]), p[i:]...)
	}
}

// A client or a target that speaks nonsense ends its own session and touches
// no other.
func TestMangledStreams(t *testing.T) {
	var w *apart
	var through *door
	hostileTarget := newMangler(t, 1, true, func() (net.Conn, error) {
		return net.Dial("unix", fmt.Sprintf("%s/.s.PGSQL.%d", w.Postgres.SocketDir, w.Postgres.Port))
	})
	w = upApart(t, fmt.Sprintf(`
connections:
- name: hostile-pg
  protocol: postgres
  target: {host: 127.0.0.1, port: %d, database: shop, tls: {mode: disable}}
  credential: app
%s`, hostileTarget.port(), allowAlice))
	through = w.listen("alice", Connection)
	hostileClient := newMangler(t, 2, false, func() (net.Conn, error) {
		return net.Dial("tcp", net.JoinHostPort(through.Host, strconv.Itoa(through.Port)))
	})
	toHostile := w.listen("alice", "hostile-pg")
	healthy, err := pgx.Connect(t.Context(), through.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = healthy.Close(t.Context()) }()

	var failed atomic.Int64
	lanes := make(chan string)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for conn := range lanes {
				if err := visitMangled(conn); err != nil {
					failed.Add(1)
				}
			}
		})
	}
	for n := range *mutations {
		if n%2 == 0 {
			lanes <- toHostile.String()
		} else {
			lanes <- fmt.Sprintf("host=127.0.0.1 port=%d user=app dbname=shop sslmode=disable", hostileClient.port())
		}
		var got int
		if err := healthy.QueryRow(t.Context(), "select count(*) from orders where id <= $1", n).Scan(&got); err != nil || got != n {
			t.Fatalf("after %d broken streams the healthy session got %d, %v", n, got, err)
		}
	}
	close(lanes)
	all.Wait()
	w.stillHealthy(t)
	t.Logf("%d broken streams, %d of them ended their session; the broker's memory peaked at %d MiB", *mutations, failed.Load(), peakMiB(t, w.broker.Process.Pid))
	if failed.Load() < int64(*mutations/4) {
		t.Error("few broken streams ended their session: nothing was broken")
	}
}

// visitMangled has a session over a stream that breaks.
func visitMangled(conn string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, conn)
	if err != nil {
		return err
	}
	defer end(c)
	if _, err := c.PgConn().Exec(ctx, "select * from orders order by id limit 20; select 1").ReadAll(); err != nil {
		return err
	}
	b := &pgx.Batch{}
	for i := range 5 {
		b.Queue("select id, total from orders where id = $1", i)
	}
	if err := c.SendBatch(ctx, b).Close(); err != nil {
		return err
	}
	_, err = c.PgConn().CopyTo(ctx, io.Discard, "copy (select * from orders limit 50) to stdout")
	return err
}

func (w *apart) stillHealthy(t *testing.T) {
	log, err := os.ReadFile(w.path("broker.log"))
	if err != nil {
		t.Fatal(err)
	}
	if i := strings.Index(string(log), "panic"); i >= 0 {
		t.Errorf("the broker's log tells of a panic: %s", log[max(0, i-200):min(len(log), i+3000)])
	}
	within(t, time.Minute, w.command("alice", "audit", "verify", "--config", w.path("hoop.yaml")))
}

// peakMiB is the most memory that a process ever had.
func peakMiB(t *testing.T, pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Fatal("the broker has no memory: it is gone")
	}
	kb, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kb >> 10
}
