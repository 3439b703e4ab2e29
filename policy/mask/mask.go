// Package mask finds and replaces sensitive values in bytes.
package mask

import "hoop/policy"

// Kind tells what the value to mask is, so that its replacement is valid too.
type Kind uint8

// The kinds of values.
const (
	Text Kind = iota
	Integer
	Decimal // numeric, money
	Float
	Bool
	Date
	Time
	Timestamp
	UUID
	Bytes
	JSON
	Opaque // anything else: only NULL is a valid replacement in binary
)

// Method replaces values of one label or class.
type Method struct{}

// NewMethod makes a method. The key is used by hash alone.
func NewMethod(spec policy.MaskSpec, key []byte) (*Method, error) { return &Method{}, nil }

// Apply appends the replacement of value to dst. null means that the value
// must become SQL NULL (or nothing) instead; dst is then returned unchanged.
// binary tells PostgreSQL's binary format from text.
func (m *Method) Apply(dst, value []byte, kind Kind, binary bool) (out []byte, null bool) {
	return dst, true
}

// Context is what stands around a value.
type Context struct {
	Name string // column name, JSON path
}

// Detectors looks for classes of values. It is safe for concurrent use.
type Detectors struct{}

// NewDetectors makes detectors for the classes ("*" is all); method gives the
// mask of each class.
func NewDetectors(classes []string, method func(class string) (*Method, error)) (*Detectors, error) {
	return &Detectors{}, nil
}

// Candidate is a stretch of bytes in which a value may lie.
type Candidate struct{ Start, End int32 }

// Candidates appends stretches of run to dst such that every value that
// MaskText would find in any part of run overlaps one of them.
func (d *Detectors) Candidates(dst []Candidate, run []byte) []Candidate { return dst }

// MaskText appends text with every finding replaced to dst and calls found
// once for each. Where nothing is found it appends nothing and reports false.
func (d *Detectors) MaskText(dst, text []byte, c Context, found func(class string)) ([]byte, bool) {
	return dst, false
}
