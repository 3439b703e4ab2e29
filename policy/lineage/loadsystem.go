package lineage

import "strings"

// systemColumns are catalog columns that hold values of tables, or secrets.
func (l *loader) systemColumns() {
	l.each(`select a.attrelid, a.attnum, c.relname, a.attname from pg_catalog.pg_attribute a
join pg_catalog.pg_class c on c.oid = a.attrelid and c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace
where a.attnum > 0 and (c.relname = 'pg_statistic' and a.attname like 'stavalues%'
 or c.relname = 'pg_statistic_ext_data' and a.attname in ('stxdmcv', 'stxdexpr')
 or c.relname = 'pg_largeobject' and a.attname = 'data'
 or c.relname = 'pg_authid' and a.attname = 'rolpassword'
 or c.relname = 'pg_user_mapping' and a.attname = 'umoptions'
 or c.relname = 'pg_subscription' and a.attname = 'subconninfo')`, func(f []string) {
		label := Credentials
		switch {
		case strings.HasPrefix(f[2], "pg_statistic"):
			label = Statistics
		case f[2] == "pg_largeobject":
			label = LargeObjects
		}
		l.add(place{l.oid(f[0]), int16(l.number(f[1]))}, "pg_catalog."+f[2]+"."+f[3], label)
	})
}

// systemResults are functions that return texts of statements: those of other
// sessions and, for cursors and prepared statements, of this one.
func (l *loader) systemResults() {
	l.each(`select p.oid, p.proname, u.name, u.place - (select pg_catalog.count(*) from pg_catalog.unnest(p.proargmodes) with ordinality m(mode, at)
  where m.mode = 'i' and m.at <= u.place) from pg_catalog.pg_proc p,
pg_catalog.unnest(p.proargnames) with ordinality u(name, place)
where p.proname in ('pg_stat_get_activity', 'pg_prepared_statement', 'pg_cursor', 'pg_stat_statements')
 and p.proargmodes[u.place] in ('o', 't') and u.name in ('query', 'statement')`, func(f []string) {
		l.value(l.oid(f[0]), f[1], f[2], l.number(f[3]))
	})
	l.each(`select oid, proname from pg_catalog.pg_proc where proname in ('pg_stat_get_backend_activity')`, func(f []string) {
		l.value(l.oid(f[0]), f[1], "result", 1)
	})
}

// value labels one column of what a function returns. A function is its own
// relation here: OIDs of both share no space, so none is claimed.
func (l *loader) value(oid uint32, name, column string, at int) {
	l.c.columns = append(l.c.columns, labelled{name: name + "()." + column, labels: []string{Queries}, group: l.group([]string{Queries})})
	fn := l.c.functions[oid]
	if fn == nil {
		fn = &function{name: "pg_catalog." + name, language: "internal"}
		l.c.functions[oid] = fn
	}
	if fn.valueAt == nil {
		fn.valueAt = map[int]set{}
	}
	fn.valueAt[at] = single(len(l.c.columns) - 1)
}
