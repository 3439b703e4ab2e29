// Package credential keeps the secrets that targets ask for and finds them when
// a session needs one: in the environment, in a file, or in the broker's own
// store, which is encrypted at rest.
//
// # Scope
//
// It hands secrets to the broker and to nobody else. It knows no target and no
// protocol, keeps no secret in memory between two uses, and formats none: a
// [Secret] shows itself only to who asks with Reveal.
package credential

import (
	"fmt"
	"io"
	"log/slog"
)

const hidden = "(hidden)"

// Secret is a value that must not be seen. However it is formatted, logged or
// encoded, it shows nothing. The zero value is empty.
type Secret struct {
	// A pointer, so that fmt prints an address where it cannot call Format: in
	// an unexported field of another struct.
	value *string
}

// NewSecret wraps a value.
func NewSecret(value string) Secret { return Secret{&value} }

// Reveal gives the value.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Empty reports whether there is no value.
func (s Secret) Empty() bool { return s.Reveal() == "" }

// String hides the secret.
func (Secret) String() string { return hidden }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return hidden }

// Format hides the secret from every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue hides the secret from log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the secret from encoders.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON hides the secret from encoding/json.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// MarshalYAML hides the secret from YAML encoders.
func (Secret) MarshalYAML() (any, error) { return hidden, nil }
