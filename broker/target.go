package broker

import (
	"net"
	"strconv"
)

// Target says where a connection leads.
type Target struct {
	Host     string
	Port     int
	Socket   string // path of a unix socket, instead of Host
	Database string
	// Databases lists further databases that a client may name; "*" is any.
	Databases []string
	TLS       TargetTLS
	// AnalyseAlways has an engine ask the target what a statement reads before
	// each one runs, also where it just answered that for one of the same shape.
	AnalyseAlways bool
	SSH           TargetSSH
}

// TargetSSH says how the broker proves who an SSH target is, and whom it logs
// in as.
type TargetSSH struct {
	// HostKeys are public keys in the form of authorized_keys, one of which the
	// target must have; HostCAs those that may have signed its key. One of the
	// two is needed.
	HostKeys, HostCAs []string
	// Logins are users at the target that a client may name besides the
	// credential's; "*" is any.
	Logins []string
}

// TargetTLS says how the broker proves who the target is.
type TargetTLS struct {
	// Mode is verify-full (the zero value's meaning), verify-ca, require
	// (encrypted, nobody verified) or disable.
	Mode       string
	CAFile     string // PEM; the system's roots where empty
	CertFile   string // client certificate, PEM
	KeyFile    string
	ServerName string // Host where empty
}

// Address is the host:port to dial.
func (t *Target) Address() string { return net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) }

// Secret is what a target asks for. It never leaves the broker, and formatting
// it shows nothing.
type Secret struct {
	User     string
	Password string
	Kind     SecretKind
	// PrivateKey is in PEM, for SSHKey.
	PrivateKey []byte
}

// SecretKind tells how a secret proves who its user is.
type SecretKind string

// The kinds of secrets.
const (
	Password SecretKind = ""        // by Secret.Password
	SSHKey   SecretKind = "ssh_key" // by Secret.PrivateKey
	SSHCA    SecretKind = "ssh_ca"  // by a certificate that the broker signs for each login
)

// String hides the secret.
func (*Secret) String() string { return "broker.Secret(hidden)" }

// GoString hides the secret from %#v.
func (s *Secret) GoString() string { return s.String() }
