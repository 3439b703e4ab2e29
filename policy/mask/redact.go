package mask

import "hoop/policy"

const redacted = "[redacted]"

// redact replaces every value by the same text.
type redact struct {
	with string
}

func newRedact(spec policy.MaskSpec) redact {
	if spec.Text == "" {
		return redact{redacted}
	}
	return redact{spec.Text}
}

func (r redact) text(dst, _ []byte) ([]byte, bool) { return append(dst, r.with...), true }
func (r redact) bytes(_ []byte) ([]byte, bool)     { return []byte(r.with), true }
func (r redact) document(_ []byte) (string, bool)  { return r.with, true }
