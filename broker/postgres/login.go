package postgres

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"

	"hoop/broker"
)

// Bounds on what a target may send while the broker logs in.
const (
	maxLoginMessage  = 64 << 10
	maxLoginMessages = 1000
)

// login is one login at the target in progress.
type login struct {
	conn   net.Conn
	in     *bufio.Reader
	target *broker.Target
	secret *broker.Secret
	engine *Engine
	sasl   *saslLogin // once begun
	up     *upstream
	// authenticated is set by AuthenticationOk.
	authenticated bool
}

func (e *Engine) login(conn net.Conn, t *broker.Target, secret *broker.Secret, database string, options map[string]string) (*upstream, error) {
	l := &login{conn: conn, in: bufio.NewReaderSize(conn, 4096), target: t, secret: secret, engine: e,
		up: &upstream{params: map[string]string{}, database: database}}
	if _, err := conn.Write(startupMessage(secret.User, database, options)); err != nil {
		return nil, unreachable("the target closed the connection", err)
	}
	if err := l.run(); err != nil {
		return nil, err
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	early, _ := l.in.Peek(l.in.Buffered()) // never fails: they are buffered
	l.up.conn, l.up.raw, l.up.version = withEarly(conn, early), rawSocket(conn), l.up.params["server_version"]
	return l.up, nil
}

// startupMessage asks for protocol 3.0, which every server and pooler speaks.
func startupMessage(user, database string, options map[string]string) []byte {
	params := map[string]string{}
	maps.Copy(params, options)
	maps.Copy(params, fixedSettings())
	b := binary.BigEndian.AppendUint32(make([]byte, 4, 256), protocol30)
	add := func(name, value string) {
		b = append(append(b, name...), 0)
		b = append(append(b, value...), 0)
	}
	add("user", user)
	add("database", database)
	for _, name := range slices.Sorted(maps.Keys(params)) {
		add(name, params[name])
	}
	b = append(b, 0)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}

// run answers the target until it is ready for queries.
func (l *login) run() error {
	for range maxLoginMessages {
		kind, body, err := readMessage(l.in)
		if err != nil {
			return unreachable("the target did not finish the login", err)
		}
		ready, err := l.handle(kind, body)
		if err != nil || ready {
			return err
		}
	}
	return unreachable("the target did not finish the login", errProtocol)
}

// readMessage reads one message of the target, allocating no more than arrives
// or maxLoginMessage.
func readMessage(r io.Reader) (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size < 4 || size > maxLoginMessage {
		return 0, nil, fmt.Errorf("%w: a message of %d bytes", errProtocol, size)
	}
	body = make([]byte, size-4)
	_, err = io.ReadFull(r, body)
	return head[0], body, err
}

// handle takes one message, PostgreSQL "Start-up". ready is true at the end.
func (l *login) handle(kind byte, body []byte) (ready bool, err error) {
	r := reader{rest: body}
	switch kind {
	case 'R':
		return false, l.authenticate(&r)
	case 'S':
		name, value := r.cstring(), r.cstring()
		l.up.params[string(name)] = string(value)
		err = r.done()
	case 'K':
		l.up.pid = r.uint32()
		l.up.secret = slices.Clone(r.take(min(len(r.rest), maxCancelKey)))
		err = r.done()
	case 'Z':
		status := r.byte()
		if err = r.done(); err == nil && (status != 'I' || !l.authenticated) {
			err = errProtocol
		}
		ready = true
	case 'E':
		return false, l.refused(body)
	case 'N': // a notice: the login's are the broker's, not the client's
	default:
		err = fmt.Errorf("%w: message %q", errProtocol, kind)
	}
	if err != nil {
		return false, unreachable("the target breaks the protocol", err)
	}
	return ready, nil
}

// refused words an ErrorResponse to the login. What concerns the credential
// says nothing of it, SQLSTATE class 28; the rest is as the target says it.
func (l *login) refused(body []byte) error {
	m, err := decodeError(body)
	if err != nil {
		return unreachable("the target breaks the protocol", err)
	}
	cause := fmt.Errorf("the target says: %s (%s)", m.message, m.code)
	if strings.HasPrefix(m.code, "28") || m.code == "" {
		return unreachable("the target does not accept the broker's credential", cause)
	}
	message := m.message
	if l.secret.Password != "" {
		message = strings.ReplaceAll(message, l.secret.Password, "***")
	}
	return &refusal{sqlstate: m.code, message: "the target refused the session: " + message, err: cause}
}

type errorMessage struct{ code, message string }

// decodeError reads the fields that matter here of an ErrorResponse.
func decodeError(body []byte) (m errorMessage, err error) {
	r := reader{rest: body}
	for r.err == nil {
		switch field := r.byte(); field {
		case 0:
			return m, r.done()
		case 'C':
			m.code = string(r.cstring())
		case 'M':
			m.message = string(r.cstring())
		default:
			r.cstring()
		}
	}
	return m, r.err
}

// check refuses a target that reads SQL in another way than policy does, which
// a pooler between may cause.
func (l *login) check() error {
	for name, want := range fixedSettings() {
		if got := l.up.params[name]; got != want {
			return unreachable(fmt.Sprintf("the target has %s=%s, hoop needs %s", name, got, want), nil)
		}
	}
	return nil
}
