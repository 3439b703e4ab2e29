package ca

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	gossh "golang.org/x/crypto/ssh"
)

// How long certificates count, and how far a clock may be behind the broker's.
const (
	hostValidity = 12 * time.Hour
	userValidity = 2 * time.Minute
	skew         = time.Minute
)

// HostKeys are what a broker shows to clients as the host of a connection: its
// key with a certificate for the connection's name, and the bare key. Without a
// name the certificate is for all: for a refusal that names none.
func (a *Authority) HostKeys(name string, now time.Time) ([]gossh.Signer, error) {
	cert := &gossh.Certificate{
		Key: a.own.PublicKey(), Serial: serial(), CertType: gossh.HostCert, KeyId: "hoop " + name,
		ValidPrincipals: []string{name, name + ".hoop"},
		ValidAfter:      uint64(now.Add(-skew).Unix()), ValidBefore: uint64(now.Add(hostValidity).Unix()),
	}
	if name == "" {
		cert.ValidPrincipals = nil
	}
	if err := cert.SignCert(rand.Reader, a.host); err != nil {
		return nil, fmt.Errorf("certify the host key: %w", err)
	}
	signer, err := gossh.NewCertSigner(cert, a.own)
	if err != nil {
		return nil, err
	}
	return []gossh.Signer{signer, a.own}, nil
}

// Login is what a certificate for one login at a target says.
type Login struct {
	User  string // the principal of the certificate
	KeyID string // who is behind it; sshd logs it
	// Command is the only one that may run, where Forced, and nothing else then:
	// no forwards, and a terminal only with PTY.
	Command string
	Forced  bool
	PTY     bool
}

// UserKey makes a key with a certificate that counts for two minutes.
func (a *Authority) UserKey(l Login, now time.Time) (gossh.Signer, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := gossh.NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	cert := &gossh.Certificate{
		Key: key, Serial: serial(), CertType: gossh.UserCert, KeyId: l.KeyID, ValidPrincipals: []string{l.User},
		ValidAfter: uint64(now.Add(-skew).Unix()), ValidBefore: uint64(now.Add(userValidity).Unix()),
		Permissions: l.permissions(),
	}
	if err := cert.SignCert(rand.Reader, a.user); err != nil {
		return nil, fmt.Errorf("sign the login's certificate: %w", err)
	}
	signer, err := gossh.NewSignerFromKey(private)
	if err != nil {
		return nil, err
	}
	return gossh.NewCertSigner(cert, signer)
}

// permissions are in the words of OpenSSH's PROTOCOL.certkeys.
func (l *Login) permissions() gossh.Permissions {
	p := gossh.Permissions{Extensions: map[string]string{}}
	if l.Forced {
		p.CriticalOptions = map[string]string{"force-command": l.Command}
		if l.PTY {
			p.Extensions["permit-pty"] = ""
		}
		return p
	}
	for _, word := range []string{"permit-pty", "permit-port-forwarding", "permit-agent-forwarding", "permit-X11-forwarding", "permit-user-rc"} {
		p.Extensions[word] = ""
	}
	return p
}

func serial() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}
