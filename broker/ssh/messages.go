package ssh

import gossh "golang.org/x/crypto/ssh"

// ptyRequest is RFC 4254 §6.2.
type ptyRequest struct {
	Term                         string
	Columns, Rows, Width, Height uint32
	Modes                        string
}

// windowChange is RFC 4254 §6.7.
type windowChange struct{ Columns, Rows, Width, Height uint32 }

// setenv is RFC 4254 §6.4.
type setenv struct{ Name, Value string }

// execRequest is RFC 4254 §6.5, for a subsystem too.
type execRequest struct{ Command string }

// exitStatus and exitSignal are RFC 4254 §6.10.
type exitStatus struct{ Status uint32 }

type exitSignal struct {
	Signal   string
	Dumped   bool
	Message  string
	Language string
}

// xonXoff is RFC 4254 §6.8.
type xonXoff struct{ ClientCanDo bool }

// direct is RFC 4254 §7.2; a forwarded-tcpip channel has the same fields.
type direct struct {
	Host       string
	Port       uint32
	Originator string
	OriginPort uint32
}

// directLocal is OpenSSH PROTOCOL §2.4.
type directLocal struct {
	Path     string
	Reserved string
	Number   uint32
}

// forwardedLocal is OpenSSH PROTOCOL §2.4.
type forwardedLocal struct {
	Path     string
	Reserved string
}

// x11Channel is RFC 4254 §6.3.2.
type x11Channel struct {
	Originator string
	Port       uint32
}

// forwardRequest is RFC 4254 §7.1.
type forwardRequest struct {
	Host string
	Port uint32
}

// forwardPort is the answer to one for port 0.
type forwardPort struct{ Port uint32 }

// forwardLocalRequest is OpenSSH PROTOCOL §2.4.
type forwardLocalRequest struct{ Path string }

// read decodes a payload; false where it is malformed.
func read(payload []byte, into any) bool { return gossh.Unmarshal(payload, into) == nil }
