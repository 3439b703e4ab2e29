package tunnel

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// world is a broker's HTTP server on a real TLS listener, and a client of it.
type world struct {
	srv    *Server
	dialer *Dialer
	addr   string
	opened chan *Stream

	mu    sync.Mutex
	owner string
	http  *http.Server
}

func newWorld(t testing.TB, tune func(*settings), o Options) *world {
	t.Helper()
	checkLeaks(t)
	w := &world{opened: make(chan *Stream, 64), owner: "alice", srv: NewServer(o)}
	if tune != nil {
		tune(w.srv.set)
	}
	cert, roots := certificate(t)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = inner.Addr().String()
	w.http = &http.Server{Handler: w.routes()}
	ln := NewTLSListener(inner, &tls.Config{Certificates: []tls.Certificate{cert}})
	served := make(chan error, 1)
	go func() { served <- w.http.Serve(ln) }()
	w.dialer = &Dialer{
		URL: &url.URL{Scheme: "https", Host: w.addr},
		TLS: &tls.Config{RootCAs: roots, ServerName: "broker.test"},
		set: newSettings(o.ResumeWindow, nil),
	}
	if tune != nil {
		tune(w.dialer.set)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = w.srv.Close(ctx)
		_ = w.http.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	return w
}

func (w *world) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/open", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Hoop-Session", "s1")
		s, err := w.server().Accept(rw, r, w.who())
		if err != nil {
			refuse(rw, err)
			return
		}
		w.opened <- s
	})
	mux.HandleFunc("GET /v1/streams/{id}", func(rw http.ResponseWriter, r *http.Request) {
		if err := w.server().Resume(rw, r, r.PathValue("id"), w.who()); err != nil {
			refuse(rw, err)
		}
	})
	mux.HandleFunc("POST /v1/echo", func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(rw, r.Body)
	})
	return mux
}

func refuse(rw http.ResponseWriter, err error) {
	var h *HTTPError
	if errors.As(err, &h) {
		http.Error(rw, h.Reason, h.Status)
	}
}

func (w *world) who() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.owner
}

func (w *world) server() *Server {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.srv
}

// open gives both ends of a new stream.
func (w *world) open(t testing.TB) (client, server *Stream) {
	t.Helper()
	c, err := w.dialer.Open(t.Context(), "v1/open", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := <-w.opened
	t.Cleanup(func() {
		var wg sync.WaitGroup
		wg.Go(func() { _ = c.Close() })
		wg.Go(func() { _ = s.Close() })
		wg.Wait()
	})
	return c, s
}

// via makes the client reach the broker through a relay that can be cut.
func (w *world) via(t testing.TB) *relay {
	r := newRelay(t, w.addr)
	w.dialer.URL = &url.URL{Scheme: "https", Host: r.addr()}
	return r
}

// quick shortens the times so that tests with cuts do not wait for them.
func quick(s *settings) {
	s.ackDelay = time.Millisecond
	s.closeTimeout = 2 * time.Second
	s.backoff = time.Millisecond
	s.pingEvery = 200 * time.Millisecond
}

func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker.test"},
		DNSNames: []string{"broker.test", "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

// writePEM stores a certificate and its key for a server that reads files.
func writePEM(t testing.TB, dir string, c tls.Certificate) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// relay is a TCP proxy that loses connections on demand.
type relay struct {
	ln     net.Listener
	target string
	tasks  sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	down  bool
	thaw  chan struct{} // closed when the test is over
	// budget says after how many bytes, in both directions together, a new
	// connection is cut; nil means never.
	budget func() int
}

func newRelay(t testing.TB, target string) *relay {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{ln: ln, target: target, conns: map[net.Conn]bool{}, thaw: make(chan struct{})}
	r.tasks.Go(r.run)
	t.Cleanup(func() {
		_ = ln.Close()
		close(r.thaw)
		r.cut()
		r.tasks.Wait()
	})
	return r
}

func (r *relay) addr() string { return r.ln.Addr().String() }

func (r *relay) run() {
	for {
		c, err := r.ln.Accept()
		if err != nil {
			return
		}
		r.tasks.Go(func() { r.carry(c) })
	}
}

func (r *relay) carry(a net.Conn) {
	b, err := net.Dial("tcp", r.target)
	if err != nil || !r.add(a, b) {
		_ = a.Close()
		if b != nil {
			_ = b.Close()
		}
		return
	}
	left := -1
	if r.budget != nil {
		left = r.budget()
	}
	var mu sync.Mutex
	take := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		if left < 0 {
			return n
		}
		n = min(n, left)
		left -= n
		return n
	}
	var both sync.WaitGroup
	pump := func(dst, src net.Conn) {
		defer func() { _ = a.Close(); _ = b.Close() }()
		buf := make([]byte, 32<<10)
		for {
			n, err := src.Read(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				<-r.thaw
				return
			}
			m := take(n)
			if _, werr := dst.Write(buf[:m]); err != nil || werr != nil || m < n {
				return
			}
		}
	}
	both.Go(func() { pump(a, b) })
	both.Go(func() { pump(b, a) })
	both.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, a)
	delete(r.conns, b)
}

func (r *relay) add(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		r.conns[c] = true
	}
	return !r.down
}

// cut breaks every connection there is.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		_ = c.Close()
	}
}

// setDown makes the relay refuse new connections, or stop doing so.
func (r *relay) setDown(down bool) {
	r.mu.Lock()
	r.down = down
	r.mu.Unlock()
	if down {
		r.cut()
	}
}

// checkLeaks fails the test if goroutines of this package outlive it. It must
// be called before the cleanups that end them are registered.
func checkLeaks(t testing.TB) {
	t.Cleanup(func() {
		var stacks string
		for range 100 {
			buf := make([]byte, 1<<20)
			buf = buf[:runtime.Stack(buf, true)]
			stacks = ""
			for g := range bytes.SplitSeq(buf, []byte("\n\n")) {
				if bytes.Contains(g, []byte("hoop/tunnel.(*")) && !bytes.Contains(g, []byte("testing.tRunner")) {
					stacks += string(g) + "\n\n"
				}
			}
			if stacks == "" {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Errorf("goroutines left:\n%s", strings.TrimSpace(stacks))
	})
}

// freeze makes the connections there are carry nothing more, without an error.
func (r *relay) freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
}
