package postgres

import (
	"slices"

	"hoop/broker"
	"hoop/policy"
	"hoop/policy/lineage"
)

// derivation is what the target's own trees say of one statement.
type derivation struct {
	// of are the facts of all that may run: more than one where the target has
	// planned a statement again, or a name stood for several.
	of []*lineage.Facts
	// silent is true where the statement's rows show no value: EXPLAIN, and all
	// that returns none.
	silent bool
	// hidden is true where nobody can tell what the rows derive from.
	hidden bool
	// late is true where the tree comes only when the statement runs, because
	// one before it in the same text may change what it means.
	late bool
	// likely is what one that comes late was judged by: a statement of the same
	// shape, before which nothing was changed since.
	likely *derivation
	tree   string // the key of the tree that was judged
	// made is what a PREPARE or DECLARE makes a name of.
	made *derivation
	// statement keeps trees that come when it is planned again; seen is how many
	// of them are in here.
	statement *statement
	seen      int
}

// opaqueRows stands for rows of code that cannot be followed.
func opaqueRows() *derivation { return &derivation{hidden: true} }

// verdict is the strictest one over all that may run.
func (d *derivation) verdict(r lineage.Rules) lineage.Verdict {
	v := lineage.Verdict{Effect: policy.Allow}
	for _, f := range d.of {
		if w := f.Judge(r); w.Effect < v.Effect {
			v = w
		}
	}
	return v
}

// columns tells what to do with n columns; nil where they show nothing.
func (d *derivation) columns(r lineage.Rules, n int) []lineage.Column {
	if d.silent {
		return nil
	}
	out := make([]lineage.Column, n)
	for _, f := range d.of {
		columns := f.Judge(r).Columns
		if len(columns) != n {
			return opaqueColumns(r, n)
		}
		for i, c := range columns {
			out[i] = both(out[i], c)
		}
	}
	if d.hidden || len(d.of) == 0 {
		return opaqueColumns(r, n)
	}
	return out
}

func opaqueColumns(r lineage.Rules, n int) []lineage.Column {
	if r.Shows(lineage.Opaque) {
		return nil
	}
	return slices.Repeat([]lineage.Column{{Labels: []string{lineage.Opaque}}}, n)
}

func both(a, b lineage.Column) lineage.Column {
	switch {
	case len(a.Labels) == 0:
		return b
	case len(b.Labels) == 0 || slices.Equal(a.Labels, b.Labels) && a.Plain == b.Plain && a.Nulls == b.Nulls:
		return a
	}
	labels := slices.Concat(a.Labels, b.Labels)
	slices.Sort(labels)
	return lineage.Column{Labels: slices.Compact(labels), Nulls: a.Nulls && b.Nulls}
}

// touches reports whether texts of errors may quote labelled values.
func (d *derivation) touches() bool {
	if d.late && d.likely != nil {
		return d.likely.touches() // its own tree has not come: nothing of it has run
	}
	return d.hidden || d.late || slices.ContainsFunc(d.of, func(f *lineage.Facts) bool { return f.Touches || f.Code })
}

// as is what a name stands for, for another purpose than to return rows.
func (d *derivation) as(p lineage.Purpose) *derivation {
	if p == lineage.Return {
		return d
	}
	out := &derivation{silent: true, hidden: d.hidden}
	for _, f := range d.of {
		out.of = append(out.of, f.For(p))
	}
	return out
}

// rulesFor are those of the labels under a policy verdict.
func (r *relay) rulesFor(v *policy.Verdict) lineage.Rules {
	return lineage.Rules{Shows: v.Shows, Predicates: r.session.Predicates}
}

// traced gives the facts of a statement with the labels that it reads.
func (c *requests) traced(f *policy.SQL, d *derivation) *policy.SQL {
	if d != nil && d.late {
		d = d.likely
	}
	if d == nil || d.hidden || len(d.of) == 0 && !d.silent || d.made != nil {
		return f
	}
	var labels []string
	for _, of := range d.of {
		labels = append(labels, of.Labels()...)
	}
	if len(labels) == 0 && !c.session.AsksLabels() {
		return f
	}
	slices.Sort(labels)
	with := *f
	with.LabelsRead, with.Traced = slices.Compact(labels), true
	return &with
}

// floor is what the labels demand of an action, under the verdict of the rules.
func (r *relay) floor(d *derivation) func(*policy.Verdict) *broker.Floor {
	if d != nil && d.late {
		d = d.likely
	}
	if d == nil {
		return nil
	}
	return func(before *policy.Verdict) *broker.Floor {
		v := d.verdict(r.rulesFor(before))
		if v.Effect == policy.Allow {
			return nil
		}
		return &broker.Floor{Effect: v.Effect, Reason: v.Reason, Hint: v.Hint}
	}
}
