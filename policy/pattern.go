package policy

import (
	"fmt"
	"strings"
)

// pattern is an exact word, or a prefix that was written with one trailing "*".
type pattern struct {
	text   string // without the "*"
	prefix bool
}

func parsePattern(s string) (pattern, error) {
	p := pattern{text: s}
	if strings.HasSuffix(s, "*") {
		p = pattern{text: s[:len(s)-1], prefix: true}
	}
	switch {
	case s == "":
		return p, fmt.Errorf("is empty")
	case strings.Contains(p.text, "*"):
		return p, fmt.Errorf("%q: one * is understood, at the end", s)
	}
	return p, nil
}

func (p pattern) matches(s string) bool {
	if p.prefix {
		return len(s) >= len(p.text) && s[:len(p.text)] == p.text
	}
	return s == p.text
}

func (p pattern) String() string {
	if p.prefix {
		return p.text + "*"
	}
	return p.text
}

type patterns []pattern

func (ps patterns) matches(s string) bool {
	for i := range ps {
		if ps[i].matches(s) {
			return true
		}
	}
	return false
}

func (ps patterns) matchAny(words []string) bool {
	for _, w := range words {
		if ps.matches(w) {
			return true
		}
	}
	return false
}

func (ps patterns) String() string {
	words := make([]string, len(ps))
	for i, p := range ps {
		words[i] = p.String()
	}
	return strings.Join(words, ", ")
}

// patterns compiles a list that is present; an empty one can never match.
func (c *checker) patterns(path string, list []string) patterns {
	if list == nil {
		return nil
	}
	if len(list) == 0 {
		c.add(path, "is empty, so the rule can never match: leave it out to match everything")
		return nil
	}
	ps := make(patterns, 0, len(list))
	for i, s := range list {
		p, err := parsePattern(s)
		if err != nil {
			c.add(fmt.Sprintf("%s[%d]", path, i), "%v", err)
			continue
		}
		ps = append(ps, p)
	}
	return ps
}
