// Package ssh is the engine for SSH (RFC 4251 to 4254): it ends the client's
// connection, opens the target's with the broker's credential, and stands
// between the two, channel by channel and request by request.
//
// # Scope
//
// It understands channels and requests. What a command does is told by package
// policy/shell, what an SFTP request does by package sftp, and whether either
// may run by broker.Session. It asks clients for no authentication, because the
// tunnel is authenticated. Tunnels of layer 2 and 3, and every request that
// stands in none of its lists, are refused.
package ssh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"runtime/debug"
	"time"

	"hoop/broker"
	"hoop/broker/ssh/ca"
)

// Options are what an Engine is made of. CA is required.
type Options struct {
	CA     *ca.Authority
	Logger *slog.Logger // nothing is logged where nil
	// HandshakeTimeout bounds what a client and, separately, a target may take
	// for their parts of a handshake; 10 s where zero.
	HandshakeTimeout time.Duration
	// MaxChannels is how many a client may have open at once; 100 where zero.
	MaxChannels int
}

// Engine serves SSH clients. It is safe for concurrent use.
type Engine struct {
	ca          *ca.Authority
	log         *slog.Logger
	handshake   time.Duration
	maxChannels int
	buffers     buffers
	bulk        bulkBuffers
}

var _ broker.Engine = (*Engine)(nil)

// New makes an engine.
func New(opts Options) *Engine {
	e := &Engine{ca: opts.CA, log: opts.Logger, handshake: opts.HandshakeTimeout, maxChannels: opts.MaxChannels}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.handshake <= 0 {
		e.handshake = 10 * time.Second
	}
	if e.maxChannels <= 0 {
		e.maxChannels = 100
	}
	return e
}

// Serve runs one client connection to its end. See broker.Engine.
func (e *Engine) Serve(ctx context.Context, client net.Conn, s *broker.Session) error {
	defer client.Close()
	return e.guard(s, func() error { return e.serve(ctx, client, s) })
}

func (e *Engine) serve(parent context.Context, client net.Conn, s *broker.Session) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	watched := &watchedConn{Conn: client, gone: func(err error) { cancel(fmt.Errorf("%w: %w", errClientGone, err)) }}
	r := newRelay(e, s, cancel)
	defer r.wait() // for what was begun before the client was let in
	front, err := r.welcome(ctx, watched)
	if err != nil {
		cancel(err)
		return e.ended(parent, err)
	}
	return e.ended(parent, r.run(ctx, front))
}

// ended says how a session ended, for the log: that a client leaves is nothing
// to tell.
func (e *Engine) ended(parent context.Context, err error) error {
	switch {
	case parent.Err() != nil:
		return context.Cause(parent)
	case errors.Is(err, errClientGone):
		return nil
	}
	return err
}

// guard turns a panic in f into an error, so that it ends one session and not
// the broker. Every goroutine of a session runs under it. The value of a panic
// may hold payload and is logged only where it is the runtime's own.
func (e *Engine) guard(s *broker.Session, f func() error) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		what := fmt.Sprintf("%T", p)
		if re, ok := p.(runtime.Error); ok {
			what = re.Error()
		}
		e.log.Error("a session panicked", "session", s.ID, "connection", s.Connection.Name,
			"panic", what, "stack", string(debug.Stack()))
		err = fmt.Errorf("session %s: internal error", s.ID)
	}()
	return f()
}

// errClientGone says that the client ended the connection.
var errClientGone = errors.New("the client left")

// watchedConn tells when its peer leaves. The SSH transport reads ahead, so
// that this shows also while nobody asks it for anything.
type watchedConn struct {
	net.Conn
	gone func(error)
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.gone(err)
	}
	return n, err
}
