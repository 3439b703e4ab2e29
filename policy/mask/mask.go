// Package mask finds sensitive values in bytes and replaces them.
//
// A Method replaces one value whose type is known, so that the client can
// still read the column. Detectors look for classes of values (payment cards,
// e-mail addresses, keys, …) in text that no label covers.
//
// # Scope
//
// It works on bytes that it is given: it knows no connection, no principal and
// no wire protocol, decides nothing (package policy does), stores nothing and
// logs nothing. It promises no detection of names or addresses, nor of values
// that somebody encoded to hide them.
package mask

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
	Opaque // anything else: only NULL is a valid replacement
)
