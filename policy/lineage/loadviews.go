package lineage

import "slices"

// views finds out what the columns of views and materialised views derive
// from, and which functions' texts name something labelled, until nothing
// changes any more: each may build on the other.
func (l *loader) views() {
	l.each(viewsQuery, func(f []string) {
		t, err := ReadTree(f[1])
		if err != nil {
			l.c.views[l.oid(f[0])] = nil // every column is opaque
			l.c.rows[l.oid(f[0])] = opaqueSet
			return
		}
		l.trees[l.oid(f[0])] = t
	})
	l.names, l.keepers = newMentions(), newKeepers()
	for i := reserved; i < len(l.c.columns); i++ {
		if at := l.c.columns[i].place; at.relation != 0 {
			l.names.add(l.c.relations[at.relation].name)
		}
	}
	for changed := true; changed && l.err == nil; {
		changed = l.readTexts()
		changed = l.fill() || changed
		for oid, t := range l.trees {
			changed = l.view(oid, t) || changed
		}
	}
}

// System views are in the list because stored trees, unlike those of
// statements, name views.
const viewsQuery = `select r.ev_class, r.ev_action::pg_catalog.text from pg_catalog.pg_rewrite r
join pg_catalog.pg_class c on c.oid = r.ev_class
where r.rulename = '_RETURN' and (r.ev_class >= 16384 or c.relname in ('pg_stats', 'pg_stats_ext', 'pg_stats_ext_exprs', 'pg_stat_activity',
 'pg_prepared_statements', 'pg_cursors', 'pg_shadow', 'pg_user_mappings', 'pg_user', 'pg_stat_subscription'))`

// view computes one view's columns and reports whether they changed.
func (l *loader) view(oid uint32, t *Tree) bool {
	outs := l.c.queryColumns(t)
	row := l.c.rows[oid]
	for i := range outs {
		outs[i] = l.c.either(outs[i], asIs(l.c.places[place{oid, int16(i + 1)}]))
		row = row.union(outs[i].from)
	}
	old := l.c.views[oid]
	l.c.views[oid], l.c.rows[oid] = outs, row
	if !row.empty() {
		l.names.add(l.c.relations[oid].name)
	}
	return !slices.EqualFunc(old, outs, func(a, b taint) bool {
		return a.plain == b.plain && a.nulls == b.nulls && a.from.within(b.from) && b.from.within(a.from)
	})
}

// readTexts marks the functions whose texts name something labelled, and those
// that may keep what they are given, which makes their own names such; it
// reports whether there are more than before.
func (l *loader) readTexts() bool {
	found := false
	for i := range l.sources {
		fn := l.c.functions[l.sources[i].oid]
		if fn.trusted {
			continue
		}
		unread := fn.language != "plpgsql" && fn.language != "sql"
		if !fn.carries && (unread || l.names.in(l.sources[i].text)) {
			fn.carries, found = true, true
			l.names.add(fn.name)
		}
		if !fn.keeps && (fn.volatile || unread || l.keepers.in(l.sources[i].text)) {
			fn.keeps, found = true, true
			l.keepers.add(fn.name)
		}
	}
	return found
}
