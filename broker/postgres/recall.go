package postgres

import (
	"context"
	"slices"

	"hoop/policy"
	"hoop/policy/lineage"
	"hoop/policy/sql"
)

// maxRecalled bounds the shapes that a session remembers.
const maxRecalled = 64

// recalled are statements that only read, which were judged and allowed, by
// their facts: the analyser gives the same to texts that differ in constants.
// To have the target analyse one of them before it runs takes about as long as
// to run it, so it runs at once, and its tree is judged before the first row:
// see responses.runs and sure. What others did to the target since shows there.
type recalled struct {
	by     *snapshot
	policy string // its digest
	shapes map[*policy.SQL]*derivation
	// shaken is true once a statement changed what later ones mean: the end of
	// a transaction may change it back.
	shaken bool
}

// likely gives what a statement is judged by before its own tree has come, nil
// where it must wait for that.
func (c *requests) likely(st *sql.Statement, from origin) *derivation {
	r, of := &c.recalls, from.of
	if from.changed || r.by == nil || r.by != c.view.catalog.current.Load() || r.policy != c.session.PolicyDigest() {
		return nil
	}
	d := r.shapes[st.Facts]
	if d == nil || of != nil && !c.queue.is(func() bool { return !of.answered && c.queue.names.isPending(of) }) {
		return nil
	}
	return &derivation{late: true, likely: d, statement: of}
}

// recall remembers a statement that may run. One that calls code may change
// what the next ones mean, and is no reading.
func (c *requests) recall(st *sql.Statement, d *derivation, t *ticket) {
	if d == nil || t.Verdict.Effect != policy.Allow || c.session.Target.AnalyseAlways || !d.recallable(st.Facts) {
		return
	}
	snap, digest := c.view.catalog.current.Load(), t.Verdict.Policy
	if snap == nil {
		return
	}
	if r := &c.recalls; r.by != snap || r.policy != digest || len(r.shapes) >= maxRecalled {
		*r = recalled{by: snap, policy: digest, shapes: map[*policy.SQL]*derivation{}, shaken: r.shaken}
	}
	c.recalls.shapes[st.Facts] = d
}

func (d *derivation) recallable(f *policy.SQL) bool {
	return f.Kind == "select" && !changesMeaning(f) && !reshapes(f) && !slices.ContainsFunc(f.Effects, func(e string) bool { return e != "read" }) &&
		len(d.of) == 1 && !d.hidden && !d.late && !d.of[0].Code && !d.of[0].Blind && !d.of[0].PathBodies
}

// shake forgets what a statement that is sent may make untrue.
func (r *recalled) shake(f *policy.SQL) {
	changes := changesMeaning(f) || reshapes(f)
	if changes || r.shaken && slices.Contains(f.Effects, "transaction") {
		*r = recalled{shaken: changes}
	}
}

// settle judges a statement that an Execute ran because of one like it, by the
// tree that the answer to its Parse brought: before anything that the Execute
// brings is passed on, a notice included.
func (p *responses) settle(ctx context.Context, e *entry) error {
	t := e.underWay()
	if t == nil || t.derived == nil || !t.derived.late || t.derived.statement == nil {
		return nil
	}
	d := t.derived
	var trees []string
	p.queue.locked(func() { trees = d.statement.trees })
	if len(trees) != 1 {
		return changedMeaning(lineage.Verdict{Reason: "the server did not tell what it reads"})
	}
	return p.resettle(ctx, e, t, trees[0], d.statement)
}

// resettle judges a ticket by a tree that came after its verdict.
func (p *responses) resettle(ctx context.Context, e *entry, t *ticket, tree string, s *statement) error {
	f, err := p.followed(ctx, e.view, tree)
	if err != nil {
		return err
	}
	again := &derivation{of: []*lineage.Facts{f}, tree: treeKey(tree), statement: s}
	if likely := t.derived.likely; likely != nil {
		if likely.of[0] == f {
			t.derived = again
			return nil
		}
		if f.Blind {
			return changedMeaning(lineage.Verdict{Reason: "it came to call code that nobody can follow"})
		}
		if p.session.AsksLabels() && !slices.Equal(likely.of[0].Labels(), f.Labels()) {
			return changedMeaning(lineage.Verdict{Reason: "it reads other labels, which a rule asks for"})
		}
	}
	if v := again.verdict(p.rulesFor(&t.Verdict)); v.Effect != policy.Allow {
		return changedMeaning(v)
	}
	t.derived = again
	p.masker.plan = nil
	return nil
}
