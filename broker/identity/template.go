package identity

import (
	"fmt"
	"strings"
)

// template is a name with holes: text, claim, text, claim, …, text.
type template []string

// parseTemplate reads "ci/{repository}".
func parseTemplate(s string) (template, error) {
	var t template
	for {
		text, rest, found := strings.Cut(s, "{")
		if strings.Contains(text, "}") {
			return nil, fmt.Errorf("principal: a } in %q closes nothing", s)
		}
		t = append(t, text)
		if !found {
			return t, nil
		}
		claim, after, closed := strings.Cut(rest, "}")
		if !closed || claim == "" || strings.Contains(claim, "{") {
			return nil, fmt.Errorf("principal: a { in %q is not followed by the name of a claim and }", s)
		}
		t, s = append(t, claim), after
	}
}

// fill puts claims into the holes. A claim that is absent is an error: a name
// with a gap could be another workload's name.
func (t template) fill(c claims) (string, error) {
	var b strings.Builder
	for i, part := range t {
		if i%2 == 0 {
			b.WriteString(part)
			continue
		}
		v, ok := c.text(part)
		if !ok || v == "" {
			return "", fmt.Errorf("the token has no claim %q, which the principal's name is made of", part)
		}
		b.WriteString(v)
	}
	return b.String(), nil
}
