package tunnel

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Event is what happens to the network connection of a client's stream.
type Event string

// The events.
const (
	Reconnecting Event = "reconnecting"
	Resumed      Event = "resumed"
	Closed       Event = "closed"
)

// Dialer is the client's end: it sends requests to the broker and opens
// streams. Only URL is needed. Its fields must not change after first use.
type Dialer struct {
	URL *url.URL    // of the broker: https://host:port/prefix; http without TLS
	TLS *tls.Config // nil means the system's certificate authorities
	// Authorize adds to a request what proves who sends it. The exporter is
	// bound to the TLS connection (see Exporter), nil without TLS.
	Authorize func(ctx context.Context, req *http.Request, exporter []byte) error
	// Retry looks at an answer and may ask for one more attempt, which is
	// authorised anew: the broker demanded a nonce, for example.
	Retry func(resp *http.Response) bool
	// Notify is told of events of a stream, err being what broke the connection
	// or ended the stream. It must neither wait nor close the stream.
	Notify func(s *Stream, e Event, err error)
	// Proxy chooses an HTTP proxy; nil means HTTPS_PROXY and NO_PROXY.
	Proxy func(*http.Request) (*url.URL, error)
	// ResumeWindow is how long a stream tries to get its network connection
	// back; 2 minutes if zero.
	ResumeWindow time.Duration
	Logger       *slog.Logger

	once      sync.Once
	set       *settings
	active    atomic.Int64
	suspended atomic.Int64
}

func (d *Dialer) settings() *settings {
	d.once.Do(func() {
		if d.set == nil {
			d.set = newSettings(d.ResumeWindow, d.Logger)
		}
	})
	return d.set
}

// Stats reads the counters of the streams that this Dialer opened.
func (d *Dialer) Stats() Stats {
	c := &d.settings().count
	return Stats{Active: int(d.active.Load()), Suspended: int(d.suspended.Load()),
		Resumed: c.resumed.Load(), BytesIn: c.in.Load(), BytesOut: c.out.Load()}
}

// RefusedError is an answer of the broker that is not the stream asked for.
type RefusedError struct {
	Status int
	Header http.Header
	Body   []byte // at most 64 KiB of it
}

func (e *RefusedError) Error() string {
	if reason := e.reason(); reason != "" {
		return "the broker refused: " + reason
	}
	return fmt.Sprintf("the broker answered %d %s", e.Status, http.StatusText(e.Status))
}

func (e *RefusedError) reason() string { return clean(e.Header.Get(headerReason)) }

// Open opens a stream with a GET of path, which is relative to the URL, and
// the given headers. An answer other than a stream is a *RefusedError.
func (d *Dialer) Open(ctx context.Context, path string, h http.Header) (*Stream, error) {
	l, resp, err := d.upgrade(ctx, path, h)
	if err != nil {
		return nil, err
	}
	id := resp.Header.Get(headerStream)
	if id == "" {
		l.abort()
		return nil, fmt.Errorf("open a stream: the answer names none")
	}
	r := newRedialer(d)
	s := newStream(id, d.settings(), r, l)
	s.redials, s.header = true, resp.Header
	d.active.Add(1)
	return s, nil
}

// upgrade sends one upgrade request and returns the conn after a 101.
func (d *Dialer) upgrade(ctx context.Context, path string, h http.Header) (*link, *http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	req, err := d.newRequest(ctx, path, h)
	if err != nil {
		return nil, nil, err
	}
	ex, err := d.exchange(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	if ex.resp.StatusCode != http.StatusSwitchingProtocols || !hasToken(ex.resp.Header, "Upgrade", UpgradeToken) {
		defer ex.close()
		body, _ := io.ReadAll(io.LimitReader(ex.resp.Body, 64<<10))
		return nil, nil, &RefusedError{Status: ex.resp.StatusCode, Header: ex.resp.Header, Body: body}
	}
	if !ex.stop() {
		ex.close()
		return nil, nil, fmt.Errorf("open a stream: %w", context.Cause(ctx))
	}
	return newLink(ex.conn, ex.buffered(), &d.settings().pool), ex.resp, nil
}

func (d *Dialer) newRequest(ctx context.Context, path string, h http.Header) (*http.Request, error) {
	ref, err := url.Parse(path)
	if err != nil {
		return nil, fmt.Errorf("path of a stream: %w", err)
	}
	u := d.resolve(ref)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("request a stream: %w", err)
	}
	if h != nil {
		req.Header = h.Clone()
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", UpgradeToken)
	return req, nil
}

// resolve puts the broker's address and prefix before a path.
func (d *Dialer) resolve(ref *url.URL) *url.URL {
	u := *d.URL
	u.Path = strings.TrimSuffix(u.Path, "/") + "/" + strings.TrimPrefix(ref.Path, "/")
	u.RawPath, u.RawQuery, u.Fragment = "", ref.RawQuery, ""
	return &u
}

// Do sends one request over a connection of its own. A relative URL is taken
// relative to the broker's. Closing the body of the response closes the
// connection.
func (d *Dialer) Do(ctx context.Context, req *http.Request) (*http.Response, error) {
	req = req.Clone(ctx)
	if req.URL.Host == "" {
		req.URL = d.resolve(req.URL)
		req.Host = req.URL.Host
	}
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Close = true
	ex, err := d.exchange(ctx, req)
	if err != nil {
		return nil, err
	}
	ex.resp.Body = &body{ReadCloser: ex.resp.Body, ex: ex}
	return ex.resp, nil
}

// body closes the conn with itself.
type body struct {
	io.ReadCloser
	ex *exchange
}

func (b *body) Close() error {
	b.ex.close()
	return nil
}

// dial connects to the broker, through a proxy if there is one.
func (d *Dialer) dial(ctx context.Context, req *http.Request) (net.Conn, error) {
	choose := d.Proxy
	if choose == nil {
		choose = http.ProxyFromEnvironment
	}
	proxy, err := choose(req)
	if err != nil {
		return nil, fmt.Errorf("choose a proxy: %w", err)
	}
	addr := hostPort(d.URL)
	conn, err := d.dialTCP(ctx, addr, proxy)
	if err != nil {
		return nil, err
	}
	keepAlive(conn)
	if d.URL.Scheme == "http" {
		return newBufferedConn(conn, &d.settings().pool), nil
	}
	cfg := tlsConfig(d.TLS)
	if cfg.ServerName == "" {
		cfg.ServerName = d.URL.Hostname()
	}
	return startTLS(ctx, conn, cfg, &d.settings().pool)
}

func hostPort(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "http":
		port = "80"
	default:
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port)
}
