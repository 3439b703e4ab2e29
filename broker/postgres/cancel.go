package postgres

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"hoop/broker"
	"hoop/recorder"
)

// cancellable is a session that a CancelRequest can name by a process ID and a
// key that the broker made; the target's own key never leaves the broker. The
// process ID is the target's where it is free: clients compare it with
// pg_backend_pid(), with pg_stat_activity and with who sent a notification.
type cancellable struct {
	pid     uint32
	key     []byte
	session *broker.Session
	up      *upstream
}

// appendKeyData appends BackendKeyData; pgproto3 knows keys of four bytes only.
func (c *cancellable) appendKeyData(dst []byte) []byte {
	dst = append(dst, 'K')
	dst = binary.BigEndian.AppendUint32(dst, uint32(8+len(c.key)))
	dst = binary.BigEndian.AppendUint32(dst, c.pid)
	return append(dst, c.key...)
}

// cancels are the sessions that can be cancelled. Its zero value is empty.
type cancels struct {
	mu    sync.Mutex
	byPID map[uint32]*cancellable
}

// add finds a process ID and makes a key of size bytes for a session.
func (cs *cancels) add(s *broker.Session, up *upstream, size int) (*cancellable, error) {
	c := &cancellable{key: make([]byte, size), session: s, up: up}
	_, _ = rand.Read(c.key) // never fails
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.byPID == nil {
		cs.byPID = map[uint32]*cancellable{}
	}
	c.pid = up.pid
	for range 100 {
		if _, taken := cs.byPID[c.pid]; c.pid != 0 && !taken {
			cs.byPID[c.pid] = c
			return c, nil
		}
		var b [4]byte
		_, _ = rand.Read(b[:])
		c.pid = binary.BigEndian.Uint32(b[:]) >> 1 // clients print it as a positive int32
	}
	return nil, errors.New("no free process ID for a cancel key")
}

func (cs *cancels) remove(c *cancellable) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.byPID, c.pid)
}

// find gives the session that a cancel request names: only to the same
// principal on the same connection.
func (cs *cancels) find(s *broker.Session, p *startupPacket) *cancellable {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.byPID[p.pid]
	if c == nil || subtle.ConstantTimeCompare(c.key, p.key) != 1 {
		return nil
	}
	if c.session.Principal.ID != s.Principal.ID || c.session.Connection.Name != s.Connection.Name {
		return nil
	}
	return c
}

// cancel serves a CancelRequest that came in over session s. As PostgreSQL does
// ("Canceling Requests in Progress") it answers with nothing but the close.
func (e *Engine) cancel(ctx context.Context, s *broker.Session, p *startupPacket) error {
	c := e.cancels.find(s, p)
	if c == nil {
		e.log.Info("a cancel request with a wrong key", "connection", s.Connection.Name, "principal", s.Principal.ID)
		return nil
	}
	reason := fmt.Sprintf("cancel request of %s", s.Chain)
	if err := c.session.Record(recorder.ActionCancelled, reason, c.up.running.Load()); err != nil {
		return fmt.Errorf("record a cancel request: %w", err)
	}
	if held := c.up.held.Load(); held != nil {
		held.give()
		return nil
	}
	return e.cancelUpstream(ctx, c)
}

// cancelUpstream sends the target's own key to the target, encrypted where the
// session is, and waits until the target closes, which is when it has acted.
func (e *Engine) cancelUpstream(ctx context.Context, c *cancellable) error {
	ctx, cancel := context.WithTimeout(ctx, e.handshake)
	defer cancel()
	conn, err := e.dial(ctx, c.session)
	if err != nil {
		return fmt.Errorf("reach the target to cancel: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(longAgo) })()
	if _, err := conn.Write(cancelPacket(c.up.pid, c.up.secret)); err != nil {
		return fmt.Errorf("send a cancel request: %w", err)
	}
	// An answer would be an error: nobody reads it, as libpq does not.
	if _, err := io.Copy(io.Discard, io.LimitReader(conn, maxLoginMessage)); err != nil && !isReset(err) {
		return fmt.Errorf("wait for a cancel request: %w", err)
	}
	return nil
}

func cancelPacket(pid uint32, secret []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(12+len(secret)))
	b = binary.BigEndian.AppendUint32(b, codeCancel)
	b = binary.BigEndian.AppendUint32(b, pid)
	return append(b, secret...)
}

// isReset reports whether the peer closed in one way or another, and not late.
func isReset(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &op) && !op.Timeout()
}
