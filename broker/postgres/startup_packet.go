package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// What stands where a startup packet has its version ("SSLRequest",
// "GSSENCRequest", "CancelRequest", "StartupMessage").
const (
	codeCancel = 1234<<16 | 5678
	codeSSL    = 1234<<16 | 5679
	codeGSSENC = 1234<<16 | 5680

	protocol30    = 3 << 16
	newestMinor   = 2     // 3.2: cancel keys of other lengths than four bytes
	maxStartup    = 10000 // MAX_STARTUP_PACKET_LENGTH of PostgreSQL
	maxCancelKey  = 256   // protocol 3.2, "BackendKeyData"
	cancelKeyOf30 = 4
)

// setting is one parameter of a startup packet.
type setting struct{ name, value string }

// startupPacket is the first packet of a client, whichever it is.
type startupPacket struct {
	code     uint32 // a protocol version or one of the codes above
	settings []setting
	pid      uint32 // of a CancelRequest
	key      []byte // of a CancelRequest
}

func (p *startupPacket) major() uint32 { return p.code >> 16 }
func (p *startupPacket) minor() uint32 { return p.code & 0xffff }

// readStartup reads one packet and not a byte more.
func readStartup(r io.Reader) (*startupPacket, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("read the startup packet: %w", err)
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 8 || size > maxStartup {
		return nil, fmt.Errorf("%w: a startup packet of %d bytes", errProtocol, size)
	}
	body := make([]byte, size-4)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, fmt.Errorf("read the startup packet: %w", err)
	}
	p, err := decodeStartup(body)
	if err != nil {
		return nil, fmt.Errorf("%w: startup packet: %w", errProtocol, err)
	}
	return p, nil
}

// errProtocol is what a peer gets that does not speak the protocol.
var errProtocol = errors.New("protocol violation")

// decodeStartup takes a packet apart, without its length. Its strings are
// copies.
func decodeStartup(body []byte) (*startupPacket, error) {
	r := reader{rest: body}
	p := &startupPacket{code: r.uint32()}
	switch p.code {
	case codeSSL, codeGSSENC:
	case codeCancel:
		p.pid = r.uint32()
		if n := len(r.rest); n == 0 || n > maxCancelKey {
			r.fail(errCount)
		}
		p.key = append(p.key, r.take(len(r.rest))...)
	default:
		if p.major() == 3 {
			p.settings = r.settings()
		} else {
			r.rest = nil // another protocol: its rest means nothing to us
		}
	}
	return p, r.done()
}

// settings reads name and value pairs up to the empty name that ends them.
func (r *reader) settings() []setting {
	var all []setting
	for {
		name := r.cstring()
		if r.err != nil || len(name) == 0 {
			return all
		}
		all = append(all, setting{string(name), string(r.cstring())})
	}
}
