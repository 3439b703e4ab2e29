package postgres

import (
	"crypto/md5"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/jackc/pgproto3/v2"
)

// The codes of authentication messages, PostgreSQL "Message Formats".
const (
	authOK           = 0
	authCleartext    = 3
	authMD5          = 5
	authSASL         = 10
	authSASLContinue = 11
	authSASLFinal    = 12
)

// authenticate answers one authentication message.
func (l *login) authenticate(r *reader) error {
	switch code := r.uint32(); code {
	case authOK:
		return l.accepted(r.done())
	case authCleartext:
		return l.cleartext(r.done())
	case authMD5:
		salt := r.take(4)
		return l.md5(salt, r.done())
	case authSASL:
		return l.beginSASL(r)
	case authSASLContinue, authSASLFinal:
		return l.continueSASL(code, r.take(len(r.rest)))
	default:
		return unreachable(fmt.Sprintf("the target asks for authentication method %d, which hoop does not know", code), nil)
	}
}

// accepted takes AuthenticationOk. One that comes in the middle of SCRAM would
// skip the server's proof that it knows the password, and is no login.
func (l *login) accepted(err error) error {
	if err == nil && l.sasl != nil && !l.sasl.valid {
		err = errors.New("the server did not prove that it knows the password")
	}
	if err != nil {
		return unreachable("the target breaks the protocol", err)
	}
	l.authenticated = true
	return nil
}

// cleartext sends the password as it is, to a server that has proved who it
// is, or over a unix socket.
func (l *login) cleartext(err error) error {
	if err != nil {
		return unreachable("the target breaks the protocol", err)
	}
	if !l.trusted() {
		return unreachable("the target asks for the password in clear, and the connection to it is not verified TLS",
			errors.New("cleartext password refused"))
	}
	return l.sendPassword(l.secret.Password)
}

func (l *login) trusted() bool {
	if _, ok := l.conn.(*tls.Conn); ok {
		return verifies(l.target.TLS.Mode)
	}
	return l.conn.RemoteAddr().Network() == "unix"
}

// md5 sends "md5" + md5(md5(password + user) + salt), in hexadecimal.
func (l *login) md5(salt []byte, err error) error {
	if err != nil {
		return unreachable("the target breaks the protocol", err)
	}
	inner := md5Hex(l.secret.Password + l.secret.User)
	return l.sendPassword("md5" + md5Hex(inner+string(salt)))
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

func (l *login) sendPassword(answer string) error {
	if l.secret.Password == "" {
		return unreachable("the target asks for a password, and the credential has none", nil)
	}
	return l.send(encode(nil, &pgproto3.PasswordMessage{Password: answer}))
}

func (l *login) send(frame []byte) error {
	if _, err := l.conn.Write(frame); err != nil {
		return unreachable("the target closed the connection", err)
	}
	return nil
}

// rawSocket finds the socket beneath TLS.
func rawSocket(conn net.Conn) syscall.Conn {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	raw, _ := conn.(syscall.Conn)
	return raw
}
