package postgres

import (
	"fmt"
	"regexp"
	"strings"

	"hoop/policy"
)

// The fixed settings may not change within a session either. Where a plain SET
// says so, it is refused before it is forwarded and the session goes on; where
// the target only reports it (set_config, a function, ALTER ROLE), the session
// ends: see responses.parameter.

var setOne = regexp.MustCompile(`(?is)^\s*set\s+(?:session\s+|local\s+)?("?[a-z_]+"?)(?:\s*=\s*|\s+to\s+|\s+)'?([^'\s;]*)'?\s*;?\s*$`)

// readable refuses a SET after which policy would read text in another way than
// the target.
func readable(facts *policy.SQL, text string) error {
	if len(facts.Settings) != 1 || facts.Kind != "set" {
		return nil
	}
	m := setOne.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	name := strings.ToLower(strings.Trim(m[1], `"`))
	if name == "names" { // SET NAMES, the standard's way of saying client_encoding
		name = "client_encoding"
	}
	fixed, ok := fixedSettings()[name]
	if !ok || !otherwise(name, strings.ToLower(m[2])) {
		return nil
	}
	return &problem{code: "22023", hint: "do not change it",
		message: fmt.Sprintf("%s must be %s through hoop, which has to read SQL as the server does", name, fixed)}
}

// otherwise reports whether a value is another than the fixed one.
func otherwise(name, value string) bool {
	switch name {
	case "client_encoding":
		switch strings.NewReplacer("-", "", "_", "").Replace(value) {
		case "utf8", "unicode", "default":
			return false
		}
		return true
	default:
		return value == "off" || value == "false" || value == "no" || value == "0"
	}
}
