package mask

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"
)

// The methods below read a value in PostgreSQL's text or binary format
// (src/backend/utils/adt, the type's out and send functions), replace it and
// write it in the same format. False means NULL.

func (m *Method) integer(dst, value []byte, bin bool) ([]byte, bool) {
	r, ok := m.how.(integerReplacer)
	if !ok {
		return dst, false
	}
	v, ok := readInteger(value, bin)
	if !ok {
		return dst, false
	}
	if v, ok = r.integer(v); !ok {
		return dst, false
	}
	if !bin {
		return strconv.AppendInt(dst, v, 10), true
	}
	switch len(value) {
	case 2:
		return binary.BigEndian.AppendUint16(dst, uint16(v)), v == int64(int16(v))
	case 4:
		return binary.BigEndian.AppendUint32(dst, uint32(v)), v == int64(int32(v))
	default:
		return binary.BigEndian.AppendUint64(dst, uint64(v)), true
	}
}

func readInteger(value []byte, bin bool) (int64, bool) {
	if !bin {
		v, err := strconv.ParseInt(string(value), 10, 64)
		return v, err == nil
	}
	switch len(value) {
	case 2:
		return int64(int16(binary.BigEndian.Uint16(value))), true
	case 4:
		return int64(int32(binary.BigEndian.Uint32(value))), true
	case 8:
		return int64(binary.BigEndian.Uint64(value)), true
	}
	return 0, false
}

// decimal has no binary form: the sends of numeric and money cannot be told
// apart by length, so that neither can be written safely.
func (m *Method) decimal(dst, value []byte, bin bool) ([]byte, bool) {
	r, ok := m.how.(decimalReplacer)
	if !ok || bin || !plainDecimal(value) {
		return dst, false
	}
	return r.decimal(dst, value)
}

func plainDecimal(value []byte) bool {
	digits, points := 0, 0
	for i, c := range value {
		switch {
		case isDigit(c):
			digits++
		case c == '.':
			points++
		case c == '-' && i == 0:
		default:
			return false
		}
	}
	return digits > 0 && points < 2
}

// PostgreSQL counts dates and timestamps from here (datatype/timestamp.h).
var postgresEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

const microsecondsPerDay = 24 * 60 * 60 * 1_000_000

func (m *Method) date(dst, value []byte, bin bool) ([]byte, bool) {
	r, ok := m.how.(dayReplacer)
	if !ok {
		return dst, false
	}
	if bin {
		if len(value) != 4 {
			return dst, false
		}
		v, ok := r.day(int64(int32(binary.BigEndian.Uint32(value))))
		return binary.BigEndian.AppendUint32(dst, uint32(v)), ok && v == int64(int32(v))
	}
	v, ok := parseDay(value)
	if !ok {
		return dst, false
	}
	if v, ok = r.day(v); !ok {
		return dst, false
	}
	return postgresEpoch.AddDate(0, 0, int(v)).AppendFormat(dst, time.DateOnly), true
}

// parseDay reads the ISO date (DateStyle ISO) that value begins with.
func parseDay(value []byte) (int64, bool) {
	if len(value) < len(time.DateOnly) || len(value) > 40 {
		return 0, false
	}
	if value[len(value)-1] == 'C' { // "2000-01-01 BC"
		return 0, false
	}
	t, err := time.Parse(time.DateOnly, string(value[:len(time.DateOnly)]))
	if err != nil {
		return 0, false
	}
	return daysSinceEpoch(t), true
}

func daysSinceEpoch(t time.Time) int64 { return (t.Unix() - postgresEpoch.Unix()) / (24 * 60 * 60) }

// timestamp keeps the day that the method gives and sets the clock to
// midnight; a zone is written back as it came.
func (m *Method) timestamp(dst, value []byte, bin bool) ([]byte, bool) {
	r, ok := m.how.(dayReplacer)
	if !ok {
		return dst, false
	}
	if bin {
		if len(value) != 8 {
			return dst, false
		}
		us := int64(binary.BigEndian.Uint64(value))
		day := us / microsecondsPerDay
		if us%microsecondsPerDay < 0 {
			day--
		}
		day, ok = r.day(day)
		return binary.BigEndian.AppendUint64(dst, uint64(day*microsecondsPerDay)), ok
	}
	v, ok := parseDay(value)
	if !ok {
		return dst, false
	}
	if v, ok = r.day(v); !ok {
		return dst, false
	}
	dst = postgresEpoch.AddDate(0, 0, int(v)).AppendFormat(dst, "2006-01-02 00:00:00")
	return append(dst, zone(value)...), true
}

// zone gives the "+02" or "-03:30" that a timestamptz ends with.
func zone(value []byte) []byte {
	for i := len(value) - 1; i > len("2006-01-02 "); i-- {
		switch c := value[i]; {
		case c == '+' || c == '-':
			return value[i:]
		case !isDigit(c) && c != ':':
			return nil
		}
	}
	return nil
}

func (m *Method) uuid(dst, value []byte, bin bool) ([]byte, bool) {
	r, ok := m.how.(uuidReplacer)
	if !ok {
		return dst, false
	}
	v, ok := readUUID(value, bin)
	if !ok {
		return dst, false
	}
	if v, ok = r.uuid(v); !ok {
		return dst, false
	}
	if bin {
		return append(dst, v[:]...), true
	}
	for i, b := range v {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
	}
	return dst, true
}

const hexDigits = "0123456789abcdef"

func readUUID(value []byte, bin bool) (v [16]byte, ok bool) {
	if bin {
		return v, copy(v[:], value) == 16 && len(value) == 16
	}
	n := 0
	for _, c := range value {
		if c == '-' {
			continue
		}
		x, hexed := unhex(c)
		if !hexed || n == 32 {
			return v, false
		}
		v[n/2] = v[n/2]<<4 | x
		n++
	}
	return v, n == 32
}

func unhex(c byte) (byte, bool) {
	switch {
	case isDigit(c):
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

func (m *Method) bytea(dst, value []byte, bin bool) ([]byte, bool) {
	r, ok := m.how.(bytesReplacer)
	if !ok {
		return dst, false
	}
	if bin {
		v, ok := r.bytes(value)
		return append(dst, v...), ok
	}
	// bytea_output = escape has no prefix: what it means is not guessed.
	if len(value) < 2 || value[0] != '\\' || value[1] != 'x' {
		return dst, false
	}
	raw, err := hex.AppendDecode(nil, value[2:])
	if err != nil {
		return dst, false
	}
	v, ok := r.bytes(raw)
	return hex.AppendEncode(append(dst, '\\', 'x'), v), ok
}

// json replaces a whole document by a JSON string. Binary jsonb begins with a
// version byte, 1, that no JSON text can begin with.
func (m *Method) json(dst, value []byte, bin bool) ([]byte, bool) {
	r, ok := m.how.(documentReplacer)
	if !ok {
		return dst, false
	}
	if bin && len(value) > 0 && value[0] == 1 {
		dst, value = append(dst, 1), value[1:]
	}
	s, ok := r.document(value)
	if !ok {
		return dst, false
	}
	quoted, err := json.Marshal(s)
	return append(dst, quoted...), err == nil
}
