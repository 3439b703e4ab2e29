package sftp

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The types of packets, draft-ietf-secsh-filexfer-02 §3.
const (
	fxpInit          = 1
	fxpVersion       = 2
	fxpOpen          = 3
	fxpClose         = 4
	fxpRead          = 5
	fxpWrite         = 6
	fxpLstat         = 7
	fxpFstat         = 8
	fxpSetstat       = 9
	fxpFsetstat      = 10
	fxpOpendir       = 11
	fxpReaddir       = 12
	fxpRemove        = 13
	fxpMkdir         = 14
	fxpRmdir         = 15
	fxpRealpath      = 16
	fxpStat          = 17
	fxpRename        = 18
	fxpReadlink      = 19
	fxpSymlink       = 20
	fxpStatus        = 101
	fxpHandle        = 102
	fxpData          = 103
	fxpName          = 104
	fxpAttrs         = 105
	fxpExtended      = 200
	fxpExtendedReply = 201
)

// The codes of SSH_FXP_STATUS, draft-ietf-secsh-filexfer-02 §7.
const (
	StatusOK               = 0
	StatusEOF              = 1
	StatusNoSuchFile       = 2
	StatusPermissionDenied = 3
	StatusFailure          = 4
	StatusBadMessage       = 5
	StatusConnectionLost   = 7
	StatusUnsupported      = 8
)

// StatusText names a code as the draft does, without its prefix: "ok",
// "no_such_file". Unknown ones are numbers.
func StatusText(code uint32) string {
	names := [...]string{"ok", "eof", "no_such_file", "permission_denied", "failure", "bad_message",
		"no_connection", "connection_lost", "op_unsupported"}
	if int(code) < len(names) {
		return names[code]
	}
	return fmt.Sprintf("status %d", code)
}

// version is the one that is spoken.
const version = 3

// The limits of OpenSSH: a message is at most 256 KiB (sftp-common.h), a handle
// 256 bytes (draft §4), a path PATH_MAX. What is decided on stands in events, so
// that it is smaller than data.
const (
	headerLen  = 4
	maxMessage = 256 << 10
	maxFrame   = headerLen + maxMessage
	maxDecided = 16 << 10
	maxHandle  = 256
	maxPath    = 4096
	minRequest = headerLen + 1 + 4 // length, type, id
)

// A frame is one packet with its length in front.
type frame []byte

func (f frame) kind() byte   { return f[headerLen] }
func (f frame) id() uint32   { return binary.BigEndian.Uint32(f[headerLen+1:]) }
func (f frame) body() []byte { return f[minRequest:] }

// errTruncated is what a decoder reports, whatever it lacked.
var errTruncated = errors.New("a field ends beyond its packet, or more follows the last one")

// decoder reads fields; after the first that is not there it gives zeros.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n uint32) []byte {
	if d.bad || uint64(n) > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	out := d.b[:n:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) uint32() uint32 {
	b := d.take(4)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

func (d *decoder) uint64() uint64 {
	b := d.take(8)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// bytes reads a string of RFC 4251 §5; it aliases the packet.
func (d *decoder) bytes() []byte { return d.take(d.uint32()) }

// end reports whether all was there and nothing is left.
func (d *decoder) end() error {
	if d.bad || len(d.b) > 0 {
		return errTruncated
	}
	return nil
}

// begin starts a frame; finish writes its length.
func begin(kind byte, id uint32) []byte {
	b := make([]byte, headerLen, 64)
	b = append(b, kind)
	return binary.BigEndian.AppendUint32(b, id)
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

func finish(b []byte) frame {
	binary.BigEndian.PutUint32(b, uint32(len(b)-headerLen))
	return b
}

// statusFrame answers a request in the server's place (draft §7).
func statusFrame(id, code uint32, message string) frame {
	b := binary.BigEndian.AppendUint32(begin(fxpStatus, id), code)
	return finish(appendString(appendString(b, message), "en"))
}
