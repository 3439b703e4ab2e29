package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
	"hoop/broker/ssh/ca"
)

// upstream is a connection to the target, logged in.
type upstream struct {
	conn     gossh.Conn
	below    *bulkConn
	channels <-chan gossh.NewChannel
	requests <-chan *gossh.Request
	hostKey  string // its fingerprint, as ssh-keygen -l shows it
}

// dial connects and logs in to the target. forced makes a certificate's login
// good for one command only; nil where it is not.
func (r *relay) dial(ctx context.Context, forced *ca.Login) (*upstream, error) {
	conn, err := r.s.Dial(ctx)
	if err != nil {
		return nil, err
	}
	up, err := r.logIn(ctx, conn, forced)
	if err != nil {
		_ = conn.Close()
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, &broker.Denial{Code: broker.CodeUnavailable, Message: fmt.Sprintf("the login at %s failed: %s", r.s.Connection.Name, r.withoutWords(err)),
			Hint: "this is between the broker and the target: its administrator has to look", Err: err}
	}
	return up, nil
}

func (r *relay) logIn(ctx context.Context, conn net.Conn, forced *ca.Login) (*upstream, error) {
	methods, err := r.methods(forced)
	if err != nil {
		return nil, err
	}
	up := &upstream{}
	conf, err := clientConfig(r.s.Target, r.s.Connection.Name)
	if err != nil {
		return nil, err
	}
	check := conf.HostKeyCallback
	conf.User, conf.Auth = r.login, methods
	conf.HostKeyCallback = func(addr string, remote net.Addr, key gossh.PublicKey) error {
		up.hostKey = gossh.FingerprintSHA256(key)
		return check(addr, remote, key)
	}
	if err := conn.SetDeadline(time.Now().Add(r.e.handshake)); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	up.below = r.e.bulk.newConn(conn)
	up.conn, up.channels, up.requests, err = gossh.NewClientConn(up.below, hostName(r.s.Target, r.s.Connection.Name), conf)
	if err != nil {
		return nil, err
	}
	if !stop() {
		_ = up.conn.Close()
		return nil, context.Cause(ctx)
	}
	return up, conn.SetDeadline(time.Time{})
}

// methods proves who the broker is, by what kind of secret it holds.
func (r *relay) methods(forced *ca.Login) ([]gossh.AuthMethod, error) {
	switch r.secret.Kind {
	case broker.SSHKey:
		key, err := parseKey(r.secret.PrivateKey)
		if err != nil {
			return nil, fmt.Errorf("the credential: %w", err)
		}
		return []gossh.AuthMethod{gossh.PublicKeys(key)}, nil
	case broker.SSHCA:
		login := ca.Login{}
		if forced != nil {
			login = *forced
		}
		login.User, login.KeyID = r.login, r.keyID()
		key, err := r.e.ca.UserKey(login, time.Now())
		if err != nil {
			return nil, err
		}
		return []gossh.AuthMethod{gossh.PublicKeys(key)}, nil
	case broker.Password:
		return []gossh.AuthMethod{gossh.Password(r.secret.Password), gossh.KeyboardInteractive(answerWith(r.secret.Password))}, nil
	}
	return nil, fmt.Errorf("no login by a credential of kind %q", r.secret.Kind)
}

// keyID is what the target's log says of a certificate: the session, and the
// whole chain of actors.
func (r *relay) keyID() string {
	return fmt.Sprintf("hoop %s %s via %s", r.s.ID, oneLine(r.s.Chain.String()), r.s.Connection.Name)
}

// answerWith gives the password to the one question that asks for something
// without showing it, RFC 4256 §3.2.
func answerWith(password string) gossh.KeyboardInteractiveChallenge {
	asked := false
	return func(_, _ string, questions []string, echos []bool) ([]string, error) {
		switch {
		case len(questions) == 0:
			return nil, nil
		case asked || len(questions) > 1 || echos[0]:
			return nil, errors.New("the target asks for more than a password")
		}
		asked = true
		return []string{password}, nil
	}
}

// clientConfig accepts no host key but those of the configuration.
func clientConfig(t *broker.Target, connection string) (*gossh.ClientConfig, error) {
	pinned, err := publicKeys(t.SSH.HostKeys)
	if err != nil {
		return nil, err
	}
	authorities, err := publicKeys(t.SSH.HostCAs)
	if err != nil {
		return nil, err
	}
	if len(pinned)+len(authorities) == 0 {
		return nil, fmt.Errorf("connection %s has neither host_keys nor host_cas", connection)
	}
	checker := &gossh.CertChecker{
		IsHostAuthority: func(key gossh.PublicKey, _ string) bool { return contains(authorities, key) },
		HostKeyFallback: func(_ string, _ net.Addr, key gossh.PublicKey) error {
			if contains(pinned, key) {
				return nil
			}
			return fmt.Errorf("the target's host key %s is not the one in the configuration", gossh.FingerprintSHA256(key))
		},
	}
	return &gossh.ClientConfig{
		Config: gossh.Config{Ciphers: ciphers()}, ClientVersion: version,
		HostKeyCallback: checker.CheckHostKey, HostKeyAlgorithms: hostKeyAlgorithms(pinned, len(authorities) > 0),
	}, nil
}

// hostName is what a host certificate must be for.
func hostName(t *broker.Target, connection string) string {
	if t.Socket != "" {
		return net.JoinHostPort(connection, "22")
	}
	return t.Address()
}

func publicKeys(lines []string) ([]gossh.PublicKey, error) {
	keys := make([]gossh.PublicKey, 0, len(lines))
	for _, l := range lines {
		key, _, _, _, err := gossh.ParseAuthorizedKey([]byte(l))
		if err != nil {
			return nil, fmt.Errorf("read a host key of the configuration: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func contains(keys []gossh.PublicKey, key gossh.PublicKey) bool {
	return slices.ContainsFunc(keys, func(k gossh.PublicKey) bool { return bytes.Equal(k.Marshal(), key.Marshal()) })
}

// hostKeyAlgorithms narrows what the target may show to what can be checked: it
// might have keys of other types too, and would choose one of those.
func hostKeyAlgorithms(pinned []gossh.PublicKey, certified bool) []string {
	var algorithms []string
	if certified {
		algorithms = append(algorithms, gossh.CertAlgoED25519v01, gossh.CertAlgoECDSA256v01, gossh.CertAlgoECDSA384v01,
			gossh.CertAlgoECDSA521v01, gossh.CertAlgoRSASHA512v01, gossh.CertAlgoRSASHA256v01)
	}
	for _, key := range pinned {
		if key.Type() == gossh.KeyAlgoRSA { // RFC 8332 §3: the format stays ssh-rsa
			algorithms = append(algorithms, gossh.KeyAlgoRSASHA512, gossh.KeyAlgoRSASHA256)
		} else {
			algorithms = append(algorithms, key.Type())
		}
	}
	return slices.Compact(algorithms)
}
