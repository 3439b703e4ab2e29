package postgres

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// request is what a startup packet asks for.
type request struct {
	database    string
	replication bool
	settings    map[string]string // session settings, by lower-case name
}

// request reads the parameters of a StartupMessage. user means nothing here:
// who the client is, the tunnel has proved, and the target's user is the
// broker's affair.
func (p *startupPacket) request() (*request, error) {
	if p.major() != 3 {
		return nil, &refusal{sqlstate: "0A000",
			message: fmt.Sprintf("unsupported frontend protocol %d.%d: hoop speaks 3.0 to 3.%d", p.major(), p.minor(), newestMinor)}
	}
	ask := &request{settings: map[string]string{}}
	var options string
	for _, set := range p.settings {
		switch {
		case set.name == "user", strings.HasPrefix(set.name, extensionPrefix):
		case set.name == "database":
			ask.database = set.value
		case set.name == "replication":
			ask.replication = !isOff(set.value)
		case set.name == "options":
			options = set.value
		default:
			if err := ask.set(set.name, set.value); err != nil {
				return nil, err
			}
		}
	}
	return ask, ask.setOptions(options)
}

// extensionPrefix begins the names of protocol options; hoop knows none, and
// says so in NegotiateProtocolVersion.
const extensionPrefix = "_pq_."

// isOff reports whether a boolean of PostgreSQL is certainly false.
func isOff(value string) bool {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "", "0", "off", "of", "no", "n", "false", "fals", "fal", "fa", "f":
		return true
	}
	return false
}

// negotiation appends NegotiateProtocolVersion where the client asks for more
// than hoop knows. Its first number is a whole version, as libpq reads it.
func (p *startupPacket) negotiation(dst []byte) []byte {
	var unknown []string
	for _, set := range p.settings {
		if strings.HasPrefix(set.name, extensionPrefix) {
			unknown = append(unknown, set.name)
		}
	}
	if p.minor() <= newestMinor && len(unknown) == 0 {
		return dst
	}
	body := binary.BigEndian.AppendUint32(nil, protocol30+min(p.minor(), newestMinor))
	body = binary.BigEndian.AppendUint32(body, uint32(len(unknown)))
	for _, name := range unknown {
		body = append(append(body, name...), 0)
	}
	dst = append(dst, 'v')
	dst = binary.BigEndian.AppendUint32(dst, uint32(4+len(body)))
	return append(dst, body...)
}
