package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Policy is every rule, label and mask in force, compiled. It never changes and
// is safe for concurrent use. The zero value, and nil, deny everything.
type Policy struct {
	rules      []*rule
	labels     []labelSet
	masks      map[string]MaskSpec
	detectors  []detectorSet
	patterns   map[string]string
	predicates map[string]Predicates
	trusted    []TrustedFunction
	digest     string
	usesLabels bool // some rule asks which labels a statement reads
}

// Compile checks documents and makes them one policy. The error is Problems:
// everything that is wrong, not only the first.
func Compile(docs []Document) (*Policy, error) {
	conditions, err := newConditions()
	if err != nil {
		return nil, err
	}
	check := &checker{}
	p := &Policy{masks: map[string]MaskSpec{}, patterns: map[string]string{}, predicates: map[string]Predicates{}}
	rules := &ruleCompiler{checker: check, conditions: conditions, names: map[string]bool{}}
	var packs []pack
	for i := range docs {
		check.document = i
		packs = append(packs, p.packs(check, rules, &docs[i])...)
		p.add(check, rules, &docs[i])
	}
	if len(check.found) > 0 {
		return nil, check.found
	}
	p.fallBack(packs)
	if p.digest, err = digest(docs, packs); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Policy) add(check *checker, rules *ruleCompiler, doc *Document) {
	for i := range doc.Labels {
		p.labels = append(p.labels, check.labels(fmt.Sprintf("labels[%d]", i), &doc.Labels[i]))
	}
	check.masks(doc.Masks, p.masks)
	check.predicates(doc.Predicates, p.predicates)
	for i := range doc.OpaqueFunctions {
		check.trusted(fmt.Sprintf("opaque_functions[%d]", i), &doc.OpaqueFunctions[i])
		p.trusted = append(p.trusted, doc.OpaqueFunctions[i])
	}
	for i := range doc.Detectors {
		p.detectors = append(p.detectors, check.detector(fmt.Sprintf("detectors[%d]", i), &doc.Detectors[i]))
	}
	check.detectorPatterns(doc.Patterns, p.patterns)
	for i := range doc.Rules {
		r := rules.rule(fmt.Sprintf("rules[%d]", i), &doc.Rules[i])
		p.rules = append(p.rules, r)
		p.usesLabels = p.usesLabels || r.asksLabels()
	}
	for i := range doc.Tests {
		check.test(fmt.Sprintf("tests[%d]", i), &doc.Tests[i])
	}
}

// UsesLabels reports whether some rule asks which labels a statement reads.
func (p *Policy) UsesLabels() bool { return p != nil && p.usesLabels }

// Digest identifies the policy: SHA-256 over the documents, in hexadecimal.
// Tests do not count: they change no verdict.
func (p *Policy) Digest() string {
	if p == nil {
		return ""
	}
	return p.digest
}

// digest hashes the documents as JSON: struct fields keep their order and map
// keys are sorted, so equal documents have equal bytes.
func digest(docs []Document, packs []pack) (string, error) {
	h := sha256.New()
	enc := json.NewEncoder(h)
	for _, d := range docs {
		d.Tests = nil
		if err := enc.Encode(d); err != nil {
			return "", fmt.Errorf("digest the policy: %w", err)
		}
	}
	for _, p := range packs { // a newer version may have other rules under the same name
		if err := enc.Encode([]any{p.rules, p.masks, p.predicates, p.classes}); err != nil {
			return "", fmt.Errorf("digest the packs: %w", err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
