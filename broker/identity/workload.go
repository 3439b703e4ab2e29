package identity

import (
	"fmt"
	"strings"

	"hoop/policy"
)

// principal makes a principal of a verified token that an entry matches.
func (w *WorkloadConfig) principal(issuer string, c claims) (*policy.Principal, error) {
	t, err := parseTemplate(w.Principal)
	if err != nil {
		return nil, unavailable("the configuration of workload "+w.Name+" is broken", err)
	}
	name, err := t.fill(c)
	if err != nil {
		return nil, refuse(ErrToken, err.Error(), "correct principal of workload "+w.Name+" in the broker's configuration")
	}
	subject, ok := c.text(defaultSubject)
	if !ok || subject == "" {
		return nil, refuse(ErrToken, "the token has no claim \"sub\" that says what this is", "")
	}
	p := &policy.Principal{
		ID: issuer + "|" + subject, Name: name, Kind: policy.Workload,
		Groups: append([]string{}, w.Groups...), Issuer: issuer,
	}
	return p, checkPrincipal(p)
}

// matches reports whether the token is one that the entry lets in.
func (w *WorkloadConfig) matches(c claims) bool {
	for claim, pattern := range w.Claims {
		if !matchClaim(c, claim, pattern) {
			return false
		}
	}
	return len(w.Claims) > 0
}

func matchClaim(c claims, claim, pattern string) bool {
	items, present, err := c.list(claim)
	if !present || err != nil {
		return false
	}
	for _, v := range items {
		prefix, wild := strings.CutSuffix(pattern, "*")
		if v == pattern || wild && strings.HasPrefix(v, prefix) {
			return true
		}
	}
	return false
}

// mismatch says for people why none of the entries took a token.
func mismatch(entries []*WorkloadConfig) string {
	names := make([]string, len(entries))
	for i, w := range entries {
		names[i] = w.Name
	}
	return fmt.Sprintf("the token's claims fit none of the workloads %s", strings.Join(names, ", "))
}
