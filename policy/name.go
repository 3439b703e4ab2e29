package policy

import (
	"fmt"
	"strings"
)

// QuoteName writes one SQL identifier the way facts and patterns carry it: bare
// where PostgreSQL would read the bare word as the same name, else quoted.
// Keywords stay bare.
func QuoteName(s string) string {
	if isBare(s) {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

func isBare(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c == '_', c >= 0x80:
		case i > 0 && (c >= '0' && c <= '9' || c == '$'):
		default:
			return false
		}
	}
	return s != ""
}

// SplitName reads a dotted name, as facts carry them, into its parts as the
// catalog has them.
func SplitName(s string) ([]string, error) { return splitName(s) }

// splitName reads a dotted SQL name into its parts, unquoted and folded as
// PostgreSQL folds identifiers (ASCII letters only, as in a UTF-8 database).
func splitName(s string) ([]string, error) {
	var parts []string
	for rest := s; ; {
		part, after, err := firstPart(rest)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s, err)
		}
		parts = append(parts, part)
		if after == "" {
			return parts, nil
		}
		if after[0] != '.' {
			return nil, fmt.Errorf("%s: expected a dot before %q", s, after)
		}
		rest = after[1:]
	}
}

func firstPart(s string) (part, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		return quotedPart(s)
	}
	end := strings.IndexByte(s, '.')
	if end < 0 {
		end = len(s)
	}
	part = foldASCII(s[:end])
	if !isBare(part) {
		return "", "", fmt.Errorf("%q is not an SQL name: quote it as SQL would", s[:end])
	}
	return part, s[end:], nil
}

func quotedPart(s string) (part, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' {
			b.WriteByte('"')
			i++
			continue
		}
		if b.Len() == 0 {
			return "", "", fmt.Errorf("a quoted name is empty")
		}
		return b.String(), s[i+1:], nil
	}
	return "", "", fmt.Errorf("a quoted name does not end")
}

func foldASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// objectPattern matches relations or functions by name. Both the pattern and
// the name may or may not carry a schema.
type objectPattern struct {
	written string
	any     bool   // "*"
	schema  string // quoted where it must be; "" where the pattern has none
	name    pattern
}

// parseObjectPattern reads customers, public.customers, audit_*, public.* or *.
func parseObjectPattern(s string) (objectPattern, error) {
	p := objectPattern{written: s}
	if s == "*" {
		p.any = true
		return p, nil
	}
	body, prefix := strings.CutSuffix(s, "*")
	if prefix && strings.HasSuffix(body, ".") { // public.*
		parts, err := splitName(body[:len(body)-1])
		if err != nil || len(parts) != 1 {
			return p, fmt.Errorf("%q: write schema.* for every object of a schema", s)
		}
		p.schema, p.name = QuoteName(parts[0]), pattern{prefix: true}
		return p, nil
	}
	parts, err := splitName(body)
	if err != nil {
		return p, err
	}
	if len(parts) > 2 {
		return p, fmt.Errorf("%q: write schema.name or name", s)
	}
	last := QuoteName(parts[len(parts)-1])
	if prefix && strings.HasPrefix(last, `"`) {
		return p, fmt.Errorf("%q: a quoted name takes no *", s)
	}
	p.name = pattern{text: last, prefix: prefix}
	if len(parts) == 2 {
		p.schema = QuoteName(parts[0])
	}
	return p, nil
}

// match compares with a name as facts carry it. Where one of the two has a
// schema and the other has none, equal names may or may not be the same object:
// search_path decides, which is not known here.
func (p *objectPattern) match(name string) match {
	if p.any {
		return yes
	}
	schema, last := cutSchema(name)
	if !p.name.matches(last) {
		return no
	}
	switch {
	case p.schema == schema:
		return yes
	case p.schema == "" || schema == "":
		return may
	default:
		return no
	}
}

// cutSchema splits a canonical name at the dot outside of quotes.
func cutSchema(name string) (schema, last string) {
	quoted := false
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '"':
			quoted = !quoted
		case '.':
			if !quoted {
				return name[:i], name[i+1:]
			}
		}
	}
	return "", name
}

type objectPatterns []objectPattern

func (ps objectPatterns) match(name string) match {
	best := no
	for i := range ps {
		best = max(best, ps[i].match(name))
	}
	return best
}

// some is the best answer over the names: one that matches is enough.
func (ps objectPatterns) some(names []string) match {
	best := no
	for _, n := range names {
		best = max(best, ps.match(n))
	}
	return best
}

// every is the worst answer over the names: all must match.
func (ps objectPatterns) every(names []string) match {
	worst := yes
	for _, n := range names {
		worst = min(worst, ps.match(n))
	}
	return worst
}

func (ps objectPatterns) String() string {
	words := make([]string, len(ps))
	for i := range ps {
		words[i] = ps[i].written
	}
	return strings.Join(words, ", ")
}

func (c *checker) objects(path string, list []string) objectPatterns {
	if list == nil {
		return nil
	}
	if len(list) == 0 {
		c.add(path, "is empty, so the rule can never match: leave it out to match everything")
		return nil
	}
	ps := make(objectPatterns, 0, len(list))
	for i, s := range list {
		p, err := parseObjectPattern(s)
		if err != nil {
			c.add(fmt.Sprintf("%s[%d]", path, i), "%v", err)
			continue
		}
		ps = append(ps, p)
	}
	return ps
}
