package recorder

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// A frame is one event on disk:
//
//	length uint32 LE (the payload's, bit 31: the body was erased)
//	crc32c uint32 LE (over length, salt and payload)
//	salt   16 bytes
//	payload
//
// The Merkle tree covers commitment = SHA-256(salt ‖ payload), not the payload:
// a body can be erased, leaving its commitment, and every proof still holds.
// The salt keeps a short erased body from being guessed. A length of zero ends
// a segment; what follows is preallocated zeros.
const (
	frameHeader = 24
	saltSize    = 16
	erasedBit   = 1 << 31
	maxPayload  = 64 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frame points into the bytes that it was read from.
type frame struct {
	offset  int64
	raw     []byte
	erased  bool
	payload []byte // nil where erased
}

// commitment is what the tree's leaf is the hash of.
func (f *frame) commitment() tlog.Hash {
	if f.erased {
		return tlog.Hash(f.raw[frameHeader : frameHeader+tlog.HashSize])
	}
	return sha256.Sum256(f.raw[8:])
}

func (f *frame) salt() []byte { return f.raw[8:frameHeader] }

// index reads the event's index; an erased frame has lost its own.
func (f *frame) index() (uint64, bool) {
	rest, ok := bytes.CutPrefix(f.payload, []byte(indexKey))
	end := bytes.IndexByte(rest, ',')
	if !ok || end < 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(rest[:end]), 10, 64)
	return n, err == nil
}

// leafHash is RFC 6962 §2.1 for a leaf, without tlog's allocation.
func leafHash(commitment tlog.Hash) tlog.Hash {
	var b [1 + tlog.HashSize]byte
	copy(b[1:], commitment[:])
	return sha256.Sum256(b[:])
}

// seal fills in length and checksum of a frame whose salt and payload stand.
func seal(raw []byte) {
	binary.LittleEndian.PutUint32(raw, uint32(len(raw)-frameHeader))
	binary.LittleEndian.PutUint32(raw[4:], checksum(raw))
}

func checksum(raw []byte) uint32 {
	return crc32.Update(crc32.Checksum(raw[:4], castagnoli), castagnoli, raw[8:])
}

// errEnd says that a segment's frames end here.
var errEnd = errors.New("end of the segment")

// DamageError tells where a log is not what was written.
type DamageError struct {
	Segment string // file name
	Offset  int64  // bytes from the file's begin
	What    string
	torn    bool // nothing readable follows: what a crash leaves
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s is damaged at byte %d: %s", e.Segment, e.Offset, e.What)
}

// parseFrame reads the frame at the begin of data.
func parseFrame(data []byte) (frame, error) {
	if len(data) < 4 || binary.LittleEndian.Uint32(data) == 0 {
		if len(bytes.TrimLeft(data, "\x00")) > 0 {
			return frame{}, errors.New("a frame of no length, and data after it")
		}
		return frame{}, errEnd
	}
	word := binary.LittleEndian.Uint32(data)
	size := int64(word &^ erasedBit)
	switch {
	case size > maxPayload:
		return frame{}, fmt.Errorf("a frame of %d bytes, over the limit of %d", size, maxPayload)
	case frameHeader+size > int64(len(data)):
		return frame{}, fmt.Errorf("a frame of %d bytes, of which %d are there", frameHeader+size, len(data))
	}
	f := frame{raw: data[:frameHeader+size], erased: word&erasedBit != 0}
	if binary.LittleEndian.Uint32(data[4:]) != checksum(f.raw) {
		return frame{}, errors.New("a frame with a wrong checksum")
	}
	if f.erased && size < tlog.HashSize {
		return frame{}, errors.New("an erased frame without its commitment")
	}
	if !f.erased {
		f.payload = f.raw[frameHeader:]
	}
	return f, nil
}

// walk calls fn for each frame of data, which begins base bytes into the file
// called name. It returns where the frames end: with a *DamageError that is
// where the damage begins.
func walk(name string, data []byte, base int64, fn func(*frame) error) (int64, error) {
	for at := 0; ; {
		f, err := parseFrame(data[at:])
		if errors.Is(err, errEnd) {
			return base + int64(at), nil
		}
		if err != nil {
			d := &DamageError{Segment: name, Offset: base + int64(at), What: err.Error()}
			d.torn = !anyFrame(data[at:])
			return d.Offset, d
		}
		f.offset = base + int64(at)
		if err := fn(&f); err != nil {
			return f.offset, err
		}
		at += len(f.raw)
	}
}

// anyFrame reports whether a whole frame stands anywhere after the broken one
// that data begins with. A crash leaves none: it cuts at the end.
func anyFrame(data []byte) bool {
	if len(data) < frameHeader {
		return false
	}
	if next := frameHeader + int64(binary.LittleEndian.Uint32(data)&^erasedBit); next < int64(len(data)) {
		if _, err := parseFrame(data[next:]); err == nil {
			return true
		}
	}
	for at := 1; ; at++ {
		i := bytes.Index(data[at:], []byte(indexKey))
		if i < 0 {
			return false
		}
		at += i
		if at < frameHeader+1 {
			continue
		}
		if _, err := parseFrame(data[at-frameHeader:]); err == nil {
			return true
		}
	}
}
