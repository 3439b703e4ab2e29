package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Predicates tells what a statement may let its caller infer about labelled
// values that it does not show. The zero value is nothing.
type Predicates uint8

// The predicates, from the strictest to the mildest.
const (
	PredicateDeny     Predicates = iota // no condition, order or grouping on them
	PredicateApproval                   // none without an approval
	PredicateEquality                   // a column may be compared with constants for equality: a lookup
	PredicateAllow                      // any
)

var predicateWords = [...]string{"deny", "require_approval", "equality", "allow"}

// String gives the word that stands in a policy.
func (p Predicates) String() string {
	if int(p) < len(predicateWords) {
		return predicateWords[p]
	}
	return predicateWords[PredicateDeny]
}

func parsePredicates(word string) (Predicates, bool) {
	i := slices.Index(predicateWords[:], word)
	return Predicates(max(i, 0)), i >= 0
}

// TrustedFunction is an entry of Document.OpaqueFunctions: a function whose
// body somebody has read. It may be trusted to return nothing but what derives
// from its arguments, and to keep nothing of them.
type TrustedFunction struct {
	// Name is schema.name.
	Name string `yaml:"name"`
	// SHA256 is the hash of its body (pg_proc.prosrc), in hexadecimal: a body
	// that was changed is not trusted any more.
	SHA256 string `yaml:"sha256"`
	Reason string `yaml:"reason,omitempty"`
}

// Predicates gives what may be inferred of a label: its own entry, else that of
// the longest prefix written with "*", else "default", else equality.
func (p *Policy) Predicates(label string) Predicates {
	if p == nil {
		return PredicateDeny
	}
	if found, ok := p.predicates[label]; ok {
		return found
	}
	best := ""
	for key := range p.predicates {
		prefix, starred := strings.CutSuffix(key, "*")
		if starred && strings.HasPrefix(label, prefix) && len(key) > len(best) {
			best = key
		}
	}
	if best == "" {
		best = "default"
	}
	if found, ok := p.predicates[best]; ok {
		return found
	}
	return PredicateEquality
}

// TrustedFunctions lists the functions that need not be followed.
func (p *Policy) TrustedFunctions() []TrustedFunction {
	if p == nil {
		return nil
	}
	return p.trusted
}

func (c *checker) predicates(words map[string]string, into map[string]Predicates) {
	for _, label := range slices.Sorted(maps.Keys(words)) {
		at := "predicates." + label
		if pattern, err := parsePattern(label); err != nil || pattern.text != "" && !goodLabel(pattern.text) {
			c.add(at, "%q is not a label, or a prefix with one * at its end", label)
		}
		p, ok := parsePredicates(words[label])
		if !ok {
			c.add(at, "%q is not allow, equality, require_approval or deny", words[label])
		}
		if old, there := into[label]; there && old != p {
			c.add(at, "another document says %s", old)
		}
		into[label] = p
	}
}

func (c *checker) trusted(path string, f *TrustedFunction) {
	if parts, err := splitName(f.Name); err != nil || len(parts) != 2 {
		c.add(path+".name", "write schema.name")
	}
	if len(f.SHA256) != 64 || strings.Trim(strings.ToLower(f.SHA256), "0123456789abcdef") != "" {
		c.add(path+".sha256", "is no SHA-256 in hexadecimal: %s", fmt.Sprintf("%d characters", len(f.SHA256)))
	}
}
