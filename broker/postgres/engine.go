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
	"log/slog"
	"net"
	"syscall"
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
}

var _ broker.Engine = (*Engine)(nil)

// New makes an engine.
func New(opts Options) *Engine {
	e := &Engine{analyzer: opts.Analyzer, log: opts.Logger, handshake: opts.HandshakeTimeout}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.handshake <= 0 {
		e.handshake = 10 * time.Second
	}
	return e
}

// upstream is an authenticated connection to the target, ready for queries.
type upstream struct {
	conn    net.Conn
	raw     syscall.Conn // the socket beneath TLS; nil where there is none
	pid     uint32
	secret  []byte
	params  map[string]string // as the target reported them
	version string            // server_version
}

// Serve runs one client connection; see broker.Engine.
func (e *Engine) Serve(ctx context.Context, client net.Conn, s *broker.Session) error {
	defer client.Close()
	up, err := e.connect(ctx, s, s.Target.Database, nil)
	if err != nil {
		return err
	}
	defer up.conn.Close()
	return newRelay(e, s, client, up).run(ctx)
}

// Refuse tells the client why it gets nothing; see broker.Engine.
func (e *Engine) Refuse(client net.Conn, d *broker.Denial) error { return client.Close() }
