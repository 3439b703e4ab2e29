package postgres

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgproto3/v2"

	"hoop/broker"
)

// upstream is an authenticated connection to the target, ready for queries.
type upstream struct {
	conn    net.Conn
	raw     syscall.Conn // the socket beneath TLS; nil where there is none
	pid     uint32
	secret  []byte
	params  map[string]string // as the target reported them
	version string            // server_version
	// database is the one that the session is in.
	database string
	// armed is true where the target tells of statements: see trees.go. level is
	// how much the client asked to be told, atStart what it began with.
	armed   atomic.Bool
	level   atomic.Int32
	atStart int32

	// running is the number of the action that the target works on now, 0 for
	// none: the record of a cancel request names it.
	running atomic.Uint64
	// held is set while a statement waits for its verdict: a cancel request
	// then calls it and does not go to the target.
	held atomic.Pointer[withdrawal]
}

// close takes leave of the target, so that its session ends at once.
func (u *upstream) close() {
	_ = u.conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = u.conn.Write(encode(nil, &pgproto3.Terminate{})) // it may be gone
	_ = u.conn.Close()
}

// connect opens an authenticated connection to a database of the session's
// target, with session settings in options. Errors tell the client nothing of
// the credential.
func (e *Engine) connect(ctx context.Context, s *broker.Session, database string, options map[string]string) (*upstream, error) {
	up, err := e.connectOnce(ctx, s, database, options)
	if err != nil {
		log := e.log.With("connection", s.Connection.Name, "session", s.ID, "database", database, "err", err)
		var r *refusal
		if errors.As(err, &r) && r.err != nil {
			log = log.With("cause", r.err)
		}
		log.Warn("no session at the target")
	}
	return up, err
}

func (e *Engine) connectOnce(ctx context.Context, s *broker.Session, database string, options map[string]string) (*upstream, error) {
	ctx, cancel := context.WithTimeout(ctx, e.handshake)
	defer cancel()
	secret, err := s.Credential(ctx)
	if err != nil {
		return nil, err
	}
	if secret.User == "" {
		return nil, unreachable("the connection has no credential to log in with", nil)
	}
	conn, err := e.dial(ctx, s)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(longAgo) })
	up, err := e.login(conn, s.Target, secret, database, options)
	if !stop() && err == nil {
		err = unreachable("the target took too long to log in", context.Cause(ctx))
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return up, nil
}

// unreachable is the refusal for a target that cannot be used.
func unreachable(message string, err error) *refusal {
	return &refusal{sqlstate: "08001", message: message, err: err,
		hint: "nothing was forwarded; the broker's log says more"}
}

// dial opens a connection to the target, encrypted as it asks.
func (e *Engine) dial(ctx context.Context, s *broker.Session) (net.Conn, error) {
	conn, err := s.Dial(ctx)
	if err != nil {
		return nil, err
	}
	secure, err := e.encrypt(ctx, conn, s.Target)
	if err != nil {
		_ = conn.Close()
		return nil, unreachable("no encrypted connection to the target: "+err.Error(), err)
	}
	return secure, nil
}
