package lineage

import (
	"fmt"
	"slices"
	"strings"

	"hoop/policy"
)

// Rules are what a policy says of labels, for one principal.
type Rules struct {
	// Shows reports whether values with a label are shown in clear, as the rule
	// that allows the statement says. Nil is none.
	Shows func(label string) bool
	// Predicates tells what statements may infer of a label. Nil is equality
	// for all.
	Predicates func(label string) policy.Predicates
}

// Verdict is what the labels say of a statement that policy allows.
type Verdict struct {
	Effect policy.Effect
	Reason string // for people; "" where Effect is Allow
	Hint   string
	// Columns tells what to do with each column that the statement returns.
	Columns []Column
}

// Column is a column of a result.
type Column struct {
	// Labels that its values derive from and that are not shown; none means
	// that the column passes as it is.
	Labels []string
	// Plain is true where each value is that of a labelled column, so that the
	// mask of its label fits; else the value must be replaced whole.
	Plain bool
	// Nulls is true where NULL may pass: that a value is NULL tells nothing but
	// that labelled columns are.
	Nulls bool
}

// Judge gives the verdict on a statement.
func (f *Facts) Judge(r Rules) Verdict {
	if r.Shows == nil {
		r.Shows = func(string) bool { return false }
	}
	if r.Predicates == nil {
		r.Predicates = func(string) policy.Predicates { return policy.PredicateEquality }
	}
	j := &judge{f: f, r: r, v: Verdict{Effect: policy.Allow, Columns: make([]Column, len(f.outs))}}
	for i := range f.outs {
		if labels := j.hidden(f.outs[i].from); len(labels) > 0 {
			j.v.Columns[i] = Column{Labels: labels, Plain: f.outs[i].plain && len(labels) == 1, Nulls: f.outs[i].nulls}
		}
	}
	if f.Purpose == Explain && f.Code {
		j.atLeast(policy.Deny, "explain the statement without the function", "a function would bring labelled values while the statement is planned")
	}
	for i := range f.Calls {
		j.call(&f.Calls[i])
	}
	for i := range f.Inferences {
		j.inference(&f.Inferences[i])
	}
	for i := range f.Writes {
		j.write(&f.Writes[i])
	}
	return j.v
}

// judge collects the strictest verdict; the first reason of it stays.
type judge struct {
	f *Facts
	r Rules
	v Verdict
}

func (j *judge) atLeast(e policy.Effect, hint, format string, args ...any) {
	if e < j.v.Effect {
		j.v.Effect, j.v.Reason, j.v.Hint = e, fmt.Sprintf(format, args...), hint
	}
}

// hidden lists the labels of a set that are not shown.
func (j *judge) hidden(from set) []string {
	if from.empty() {
		return nil
	}
	return slices.DeleteFunc(j.f.catalog.labels(from), j.r.Shows)
}

func (j *judge) call(c *Call) {
	if c.Approve {
		j.atLeast(policy.RequireApproval, "an administrator can trust the function, by the hash of its body", "%s: %s", c.Function, c.Why)
		return
	}
	j.atLeast(policy.Deny, "select the columns themselves; what is labelled comes masked", "%s: %s", c.Function, c.Why)
}

func (j *judge) inference(i *Inference) {
	from := i.from.without(unreadSet)
	for _, label := range j.hidden(from) {
		switch p := j.r.Predicates(label); {
		case p == policy.PredicateAllow && j.f.Purpose != Explain:
		case p == policy.PredicateEquality && i.Equality && j.f.Purpose != Explain:
		case p == policy.PredicateApproval:
			j.atLeast(policy.RequireApproval, "", "%s shows what values with the label %s are", i.Clause, label)
		default:
			j.atLeast(policy.Deny, j.inferenceHint(p), "%s uses %s, which is labelled %s: which rows come, or in what order, would show its values",
				i.Clause, j.names(from), label)
		}
	}
}

func (j *judge) inferenceHint(p policy.Predicates) string {
	switch {
	case j.f.Purpose == Explain:
		return "explain the statement without the condition on labelled columns"
	case p == policy.PredicateEquality:
		return "compare the column for equality with a constant, or leave it to the list of columns, where it comes masked"
	}
	return "leave the column to the list of columns, where it comes masked"
}

func (j *judge) write(w *Write) {
	from := w.from.without(unreadSet)
	into := j.f.catalog.labels(w.into)
	for _, label := range j.f.catalog.labels(from) {
		if !slices.Contains(into, label) {
			j.atLeast(policy.Deny, "write to a column that has the same label", "values of %s, labelled %s, would be written %s, which is not",
				j.names(from), label, j.target(w))
		}
	}
}

func (j *judge) target(w *Write) string {
	if w.Relation == 0 {
		return "into a new relation"
	}
	name := j.f.catalog.relations[w.Relation].name
	if name == "" {
		name = "a relation"
	}
	return fmt.Sprintf("into column %d of %s", w.Column, name)
}

// names lists what a set holds, for people.
func (j *judge) names(from set) string {
	var names []string
	for _, s := range j.f.catalog.sources(from) {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > 3 {
		names = append(names[:3], "…")
	}
	return strings.Join(names, ", ")
}
