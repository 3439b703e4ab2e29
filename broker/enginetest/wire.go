package enginetest

import (
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"hoop/broker"
)

// wire stands between the broker and the target. It counts, and spoils what
// the target says where a case asks for it.
type wire struct {
	listener net.Listener
	network  string
	target   string

	conns    atomic.Int64
	toTarget atomic.Int64 // bytes
	toBroker atomic.Int64 // bytes

	spoil  atomic.Pointer[func(at int64, b []byte) []byte] // gives what the broker gets instead
	relays sync.WaitGroup
	mu     sync.Mutex
	open   map[net.Conn]struct{}
}

func newWire(t *testing.T, to *broker.Target) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: l, network: "tcp", target: to.Address(), open: map[net.Conn]struct{}{}}
	if to.Socket != "" {
		w.network, w.target = "unix", to.Socket
	}
	w.relays.Go(w.accept)
	return w
}

func (w *wire) address() (host string, port int, socket string) {
	host, p, _ := net.SplitHostPort(w.listener.Addr().String())
	port, _ = strconv.Atoi(p)
	return host, port, ""
}

func (w *wire) accept() {
	for {
		c, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.conns.Add(1)
		w.relays.Go(func() { w.relay(c) })
	}
}

func (w *wire) relay(near net.Conn) {
	defer w.keep(near)()
	far, err := net.Dial(w.network, w.target)
	if err != nil {
		return
	}
	defer w.keep(far)()
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(far, io.TeeReader(near, counter{&w.toTarget}))
		hangUp(far)
	})
	w.back(near, far)
	hangUp(near)
	both.Wait()
}

// back brings what the target says to the broker.
func (w *wire) back(near io.Writer, far io.Reader) {
	buf := make([]byte, 32<<10)
	for at := int64(0); ; {
		n, err := far.Read(buf)
		out := buf[:n]
		if spoil := w.spoil.Load(); spoil != nil && n > 0 {
			out = (*spoil)(at, out)
		}
		at += int64(n)
		w.toBroker.Add(int64(len(out)))
		if _, werr := near.Write(out); werr != nil || err != nil {
			return
		}
	}
}

// keep closes c when the wire is closed, or by what it gives.
func (w *wire) keep(c net.Conn) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[c] = struct{}{}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, c)
		_ = c.Close()
	}
}

// cut ends every connection, as a target does that dies.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		_ = c.Close()
	}
}

// idle reports whether no connection is open.
func (w *wire) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.open) == 0
}

func (w *wire) close() {
	_ = w.listener.Close()
	w.cut()
	w.relays.Wait()
}

// hangUp says that nothing more will be written.
func hangUp(c net.Conn) {
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite()
		return
	}
	_ = c.Close()
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return len(b), nil
}
