package policy

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// labelSet is a LabelSpec, compiled.
type labelSet struct {
	connections patterns // nil is every connection
	columns     []ColumnLabel
}

// detectorSet is a DetectorSpec, compiled.
type detectorSet struct {
	connections patterns // nil is every connection
	classes     []string
}

// Labels lists the column labels that hold on a connection, in the order of
// the documents. A column may carry several.
func (p *Policy) Labels(c *Connection) []ColumnLabel {
	if p == nil || c == nil {
		return nil
	}
	var out []ColumnLabel
	for _, set := range p.labels {
		if set.connections == nil || set.connections.matches(c.Name) {
			out = append(out, set.columns...)
		}
	}
	return out
}

// Mask gives the mask of a label or detector class: its own entry, else that of
// the longest prefix written with "*", else "default", else redact.
func (p *Policy) Mask(label string) MaskSpec {
	if p == nil {
		return MaskSpec{Method: "redact"}
	}
	if m, ok := p.masks[label]; ok {
		return m
	}
	best, found := "", false
	for key := range p.masks {
		prefix, starred := strings.CutSuffix(key, "*")
		if starred && strings.HasPrefix(label, prefix) && (!found || len(prefix) > len(best)) {
			best, found = prefix, true
		}
	}
	if found {
		return p.masks[best+"*"]
	}
	if m, ok := p.masks["default"]; ok {
		return m
	}
	return MaskSpec{Method: "redact"}
}

// Detectors lists the detector classes switched on for a connection, sorted;
// "*" alone is all.
func (p *Policy) Detectors(c *Connection) []string {
	if p == nil || c == nil {
		return nil
	}
	var out []string
	for _, set := range p.detectors {
		if set.connections == nil || set.connections.matches(c.Name) {
			out = append(out, set.classes...)
		}
	}
	if slices.Contains(out, "*") {
		return []string{"*"}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (c *checker) labels(path string, spec *LabelSpec) labelSet {
	set := labelSet{connections: c.patterns(path+".connections", spec.Connections)}
	if len(spec.Columns) == 0 {
		c.add(path+".columns", "is empty: it labels nothing")
	}
	for _, column := range slices.Sorted(maps.Keys(spec.Columns)) {
		at := path + ".columns." + column
		label := spec.Columns[column]
		if !goodLabel(label) {
			c.add(at, "%q is not a label: a-z, 0-9, dot, dash and underscore", label)
		}
		parts, err := splitName(column)
		switch {
		case err != nil:
			c.add(at, "%v", err)
		case len(parts) != 3:
			c.add(at, "write schema.table.column")
		default:
			set.columns = append(set.columns, ColumnLabel{parts[0], parts[1], parts[2], label})
		}
	}
	return set
}

func (c *checker) masks(specs, into map[string]MaskSpec) {
	for _, key := range slices.Sorted(maps.Keys(specs)) {
		at := "masks." + key
		m := specs[key]
		if p, err := parsePattern(key); err != nil || p.text != "" && !goodLabel(p.text) {
			c.add(at, "%q is not a label, a class, or a prefix with one * at its end", key)
		}
		if old, ok := into[key]; ok && !old.equal(m) {
			c.add(at, "another document masks %s differently", key)
		}
		c.mask(at, m)
		into[key] = m
	}
}

func (c *checker) mask(path string, m MaskSpec) {
	switch m.Method {
	case "redact", "fixed", "partial", "hash", "null", "generalise", "format_preserving":
	default:
		c.add(path+".method", "%q is no method: redact, fixed, partial, hash, null, generalise or format_preserving", m.Method)
	}
	if m.KeepLast != nil && m.Method != "partial" {
		c.add(path+".keep_last", "means nothing without method: partial")
	}
	if m.KeepLast != nil && *m.KeepLast < 0 {
		c.add(path+".keep_last", "is below zero")
	}
	if m.KeepSeparators != nil && m.Method != "partial" {
		c.add(path+".keep_separators", "means nothing without method: partial")
	}
	if m.Text != "" && m.Method != "redact" && m.Method != "fixed" {
		c.add(path+".text", "means nothing without method: redact or fixed")
	}
	if m.Text == "" && m.Method == "fixed" {
		c.add(path+".text", "is missing: it is what fixed writes")
	}
	if m.To != "" && m.Method != "generalise" {
		c.add(path+".to", "means nothing without method: generalise")
	}
	if m.To != "" && m.To != "month" && m.To != "year" {
		c.add(path+".to", "%q is neither month nor year", m.To)
	}
}

func (m MaskSpec) equal(o MaskSpec) bool {
	return equalOption(m.KeepLast, o.KeepLast) && equalOption(m.KeepSeparators, o.KeepSeparators) &&
		m.Method == o.Method && m.Text == o.Text && m.To == o.To
}

func equalOption[T comparable](a, b *T) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// Patterns gives the detector classes that the documents add, by name.
func (p *Policy) Patterns() map[string]string {
	if p == nil {
		return nil
	}
	return maps.Clone(p.patterns)
}

func (c *checker) detectorPatterns(specs, into map[string]string) {
	for _, class := range slices.Sorted(maps.Keys(specs)) {
		at := "patterns." + class
		if !goodLabel(class) {
			c.add(at, "%q is not a detector class: a word such as employee_number", class)
		}
		if old, ok := into[class]; ok && old != specs[class] {
			c.add(at, "another document has another pattern for %s", class)
		}
		if _, err := regexp.Compile(specs[class]); err != nil {
			c.add(at, "%v", err)
		}
		into[class] = specs[class]
	}
}

func (c *checker) detector(path string, spec *DetectorSpec) detectorSet {
	set := detectorSet{connections: c.patterns(path+".connections", spec.Connections), classes: spec.Classes}
	if len(spec.Classes) == 0 {
		c.add(path+".classes", "is empty: it switches nothing on")
	}
	for i, class := range spec.Classes {
		if class != "*" && !goodLabel(class) {
			c.add(fmt.Sprintf("%s.classes[%d]", path, i), "%q is not a detector class: a word such as credit_card, or *", class)
		}
	}
	return set
}
