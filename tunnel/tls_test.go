package tunnel

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"sync"
	"testing"
	"time"
)

// Clients that connect and say nothing do not keep others from being served.
func TestSilentClientsHoldUpNobody(t *testing.T) {
	w := newWorld(t, nil, Options{})
	for range 100 {
		c, err := net.Dial("tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	c, s := w.open(t)
	exchangeBoth(t, c, s, 1000, 100)
}

func TestOldTLSIsRefused(t *testing.T) {
	w := newWorld(t, nil, Options{})
	cfg := w.dialer.TLS.Clone()
	cfg.MaxVersion = tls.VersionTLS12
	if c, err := tls.Dial("tcp", w.addr, cfg); err == nil {
		_ = c.Close()
		t.Error("TLS 1.2 was accepted")
	}
}

// An HTTP proxy between client and broker (CONNECT) carries everything.
func TestThroughHTTPProxy(t *testing.T) {
	w := newWorld(t, quick, Options{})
	var tasks sync.WaitGroup
	var asked []string
	proxy := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Host+" "+r.Header.Get("Proxy-Authorization"))
		target, err := net.Dial("tcp", w.addr)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadGateway)
			return
		}
		client, _, err := rw.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		_, _ = fmt.Fprint(client, "HTTP/1.1 200 OK\r\n\r\n")
		tasks.Go(func() { _, _ = io.Copy(target, client); _ = target.Close() })
		tasks.Go(func() { _, _ = io.Copy(client, target); _ = client.Close() })
	})}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tasks.Go(func() { _ = proxy.Serve(ln) })
	t.Cleanup(func() { _ = proxy.Close(); tasks.Wait() })
	w.dialer.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: ln.Addr().String(), User: url.UserPassword("u", "p")})
	w.dialer.URL = &url.URL{Scheme: "https", Host: "broker.test:443"} // known to the proxy only
	c, s := w.open(t)
	exchangeBoth(t, c, s, 100<<10, 10<<10)
	_ = c.Close()
	if len(asked) != 1 || asked[0] != "CONNECT broker.test:443 Basic dTpw" {
		t.Errorf("the proxy was asked %q", asked)
	}
}

// Idle streams hold no buffers, on either side.
func TestIdleStreamsAreSmall(t *testing.T) {
	const n = 200
	w := newWorld(t, func(s *settings) { s.ackDelay = time.Millisecond }, Options{})
	w.opened = make(chan *Stream, n)
	before := heap()
	var ends []*Stream
	for range n {
		c, s := w.open(t)
		ends = append(ends, c, s)
		exchangeOnce(t, c, s, 100<<10)
	}
	for _, s := range ends {
		waitIdle(t, s)
	}
	used := (heap() - before) / n
	t.Logf("%d bytes of heap for both ends of an idle stream that has carried 100 KiB", used)
	if used > 96<<10 {
		t.Errorf("an idle stream costs %d bytes", used)
	}
}

func exchangeOnce(t testing.TB, c, s *Stream, n int) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = c.Write(make([]byte, n)) })
	wg.Go(func() { _, _ = io.CopyN(io.Discard, s, int64(n)) })
	wg.Wait()
}

// waitIdle reads as an engine does, until everything is acknowledged.
func waitIdle(t testing.TB, s *Stream) {
	t.Helper()
	for range 1000 {
		_ = s.SetReadDeadline(time.Now().Add(time.Millisecond))
		_, _ = s.Read(make([]byte, 1))
		s.mu.Lock()
		held := s.out.held + s.in.size
		s.mu.Unlock()
		if held == 0 {
			return
		}
	}
	t.Error("an idle stream still holds buffers")
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// The peers that benchmarks compare: a stream, and TLS alone.
type pair struct{ a, b io.ReadWriter }

func streamPair(b *testing.B) pair {
	w := newWorld(b, nil, Options{})
	c, s := w.open(b)
	return pair{c, s}
}

func tlsPair(b *testing.B) pair {
	cert, roots := certificate(b)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		b.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := ln.Accept()
		if err == nil {
			_ = c.(*tls.Conn).HandshakeContext(context.Background())
		}
		accepted <- c
	}()
	c, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "broker.test"})
	if err != nil {
		b.Fatal(err)
	}
	s := <-accepted
	b.Cleanup(func() { _ = c.Close(); _ = s.Close(); _ = ln.Close() })
	return pair{c, s}
}

func BenchmarkPingPong(b *testing.B) {
	for name, make := range map[string]func(*testing.B) pair{"tls": tlsPair, "stream": streamPair} {
		b.Run(name, func(b *testing.B) { pingPong(b, make(b)) })
	}
}

func pingPong(b *testing.B, p pair) {
	const size = 100
	done := make(chan struct{})
	n := b.N
	go func() {
		defer close(done)
		buf := make([]byte, size)
		for range n {
			if _, err := io.ReadFull(p.b, buf); err != nil {
				return
			}
			_, _ = p.b.Write(buf)
		}
	}()
	buf := make([]byte, size)
	b.ResetTimer()
	for range n {
		if _, err := p.a.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(p.a, buf); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	<-done
}

func BenchmarkThroughput(b *testing.B) {
	for name, make := range map[string]func(*testing.B) pair{"tls": tlsPair, "stream": streamPair} {
		b.Run(name, func(b *testing.B) { throughput(b, make(b)) })
	}
}

// throughput sends 128 KiB at a time. The sender's reading side is read, as a
// relay does.
func throughput(b *testing.B, p pair) {
	const size = 128 << 10
	b.SetBytes(size)
	done := make(chan struct{})
	n := b.N
	go func() {
		defer close(done)
		_, _ = io.CopyN(io.Discard, bufio.NewReaderSize(struct{ io.Reader }{p.b}, 256<<10), int64(n)*size)
	}()
	buf := make([]byte, size)
	b.ResetTimer()
	for range n {
		if _, err := p.a.Write(buf); err != nil {
			b.Fatal(err)
		}
	}
	<-done
	b.StopTimer()
}

// BenchmarkIdleStreams reports the memory of 1,000 streams that have carried
// 100 KiB each, both ends together.
func BenchmarkIdleStreams(b *testing.B) {
	const n = 1000
	for range b.N {
		w := newWorld(b, nil, Options{})
		before := heap()
		var ends []*Stream
		for range n {
			c, s := w.open(b)
			ends = append(ends, c, s)
			exchangeOnce(b, c, s, 100<<10)
		}
		for _, s := range ends {
			waitIdle(b, s)
		}
		b.ReportMetric(float64((heap()-before)/n), "B/stream")
	}
}
