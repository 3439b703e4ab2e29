package mask

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"sync"
	"time"
)

// Rule is a class of values that an operator adds, as a regular expression in
// RE2 syntax. Where it has a group called value, that group is the finding,
// else the whole match.
type Rule struct {
	Class   string
	Pattern string
}

// Rules is a set of rules, compiled and found cheap enough. Nil is no rules.
type Rules struct {
	index  *index
	rules  []customRule
	dfa    *dfa  // of the rules that no literal announces; nil where there are none
	silent []int // those rules, in the order of the automaton
}

type customRule struct {
	class string
	re    *regexp.Regexp
	group int // of the finding
	reach int // how far from its literal a match may go, in bytes
	slow  bool
}

const (
	// maxReach bounds matches of patterns that have no longest match, in bytes.
	maxReach = 512
	maxRules = 200
	// minRate is how fast a rule must be, alone, in bytes a second.
	minRate = 20e6
)

// CompileRules compiles rules and measures each. It refuses one that is not
// valid, that has the name of a built-in class, that matches the empty text,
// or that would slow every session down; the error has the figure.
func CompileRules(rules []Rule) (*Rules, error) {
	if len(rules) == 0 {
		return nil, nil
	}
	if len(rules) > maxRules {
		return nil, fmt.Errorf("%d detector rules: there may be %d", len(rules), maxRules)
	}
	seen := classNames()
	for i, r := range rules {
		if r.Class == "" || r.Class == "*" || slices.Contains(seen, r.Class) {
			return nil, fmt.Errorf("detector rule %d: the class %q is empty or taken", i+1, r.Class)
		}
		seen = append(seen, r.Class)
		one, err := build(rules[i:i+1], 1)
		if err != nil {
			return nil, err
		}
		if rate := one.rate(); rate < minRate {
			return nil, fmt.Errorf("detector rule %s: %.1f MB/s is too slow, %.0f is the least: give the pattern a longer literal text, or bound its repeats",
				r.Class, rate/1e6, minRate/1e6)
		}
	}
	return build(rules, bucketTries/2)
}

// build compiles rules without measuring them, with so many tries at the index.
func build(rules []Rule, tries int) (*Rules, error) {
	out := &Rules{}
	literals := builtinLiterals()
	var silent []*syntax.Prog // of rules without a literal
	for i, r := range rules {
		c, parsed, err := compileRule(r)
		if err != nil {
			return nil, fmt.Errorf("detector rule %s: %w", r.Class, err)
		}
		texts := required(parsed)
		for _, text := range texts {
			literals = append(literals, literal{text: text, fold: true, what: triggerCustom, vendor: uint16(i)})
		}
		if len(texts) == 0 {
			prog, err := syntax.Compile(loosen(parsed).Simplify())
			if err != nil {
				return nil, fmt.Errorf("detector rule %s: %w", r.Class, err)
			}
			c.slow = true
			silent = append(silent, prog)
			out.silent = append(out.silent, i)
		}
		out.rules = append(out.rules, c)
	}
	if len(silent) > 0 {
		out.dfa = newDFA(silent)
	}
	out.index = newIndex(literals, tries)
	return out, nil
}

func compileRule(r Rule) (c customRule, parsed *syntax.Regexp, err error) {
	re, err := regexp.Compile(r.Pattern)
	if err != nil {
		return c, nil, err
	}
	if re.MatchString("") {
		return c, nil, fmt.Errorf("it matches the empty text")
	}
	parsed, err = syntax.Parse(r.Pattern, syntax.Perl)
	if err != nil {
		return c, nil, err
	}
	c = customRule{class: r.Class, re: re, reach: min(longest(parsed), maxReach)}
	if n := re.SubexpIndex("value"); n > 0 {
		c.group = n
	}
	return c, parsed, nil
}

// NewDetectors makes detectors for classes, built-in and of these rules ("*"
// is all); method gives the mask of each class. An unknown class is an error.
func (r *Rules) NewDetectors(classes []string, method func(class string) (*Method, error)) (*Detectors, error) {
	return newDetectors(r, classes, method)
}

// custom runs a rule near p, where a literal of it stands or a match ends.
func (s *scanner) custom(rule, p int) {
	r := &s.d.rules.rules[rule]
	if s.onlySpots {
		s.spot(p, p+1)
		return
	}
	if s.customEnd == nil {
		s.customEnd = make([]int, len(s.d.rules.rules))
	}
	if !s.d.enabled[int(builtinClasses)+rule] || s.customEnd[rule] > p {
		return
	}
	// One byte more on each side tells whether a word ends there; a match that
	// reaches it may be cut off and is left to the next window.
	from, to := max(0, p-r.reach-1), min(len(s.text), p+2*r.reach+1)
	window := s.text[from:to]
	for _, m := range r.re.FindAllSubmatchIndex(window, -1) {
		start, end := m[2*r.group], m[2*r.group+1]
		if end > start && (m[0] > 0 || from == 0) {
			s.found(builtinClasses+class(rule), from+start, from+end)
		}
	}
	s.customEnd[rule] = max(p+1, to-r.reach-1)
}

// rate measures how many bytes a second the built-in classes and these rules
// do together on ordinary data, the best of some rounds.
func (r *Rules) rate() float64 {
	d, err := r.NewDetectors([]string{"*"}, func(string) (*Method, error) { return &Method{}, nil })
	if err != nil {
		return 0
	}
	text := sample()
	const rounds = 7
	best := time.Duration(1 << 62)
	for range rounds {
		start := time.Now()
		d.find(text, Context{})
		best = min(best, time.Since(start))
	}
	return float64(len(text)) / best.Seconds()
}

// sample is ordinary data to measure rules on: rows, log lines, JSON, prose, a
// terminal.
var sample = sync.OnceValue(func() []byte {
	var out []byte
	for i := 0; len(out) < 32<<10; i++ {
		out = fmt.Appendf(out, "%d\tMira Holt\tmira%d@example.com\t2024-05-%02d 10:%02d:22.%06d\t%d.%02d\tactive\n",
			1000+i, i, 1+i%28, i%60, i*7919%1000000, i*31%5000, i%100)
		out = fmt.Appendf(out, "2024-05-%02dT10:22:%02dZ INFO request id=%016x status=200 path=/api/v1/orders/%d took=%dms token_count=%d\n",
			1+i%28, i%60, uint64(i)*0x9e3779b97f4a7c15, i, i%400, i)
		out = fmt.Appendf(out, `{"name":"api-%06x","namespace":"default","uid":"%08x-0000-4000-8000-%012x","secretName":"tls-%d","key":"value"}`+"\n",
			i*7919, uint32(i)*2654435761, i, i)
		out = fmt.Appendf(out, "\x1b[01;34mmira@web-%02d\x1b[00m:~/app$ ls -l\r\n-rw-r--r--  1 root root %6d Mar %2d 12:%02d \x1b[0m\x1b[01;32mserver-%x.log\x1b[0m\r\n",
			i%40, i*7919%100000, 1+i%28, i%60, i)
		out = append(out, "The customer asked us to keep the parcel until Monday, and to write, not to call.\n"...)
	}
	return out
})
