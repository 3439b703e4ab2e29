package main

import (
	"fmt"
	"regexp"

	re2 "github.com/wasilibs/go-re2"

	"hoop/policy/mask"
)

// patterns is what the two regexp engines look for, one after the other: four
// of the nine classes, without the checks that keep their alarms down.
func patterns() []string {
	return []string{
		`\b(?:\d[ -]?){12,18}\d\b`,
		`\b\d{3}[- ]\d{2}[- ]\d{4}\b`,
		`[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}`,
		`(?:\+?1[-. ]?)?\(?\d{3}\)?[-. ]?\d{3}[-. ]?\d{4}`,
	}
}

// ours makes the detectors of all classes and n rules of an operator.
func ours(n int) (find, error) {
	rules, err := mask.CompileRules(custom(n))
	if err != nil {
		return nil, err
	}
	d, err := rules.NewDetectors([]string{"*"}, func(string) (*mask.Method, error) { return &mask.Method{}, nil })
	if err != nil {
		return nil, err
	}
	var found []mask.Finding
	return func(text []byte) { found = d.Find(found[:0], text, mask.Context{}) }, nil
}

// custom makes rules such as an operator has, for numbers of a house's own.
func custom(n int) []mask.Rule {
	words := []string{"employee", "contract", "badge", "patient", "policyholder", "dossier", "claim", "vehicle", "permit", "locker"}
	rules := make([]mask.Rule, n)
	for i := range rules {
		rules[i] = mask.Rule{
			Class:   fmt.Sprintf("custom_%d", i),
			Pattern: fmt.Sprintf(`(?i)\b%s%c[-_ :#]{0,3}[A-Z0-9]{6,%d}\b`, words[i%len(words)], 'b'+rune(i/len(words)), 8+i%9),
		}
	}
	return rules
}

func standard() find {
	var res []*regexp.Regexp
	for _, p := range patterns() {
		res = append(res, regexp.MustCompile(p))
	}
	return func(text []byte) {
		for _, re := range res {
			re.FindAllIndex(text, -1)
		}
	}
}

func wasm() find {
	var res []*re2.Regexp
	for _, p := range patterns() {
		res = append(res, re2.MustCompile(p))
	}
	return func(text []byte) {
		for _, re := range res {
			re.FindAllIndex(text, -1)
		}
	}
}
