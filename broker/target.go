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
}

// String hides the secret.
func (*Secret) String() string { return "broker.Secret(hidden)" }

// GoString hides the secret from %#v.
func (s *Secret) GoString() string { return s.String() }
