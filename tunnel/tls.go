package tunnel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	handshakeTimeout = 10 * time.Second
	// maxHandshakes bounds the conns that have connected and not yet finished
	// their handshake; more wait in the kernel's queue.
	maxHandshakes = 2048
)

// exporterLabel names the keying material that binds a request to its TLS
// connection (RFC 8446 §7.5).
const exporterLabel = "EXPORTER-hoop-pop"

// Exporter gives 32 bytes that both ends of this TLS connection know and
// nobody else. It is what Dialer.Authorize gets; the broker calls it with the
// TLS state of the request.
func Exporter(state *tls.ConnectionState) ([]byte, error) {
	return state.ExportKeyingMaterial(exporterLabel, nil, 32)
}

// tlsConfig adapts a configuration: TLS 1.3 with full records, because each
// small record of the dynamic sizing would cost a system call, and HTTP/1.1,
// because HTTP/2 has no upgrade.
func tlsConfig(c *tls.Config) *tls.Config {
	if c == nil {
		c = &tls.Config{}
	}
	c = c.Clone()
	c.MinVersion = tls.VersionTLS13
	c.DynamicRecordSizingDisabled = true
	c.NextProtos = []string{"http/1.1"}
	return c
}

// keepAlive finds dead peers in the kernel too, for conns without a stream.
func keepAlive(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 3})
	}
}

// tlsListener hands out conns that have finished their handshake.
type tlsListener struct {
	net.Listener
	cfg    *tls.Config
	pool   *buffers
	ready  chan net.Conn
	slots  chan struct{}
	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	failed chan struct{} // closed once err is set
	err    error
}

// NewTLSListener wraps a listener for an http.Server. The conns it accepts are
// *tls.Conn whose handshake is done: a client that is slow or silent in it
// holds up nobody and is cut off after 10 seconds. Close waits for the
// handshakes under way to end.
func NewTLSListener(inner net.Listener, cfg *tls.Config) net.Listener {
	ctx, cancel := context.WithCancel(context.Background())
	l := &tlsListener{
		Listener: inner, cfg: tlsConfig(cfg), pool: &buffers{},
		ready: make(chan net.Conn), slots: make(chan struct{}, maxHandshakes),
		ctx: ctx, cancel: cancel, failed: make(chan struct{}),
	}
	l.tasks.Go(l.run)
	return l
}

func (l *tlsListener) run() {
	defer close(l.failed)
	for {
		select {
		case l.slots <- struct{}{}:
		case <-l.ctx.Done():
			l.err = net.ErrClosed
			return
		}
		conn, err := l.Listener.Accept()
		if err != nil {
			<-l.slots
			if passing(err) && l.pause() {
				continue
			}
			l.err = err
			return
		}
		l.tasks.Go(func() {
			defer func() { <-l.slots }()
			l.handshake(conn)
		})
	}
}

// passing errors, such as too many open files, end by themselves.
func passing(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Temporary() //nolint:staticcheck // as net/http does: nothing else tells them apart
}

func (l *tlsListener) pause() bool {
	select {
	case <-time.After(50 * time.Millisecond):
		return true
	case <-l.ctx.Done():
		return false
	}
}

func (l *tlsListener) handshake(conn net.Conn) {
	keepAlive(conn)
	ctx, cancel := context.WithTimeout(l.ctx, handshakeTimeout)
	defer cancel()
	c := tls.Server(newBufferedConn(conn, l.pool), l.cfg)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return
	}
	select {
	case l.ready <- c:
	case <-l.ctx.Done():
		_ = conn.Close()
	}
}

// Accept waits for a conn that has finished its handshake.
func (l *tlsListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.failed:
		return nil, l.err
	}
}

// Close stops listening.
func (l *tlsListener) Close() error {
	l.cancel()
	err := l.Listener.Close()
	l.tasks.Wait()
	return err
}

// startTLS does the client's side of the handshake on conn.
func startTLS(ctx context.Context, conn net.Conn, cfg *tls.Config, pool *buffers) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	c := tls.Client(newBufferedConn(conn, pool), cfg)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("TLS handshake with %s: %w", cfg.ServerName, err)
	}
	return c, nil
}
