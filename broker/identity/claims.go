package identity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxGroups = 2000 // no provider puts more into a token
	maxText   = 512  // bytes of a name or group
)

// claims is the payload of a token whose signature was verified.
type claims map[string]any

func parseClaims(payload []byte) (claims, error) {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber() // so that numeric identifiers keep every digit
	var c claims
	if err := d.Decode(&c); err != nil {
		return nil, fmt.Errorf("the token's claims are not a JSON object: %w", err)
	}
	return c, nil
}

// get finds a claim by its whole name, or else by a path of names with dots.
func (c claims) get(name string) (any, bool) {
	if v, ok := c[name]; ok {
		return v, true
	}
	head, rest, dotted := strings.Cut(name, ".")
	inner, ok := c[head].(map[string]any)
	if !dotted || !ok {
		return nil, false
	}
	return claims(inner).get(rest)
}

// text gives a claim that is a string, number or boolean, as text.
func (c claims) text(name string) (string, bool) {
	v, ok := c.get(name)
	if !ok {
		return "", false
	}
	return scalar(v)
}

func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return fmt.Sprint(v), true
	}
	return "", false
}

// list gives a claim that is a list of scalars, or one scalar, as texts.
func (c claims) list(name string) (items []string, present bool, err error) {
	v, ok := c.get(name)
	if !ok || v == nil {
		return nil, false, nil
	}
	if s, ok := scalar(v); ok {
		return []string{s}, true, nil
	}
	raw, ok := v.([]any)
	if !ok {
		return nil, true, fmt.Errorf("claim %q is neither a list nor a text", name)
	}
	items = make([]string, 0, len(raw))
	for _, item := range raw {
		s, ok := scalar(item)
		if !ok {
			return nil, true, fmt.Errorf("claim %q holds something that is not a text", name)
		}
		items = append(items, s)
	}
	return items, true, nil
}

// time gives a NumericDate (RFC 7519 §2); false where the claim is absent.
func (c claims) time(name string) (time.Time, bool, error) {
	v, ok := c[name]
	if !ok {
		return time.Time{}, false, nil
	}
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, false, fmt.Errorf("claim %q is not a number", name)
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > 1<<40 {
		return time.Time{}, false, fmt.Errorf("claim %q is not a time", name)
	}
	return time.UnixMilli(int64(f * 1000)), true, nil
}

// overage reports whether the issuer left the groups out because they are too
// many. Entra says so with _claim_names (OpenID Connect Core §5.6.2) or, in the
// implicit flow, with hasgroups.
func (c claims) overage(groups string) bool {
	if names, ok := c["_claim_names"].(map[string]any); ok {
		if _, ok := names[groups]; ok {
			return true
		}
	}
	has, _ := c.text("hasgroups")
	return strings.EqualFold(has, "true") && groups == defaultGroups
}

// unverified reports whether the issuer says that it has not verified the
// address. Some write the boolean as a text.
func (c claims) unverified() bool {
	v, ok := c.text("email_verified")
	return ok && !strings.EqualFold(v, "true")
}

// readable refuses what would forge a line of a log or a terminal.
func readable(what, s string) error {
	if s == "" || len(s) > maxText || !utf8.ValidString(s) {
		return fmt.Errorf("the %s is empty, longer than %d bytes or not UTF-8", what, maxText)
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
		return fmt.Errorf("the %s %s holds a character that cannot be printed", what, quote(s))
	}
	return nil
}
