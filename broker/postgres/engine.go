// Package postgres is the engine for the PostgreSQL frontend/backend protocol,
// version 3: it ends the client's startup, logs in to the target with the
// broker's credential, and then stands between the two, statement by statement.
//
// # Scope
//
// It understands messages, not SQL: what a statement does is told by the
// Analyzer, and whether it may run by broker.Session. It offers no encryption
// of its own toward the client, because the tunnel is encrypted, and no
// authentication, because the tunnel is authenticated. Replication and function
// calls outside SQL are refused.
package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"runtime/debug"
	"time"

	"hoop/broker"
	"hoop/policy/sql"
)

// Analyzer turns the text of a query into statements with their facts.
type Analyzer interface {
	Statements(ctx context.Context, text string) []sql.Statement
}

// Options are what an Engine is made of. Analyzer is required.
type Options struct {
	Analyzer Analyzer
	Logger   *slog.Logger // nothing is logged where nil
	// HandshakeTimeout bounds the client's startup and, separately, the login
	// at the target; 10 s where zero.
	HandshakeTimeout time.Duration
}

// Engine serves PostgreSQL clients. It is safe for concurrent use.
type Engine struct {
	analyzer  Analyzer
	log       *slog.Logger
	handshake time.Duration
	idle      time.Duration // how long a silent session keeps its buffers

	cancels cancels
	scram   scramCache
	tls     tlsCache
	buffers buffers
	views   views
	// previews has an item for each that is being made.
	previews chan struct{}
}

var _ broker.Engine = (*Engine)(nil)

// New makes an engine.
func New(opts Options) *Engine {
	e := &Engine{analyzer: opts.Analyzer, log: opts.Logger, handshake: opts.HandshakeTimeout, idle: idleAfter,
		previews: make(chan struct{}, maxPreviews)}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.handshake <= 0 {
		e.handshake = 10 * time.Second
	}
	return e
}

// Serve runs one client connection to its end: a session or a cancel request.
// See broker.Engine.
func (e *Engine) Serve(ctx context.Context, client net.Conn, s *broker.Session) error {
	defer client.Close()
	return e.guard(s, func() error { return e.serve(ctx, client, s) })
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

func (e *Engine) serve(ctx context.Context, client net.Conn, s *broker.Session) error {
	p, err := e.awaitStartup(ctx, client)
	if err != nil || p == nil {
		return e.tell(ctx, client, err)
	}
	if p.code == codeCancel {
		return e.cancel(ctx, s, p)
	}
	l := &lobby{client: client, packet: p, timeout: e.handshake}
	s.SetHolder(l)
	waitCtx, stop := watch(ctx, client)
	up, err := e.open(waitCtx, s, p)
	client = stop()
	if err != nil {
		return e.tell(ctx, client, err)
	}
	defer up.close()
	c, err := e.cancels.add(s, up, p.keySize())
	if err != nil {
		return e.tell(ctx, client, err)
	}
	defer e.cancels.remove(c)
	if err := e.greet(l, client, c, up); err != nil {
		return err
	}
	return newRelay(e, s, client, up).run(ctx)
}
