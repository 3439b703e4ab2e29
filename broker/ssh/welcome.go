package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
	"unicode"

	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
	"hoop/broker/approval"
)

// What the two sides read in the identification, RFC 4253 §4.2. Only a server
// that begins like this is told by OpenSSH's client that it will read no more
// (OpenSSH PROTOCOL §2.1), without which a command whose output nobody wants
// would run on.
const (
	version       = "SSH-2.0-hoop"
	serverVersion = "SSH-2.0-OpenSSH_hoop"
)

// farewell is how long a client has to take the last words of its session.
const farewell = 500 * time.Millisecond

// stillWaiting is how often a client that waits is told so.
const stillWaiting = 5 * time.Minute

// defaultLogin is the user name that stands for the credential's.
const defaultLogin = "hoop"

// ciphers are offered to both sides: those with hardware support first.
// chacha20-poly1305 would be the choice of many clients, and costs several times
// as much.
func ciphers() []string {
	return []string{gossh.CipherAES128GCM, gossh.CipherAES256GCM, gossh.CipherAES256CTR, gossh.CipherAES128CTR}
}

// front is the client's side of a session once it is let in.
type front struct {
	conn     *gossh.ServerConn
	channels <-chan gossh.NewChannel
	requests <-chan *gossh.Request
}

// lobby is where a client waits before its session is open.
type lobby struct {
	relay  *relay
	ctx    context.Context //nolint:containedctx // the callback of the handshake gets none
	client net.Conn
	pre    gossh.ServerPreAuthConn
	login  string // as the client names it
	denied error
}

// welcome does the client's handshake. Within it the session is opened, since
// only then is there a login name and not yet a success.
func (r *relay) welcome(ctx context.Context, client net.Conn) (*front, error) {
	l := &lobby{relay: r, ctx: ctx, client: client}
	conf, err := r.e.serverConfig(r.s.Connection.Name)
	if err != nil {
		return nil, err
	}
	conf.PreAuthConnCallback = func(c gossh.ServerPreAuthConn) { l.pre = c }
	conf.NoClientAuthCallback = l.admit
	conf.KeyboardInteractiveCallback = l.refuseAgain
	if err := client.SetDeadline(time.Now().Add(r.e.handshake)); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = client.SetDeadline(time.Now().Add(farewell)) })()
	r.below = r.e.bulk.newConn(client)
	conn, channels, requests, err := gossh.NewServerConn(r.below, conf)
	switch {
	case l.denied != nil:
		return nil, l.denied
	case err != nil:
		return nil, fmt.Errorf("the client's handshake: %w", err)
	}
	return &front{conn, channels, requests}, client.SetDeadline(time.Time{})
}

// serverConfig authenticates nobody: the tunnel did.
func (e *Engine) serverConfig(connection string) (*gossh.ServerConfig, error) {
	keys, err := e.ca.HostKeys(connection, time.Now())
	if err != nil {
		return nil, err
	}
	conf := &gossh.ServerConfig{Config: gossh.Config{Ciphers: ciphers()}, ServerVersion: serverVersion, NoClientAuth: true}
	for _, k := range keys {
		conf.AddHostKey(k)
	}
	return conf, nil
}

// admit answers the method "none", RFC 4252 §5.2. A refusal is told in a
// banner (§5.4), and then the authentication fails.
func (l *lobby) admit(c gossh.ConnMetadata) (*gossh.Permissions, error) {
	if l.denied != nil {
		return nil, l.denied
	}
	err := l.relay.e.guard(l.relay.s, func() error { return l.open(c.User()) })
	_ = l.client.SetDeadline(time.Now().Add(l.relay.e.handshake))
	if err == nil {
		return &gossh.Permissions{}, nil
	}
	if cause := context.Cause(l.ctx); cause != nil {
		err = cause
	}
	l.denied = err
	return nil, &gossh.BannerError{Err: err, Message: refusalText("", err)}
}

// refuseAgain lets a refused client hear that authentication failed, in place
// of a conn that just ends: it needs a method to go on with for that.
func (l *lobby) refuseAgain(gossh.ConnMetadata, gossh.KeyboardInteractiveChallenge) (*gossh.Permissions, error) {
	if l.denied == nil {
		return nil, errors.New("the method is none")
	}
	return nil, l.denied
}

// open waits for people for as long as they take. The client's leaving ends
// ctx: see watchedConn.
func (l *lobby) open(user string) error {
	r := l.relay
	if err := l.client.SetDeadline(time.Time{}); err != nil {
		return err
	}
	if l.login = user; user == defaultLogin {
		l.login = ""
	}
	r.s.SetHolder(l)
	err := r.s.Open(l.ctx, l.login)
	r.s.SetHolder(nil)
	if err != nil {
		return err
	}
	return r.begin(l.ctx, l.login)
}

// begin finds out whom to log in as, and starts to.
func (r *relay) begin(ctx context.Context, login string) error {
	secret, err := r.s.Credential(ctx)
	if err != nil {
		return err
	}
	if login == "" {
		login = secret.User
	}
	allowed := r.s.Target.SSH.Logins
	if login != secret.User && !slices.Contains(allowed, login) && (!slices.Contains(allowed, "*") || !plainLogin(login)) {
		return &broker.Denial{Code: broker.CodeDenied, Message: fmt.Sprintf("login %q is none of those of %s", login, r.s.Connection.Name),
			Hint: "give no user name, or one of: " + strings.Join(append([]string{secret.User}, allowed...), ", ")}
	}
	r.login, r.secret = login, secret
	r.spawn(func() error { return r.reach(ctx) })
	return nil
}

// plainLogin reports whether a login name means itself to every server. sshd
// cuts what follows a colon off, as the style of the authentication, and with
// Debian's patches what follows a slash, as the role; others end at a NUL.
func plainLogin(name string) bool {
	return !strings.ContainsFunc(name, func(c rune) bool {
		return c == ':' || c == '/' || c == unicode.ReplacementChar || unicode.IsSpace(c) || !unicode.IsPrint(c)
	})
}

// Hold tells the client in banners why it waits.
func (l *lobby) Hold(ctx context.Context, notice string) error {
	for {
		if err := l.pre.SendAuthBanner(notice + "\n"); err != nil {
			return fmt.Errorf("%w: %w", errClientGone, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(stillWaiting):
		}
	}
}

// Meaning is the login alone before there is a session at the target.
func (l *lobby) Meaning(context.Context, *broker.Action) (approval.Meaning, error) {
	if l.login == "" {
		return approval.Meaning{}, nil
	}
	return approval.Meaning{Settings: []string{"login=" + l.login}}, nil
}

// Refuse does a handshake that ends in a banner with the denial. See
// broker.Engine.
func (e *Engine) Refuse(client net.Conn, d *broker.Denial) error {
	defer client.Close()
	conf, err := e.serverConfig("")
	if err != nil {
		return err
	}
	told := false
	conf.NoClientAuthCallback = func(gossh.ConnMetadata) (*gossh.Permissions, error) {
		if told {
			return nil, d
		}
		told = true
		return nil, &gossh.BannerError{Err: d, Message: refusalText("", d)}
	}
	conf.KeyboardInteractiveCallback = func(gossh.ConnMetadata, gossh.KeyboardInteractiveChallenge) (*gossh.Permissions, error) {
		return nil, d
	}
	if err := client.SetDeadline(time.Now().Add(e.handshake)); err != nil {
		return err
	}
	if _, _, _, err = gossh.NewServerConn(client, conf); told {
		return nil
	}
	return err
}
