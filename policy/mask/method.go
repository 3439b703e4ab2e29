package mask

import (
	"fmt"
	"unicode/utf8"

	"hoop/policy"
)

// Method replaces values of one label or class. The zero value turns every
// value into NULL. A Method is safe for concurrent use.
type Method struct {
	how replacer
}

// A replacer is one way to replace values. What it does not implement of the
// interfaces below becomes NULL.
type replacer interface {
	// text appends the replacement of a text to dst; it is valid UTF-8
	// whatever the value holds. False means NULL.
	text(dst, value []byte) ([]byte, bool)
}

type integerReplacer interface {
	integer(v int64) (int64, bool)
}

type decimalReplacer interface {
	// decimal appends the replacement of a number in plain decimal notation.
	decimal(dst, value []byte) ([]byte, bool)
}

type uuidReplacer interface {
	uuid(v [16]byte) ([16]byte, bool)
}

type bytesReplacer interface {
	bytes(v []byte) ([]byte, bool)
}

type documentReplacer interface {
	// document gives the text of the JSON string that stands for a document.
	document(v []byte) (string, bool)
}

type dayReplacer interface {
	// day maps a day, counted from 2000-01-01, to another.
	day(v int64) (int64, bool)
}

// NewMethod makes a method. The key is used by hash and format_preserving
// alone and must have at least 16 bytes there: equal values under equal keys
// get equal replacements.
func NewMethod(spec policy.MaskSpec, key []byte) (*Method, error) {
	how, err := newReplacer(spec, key)
	if err != nil {
		return nil, fmt.Errorf("mask method %q: %w", spec.Method, err)
	}
	return &Method{how: how}, nil
}

func newReplacer(spec policy.MaskSpec, key []byte) (replacer, error) {
	if !utf8.ValidString(spec.Text) {
		return nil, fmt.Errorf("text is not valid UTF-8")
	}
	switch spec.Method {
	case "redact":
		return newRedact(spec), nil
	case "partial":
		return newPartial(spec)
	case "hash":
		return newHash(key)
	case "fixed":
		return newFixed(spec)
	case "generalise":
		return newGeneralise(spec)
	case "format_preserving":
		return newPreserving(key)
	case "null":
		return nil, nil
	default:
		return nil, fmt.Errorf("unknown: use redact, fixed, partial, hash, null, generalise or format_preserving")
	}
}

// Apply appends the replacement of value to dst. null means that the value
// must become SQL NULL (or nothing) instead; dst is then returned unchanged.
// binary tells PostgreSQL's binary format from text. The replacement is valid
// for the kind: where a method has no valid one, the value becomes NULL.
func (m *Method) Apply(dst, value []byte, kind Kind, binary bool) (out []byte, null bool) {
	if m == nil || m.how == nil {
		return dst, true
	}
	n := len(dst)
	out, ok := dst, false
	switch kind {
	case Text:
		out, ok = m.how.text(dst, value)
	case Integer:
		out, ok = m.integer(dst, value, binary)
	case Decimal:
		out, ok = m.decimal(dst, value, binary)
	case Date:
		out, ok = m.date(dst, value, binary)
	case Timestamp:
		out, ok = m.timestamp(dst, value, binary)
	case UUID:
		out, ok = m.uuid(dst, value, binary)
	case Bytes:
		out, ok = m.bytea(dst, value, binary)
	case JSON:
		out, ok = m.json(dst, value, binary)
	}
	if !ok {
		return dst[:n], true
	}
	return out, false
}
