package postgres

import (
	"context"
	"slices"

	"hoop/policy"
	"hoop/policy/lineage"
	"hoop/policy/sql"
)

// runsParsed reports whether a Query can run as the statement that the target
// has just parsed for the broker, rather than be parsed once more: one reading
// alone, without parameters, whose tree was judged.
func (c *requests) runsParsed(parts []sql.Statement, e *entry) bool {
	if !c.parsed || len(parts) != 1 || len(e.tickets) != 1 || e.view == nil {
		return false
	}
	f, d := parts[0].Facts, e.tickets[0].derived
	return f.Kind == "select" && !changesMeaning(f) && !reshapes(f) && !slices.ContainsFunc(f.Effects, func(e string) bool { return e != "read" }) &&
		d != nil && !d.late && len(d.of) == 1 && d.tree != ""
}

// runParsed sends in the place of a Query what runs the parsed statement. The
// client reads the same answer: RowDescription, rows, CommandComplete and
// ReadyForQuery ("Simple Query"). Only BindComplete is for the broker alone.
func (c *requests) runParsed(q *entry) {
	t, v := q.tickets[0], q.view
	b := make([]byte, 0, 64)
	b, at := startFrame(b, typeBind)
	b = endFrame(append(b, 0, 0, 0, 0, 0, 0, 0, 0), at) // unnamed portal and statement; no parameters; all as text
	b = appendTarget(b, typeDescribe, subtypePortal, "")
	b, at = startFrame(b, typeExecute)
	b = endFrame(append(b, 0, 0, 0, 0, 0), at)
	b = append(b, typeSync, 0, 0, 0, 4)
	for _, kind := range []byte{typeBind, typeDescribe, typeExecute} {
		e := c.queue.entry(kind)
		e.tickets, e.view, e.direct = append(e.one[:0], t), v, true
		if kind == typeDescribe {
			e.subtype = subtypePortal
		}
		c.queue.push(e)
	}
	c.queue.push(c.queue.entry(typeSync))
	c.flow.replace(c.size, b)
}

// planned judges a tree that comes while a parsed statement runs: somebody has
// changed what it reads since it was parsed. One with other columns is of a
// function that was inlined.
func (p *responses) planned(ctx context.Context, e *entry, tree string) error {
	t := e.ticket()
	if t == nil || t.derived == nil || t.derived.tree == treeKey(tree) {
		return nil
	}
	f, err := p.followed(ctx, e.view, tree)
	if err != nil {
		return err
	}
	if f.Columns() != t.derived.of[0].Columns() {
		return nil
	}
	if f.Blind || p.session.AsksLabels() && !slices.Equal(t.derived.of[0].Labels(), f.Labels()) {
		return changedMeaning(lineage.Verdict{Reason: "somebody has changed what it reads"})
	}
	again := *t.derived
	again.of = append(slices.Clone(again.of), f)
	if v := again.verdict(p.rulesFor(&t.Verdict)); v.Effect != policy.Allow {
		return changedMeaning(v)
	}
	t.derived = &again
	p.masker.plan = nil
	return nil
}
