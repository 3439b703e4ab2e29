package postgres

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// errShort and the like are told to whoever sent the message; they never hold
// anything of it.
var (
	errShort    = errors.New("the message ends too early")
	errLong     = errors.New("the message has bytes after its end")
	errNoNUL    = errors.New("a string in the message has no end")
	errCount    = errors.New("the message holds a count that does not fit")
	errSubtype  = errors.New("the message has an unknown subtype")
	errNegative = errors.New("the message holds a negative length")
)

// reader takes a message body apart. It never panics, allocates nothing, and
// what it returns aliases the body. The first error stays and makes every later
// call return zero values, so that callers check once, with done.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}

// take gives the next n bytes.
func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.fail(errShort)
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// cstring gives the bytes before the next NUL and steps over it.
func (r *reader) cstring() []byte {
	i := bytes.IndexByte(r.rest, 0)
	if i < 0 {
		r.fail(errNoNUL)
		return nil
	}
	b := r.take(i)
	r.take(1)
	return b
}

// count reads a count of items of at least size bytes each. The documentation
// calls it an Int16; PostgreSQL and its clients go up to 65,535.
func (r *reader) count(size int) int {
	n := int(r.uint16())
	if n > len(r.rest)/size {
		r.fail(errCount)
		return 0
	}
	return n
}

// values walks over n length-prefixed values and gives them as one stretch.
func (r *reader) values(n int) values {
	start := r.rest
	for range n {
		size := int32(r.uint32())
		if size < -1 {
			r.fail(errNegative)
		}
		if size > 0 {
			r.take(int(size))
		}
	}
	if r.err != nil {
		return values{}
	}
	return values{n: n, rest: start[:len(start)-len(r.rest)]}
}

// done gives the first error, or one if the body goes on.
func (r *reader) done() error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = errLong
	}
	return r.err
}

// values are length-prefixed values, one after the other, checked already.
type values struct {
	n    int
	rest []byte
}

// count tells how many are left.
func (v *values) count() int { return v.n }

// next gives the next value; ok is false after the last. A NULL is nil, an
// empty value is not.
func (v *values) next() (value []byte, ok bool) {
	if v.n == 0 || len(v.rest) < 4 {
		return nil, false
	}
	v.n--
	size := int32(binary.BigEndian.Uint32(v.rest))
	v.rest = v.rest[4:]
	if size < 0 {
		return nil, true
	}
	value = v.rest[:size:size]
	v.rest = v.rest[size:]
	return value, true
}

// codes are the format codes of a Bind or FunctionCall, two bytes each.
type codes []byte

func (c codes) count() int { return len(c) / 2 }

// at gives the code that holds for item i: none means text for all, one means
// that one for all ("Bind", "Formats and Format Codes").
func (c codes) at(i int) int16 {
	switch {
	case len(c) == 2:
		i = 0
	case i < 0 || i >= c.count():
		return 0
	}
	return int16(binary.BigEndian.Uint16(c[2*i:]))
}

// oids are type OIDs, four bytes each.
type oids []byte

func (o oids) count() int { return len(o) / 4 }

// at gives the OID of item i, 0 (unspecified) beyond the last.
func (o oids) at(i int) uint32 {
	if i < 0 || i >= o.count() {
		return 0
	}
	return binary.BigEndian.Uint32(o[4*i:])
}
