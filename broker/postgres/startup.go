package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgproto3/v2"

	"hoop/broker"
	"hoop/policy"
)

// longAgo is a deadline that ends reads in progress.
var longAgo = time.Unix(1, 0)

// maxNegotiations bounds the requests for encryption before a startup packet:
// libpq makes at most one of each kind.
const maxNegotiations = 4

// awaitStartup reads the client's startup or cancel packet within the handshake
// timeout. It gives nil for a client that leaves without one, as probes do.
func (e *Engine) awaitStartup(ctx context.Context, client net.Conn) (*startupPacket, error) {
	if err := client.SetDeadline(time.Now().Add(e.handshake)); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = client.SetReadDeadline(longAgo) })()
	p, err := negotiate(client)
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return p, client.SetDeadline(time.Time{})
}

// negotiate answers requests for encryption with no (the tunnel is encrypted
// already; PostgreSQL "SSL Session Encryption", "GSSAPI Session Encryption")
// until another packet comes. Nothing can be slipped in ahead of encryption,
// CVE-2021-23214, because none is ever switched on here and no byte is read
// beyond a packet.
func negotiate(client io.ReadWriter) (*startupPacket, error) {
	for range maxNegotiations {
		p, err := readStartup(client)
		if err != nil {
			return nil, err
		}
		if p.code != codeSSL && p.code != codeGSSENC {
			return p, nil
		}
		if _, err := client.Write([]byte{'N'}); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: too many requests for encryption", errProtocol)
}

// watch gives a context that ends when the client leaves while it has to wait.
// stop gives the client back, with a byte that it may have sent meanwhile.
func watch(ctx context.Context, client net.Conn) (_ context.Context, stop func() net.Conn) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	var early [1]byte
	var n int
	go func() {
		defer close(done)
		var err error
		n, err = client.Read(early[:])
		if n == 0 && !errors.Is(err, os.ErrDeadlineExceeded) {
			cancel(errClientGone)
		}
	}()
	return ctx, func() net.Conn {
		_ = client.SetReadDeadline(longAgo)
		<-done
		cancel(nil)
		_ = client.SetReadDeadline(time.Time{})
		return withEarly(client, early[:n])
	}
}

var errClientGone = errors.New("the client left")

// withEarly gives a connection on which the bytes in early are read first.
func withEarly(c net.Conn, early []byte) net.Conn {
	if len(early) == 0 {
		return c
	}
	return &earlyConn{Conn: c, early: early}
}

type earlyConn struct {
	net.Conn
	early []byte
}

func (c *earlyConn) Read(b []byte) (int, error) {
	if len(c.early) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.early)
	c.early = c.early[n:]
	return n, nil
}

// open judges what the client asks for and logs in to the target.
func (e *Engine) open(ctx context.Context, s *broker.Session, p *startupPacket) (*upstream, error) {
	ask, err := p.request()
	if err != nil {
		return nil, err
	}
	database, err := chooseDatabase(s.Target, ask.database)
	if err != nil {
		return nil, err
	}
	if err := s.Open(ctx, database); err != nil {
		return nil, err
	}
	if ask.replication {
		return nil, e.refuseReplication(ctx, s)
	}
	tickets, err := e.judgeSettings(ctx, s, ask.settings)
	if err != nil {
		return nil, err
	}
	level, armed := arm(s, ask.settings)
	up, err := e.connect(ctx, s, database, ask.settings)
	finish(s, tickets, err)
	if err == nil {
		up.atStart = level
		up.armed.Store(armed)
		up.level.Store(level)
	}
	return up, err
}

// arm makes the target tell of statements where columns are labelled.
func arm(s *broker.Session, settings map[string]string) (level int32, armed bool) {
	level, ok := levelOf(settings[levelSetting])
	if !ok {
		level, _ = levelOf("notice")
	}
	if len(s.Labels()) == 0 {
		return level, false
	}
	maps.Copy(settings, treeSettings())
	return level, true
}

// chooseDatabase gives the database that a client reaches. Unlike with
// PostgreSQL, where it names none it gets the target's and not its user's.
func chooseDatabase(t *broker.Target, asked string) (string, error) {
	if asked == "" {
		asked = t.Database
	}
	switch {
	case asked == "":
		return "", &refusal{sqlstate: "3D000", message: "no database was named, and the connection has none of its own",
			hint: "name a database"}
	case asked == t.Database, slices.Contains(t.Databases, asked), slices.Contains(t.Databases, "*"):
		return asked, nil
	}
	names := t.Databases
	if t.Database != "" {
		names = append([]string{t.Database}, names...)
	}
	return "", &refusal{sqlstate: "3D000", message: fmt.Sprintf("this connection does not lead to a database %q", asked),
		hint: "it leads to: " + strings.Join(names, ", ")}
}

// refuseReplication lets policy have its say, so that the record shows it, and
// refuses either way.
func (e *Engine) refuseReplication(ctx context.Context, s *broker.Session) error {
	a := &broker.Action{Action: policy.Action{Verb: "sql.replication", Text: "START_REPLICATION",
		SQL: &policy.SQL{Kind: "replication", Effects: []string{"admin"}, Unknown: true, Why: "a replication stream carries every row"}}}
	t, err := s.Decide(ctx, a)
	if err != nil {
		return err
	}
	s.Finish(t, broker.Outcome{Result: "error", Code: "0A000"})
	return &refusal{sqlstate: "0A000", message: "hoop does not carry replication connections",
		hint: "replicate over a direct connection"}
}

// keySize is the length of the cancel key that the client's protocol carries.
func (p *startupPacket) keySize() int {
	if p.minor() >= 2 {
		return 32
	}
	return cancelKeyOf30
}

// welcome appends what comes before everything else, once.
func (l *lobby) welcome(dst []byte) []byte {
	if l.admitted {
		return dst
	}
	l.admitted = true
	return encode(l.packet.negotiation(dst), &pgproto3.AuthenticationOk{})
}

// greet tells the client that it is in, and all that the target told of itself.
func (e *Engine) greet(l *lobby, client net.Conn, c *cancellable, up *upstream) error {
	buf := l.welcome(nil)
	for _, name := range slices.Sorted(maps.Keys(up.params)) {
		buf = encode(buf, &pgproto3.ParameterStatus{Name: name, Value: up.params[name]})
	}
	buf = c.appendKeyData(buf)
	buf = encode(buf, &pgproto3.ReadyForQuery{TxStatus: 'I'})
	if err := client.SetWriteDeadline(time.Now().Add(e.handshake)); err != nil {
		return err
	}
	if _, err := client.Write(buf); err != nil {
		return fmt.Errorf("greet the client: %w", err)
	}
	return client.SetWriteDeadline(time.Time{})
}
