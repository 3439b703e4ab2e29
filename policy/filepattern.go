package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// filePattern is an entry of ssh.paths: an absolute path. A part of it that is
// * is any one name; a * at the end is everything below, or everything that
// begins so.
type filePattern struct {
	written string
	parts   []string // without a trailing *
	below   bool     // ended in *
}

func parseFile(s string) (filePattern, error) {
	p := filePattern{written: s}
	body, below := strings.CutSuffix(s, "*")
	p.below = below
	switch {
	case !strings.HasPrefix(s, "/") && s != "*":
		return p, fmt.Errorf("%q is not absolute: write /srv/app/file or /srv/app/*", s)
	case s == "*" || s == "/*":
		return p, nil
	case s == "/":
		p.parts = []string{""}
		return p, nil
	}
	// The part that a * ends is kept apart: cleaning /srv/ would drop it.
	dir, last := path.Split(body)
	if clean := path.Clean(dir); clean+"/" != dir && dir != "/" || last == "." || last == ".." {
		return p, fmt.Errorf("%q is not clean: write it without //, . and ..", s)
	}
	if !below && last == "" {
		return p, fmt.Errorf("%q: write it without a / at the end, or with /* for everything below", s)
	}
	p.parts = strings.Split(body[1:], "/")
	for _, part := range p.parts {
		if part != "*" && strings.Contains(part, "*") {
			return p, fmt.Errorf("%q: a * is a whole name, or stands at the end", s)
		}
	}
	return p, nil
}

// match compares with a path. Where a relative one leads nobody knows here.
func (p *filePattern) match(name string) match {
	if !strings.HasPrefix(name, "/") {
		return may
	}
	clean := path.Clean(name)
	if p.parts == nil {
		return yes // everything
	}
	names := strings.Split(clean[1:], "/")
	last := len(p.parts) - 1
	for i, part := range p.parts {
		switch {
		case i >= len(names):
			return no
		case i == last && p.below:
			return known(strings.HasPrefix(names[i], part) && names[i] != "")
		case part != "*" && part != names[i]:
			return no
		}
	}
	return known(len(names) == len(p.parts))
}

// above reports whether a path is that of a folder in which there may be
// something that matches: who moves it moves that too.
func (p *filePattern) above(name string) bool {
	if !strings.HasPrefix(name, "/") {
		return false
	}
	names := strings.FieldsFunc(path.Clean(name), func(c rune) bool { return c == '/' })
	if len(names) >= len(p.parts) {
		return false
	}
	for i, n := range names {
		if p.parts[i] != "*" && p.parts[i] != n {
			return false
		}
	}
	return true
}

type filePatterns []filePattern

func (ps filePatterns) above(name string) bool {
	return slices.ContainsFunc(ps, func(p filePattern) bool { return p.above(name) })
}

func (ps filePatterns) match(name string) match {
	best := no
	for i := range ps {
		best = max(best, ps[i].match(name))
	}
	return best
}

func (ps filePatterns) String() string {
	written := make([]string, len(ps))
	for i := range ps {
		written[i] = ps[i].written
	}
	return strings.Join(written, ", ")
}
