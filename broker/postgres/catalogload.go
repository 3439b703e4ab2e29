package postgres

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"hoop/policy"
	"hoop/policy/lineage"
)

// maxCatalogMessage bounds one message of a catalog query's answer, bytes.
const maxCatalogMessage = 32 << 20

// loadSnapshot asks the target over a connection of its own.
func loadSnapshot(ctx context.Context, connect connector, specs []policy.ColumnLabel, trusted []lineage.Trusted, before *snapshot) (*snapshot, error) {
	up, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	defer up.close()
	defer context.AfterFunc(ctx, func() { _ = up.conn.SetDeadline(longAgo) })()
	s := &snapshot{labels: map[column]string{}, relations: map[uint32]struct{}{}, rows: map[uint32]string{}}
	l := lister{up: up, r: bufio.NewReaderSize(up.conn, clientBuffer)}
	l.each(`select oid from pg_catalog.pg_class`, 1, func(f []string) {
		s.relations[l.oid(f[0])] = struct{}{}
	})
	l.each(labelQuery(specs), 5, func(f []string) {
		s.labels[column{l.oid(f[0]), l.number(f[1])}] = f[2]
		for _, typ := range f[3:5] {
			if oid := l.oid(typ); oid != 0 {
				s.rows[oid] = f[2]
			}
		}
	})
	s.keep(before)
	l.each(viewQuery(s), 3, func(f []string) {
		s.labels[column{l.oid(f[0]), l.number(f[1])}] = f[2]
	})
	l.each(tableQuery(s), 6, func(f []string) {
		s.addColumn(l.oid(f[0]), f[1], f[2], tableColumn{f[3], l.number(f[4]), f[5] == "t"})
	})
	loadLineage(ctx, &l, s, specs, trusted)
	return s, l.err
}

// labelQuery finds the labelled columns and, by inheritance, those of
// partitions and children; with each comes the row type of its table and the
// type of arrays of that.
func labelQuery(specs []policy.ColumnLabel) string {
	var b strings.Builder
	b.WriteString(`with recursive spec(nsp, rel, col, label) as (values `)
	for i, s := range specs {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "(%s, %s, %s, %s)", literal(s.Schema), literal(s.Table), literal(s.Column), literal(s.Label))
	}
	b.WriteString(`), hit(rel, col, label) as (
 select c.oid, a.attname, s.label from spec s
 join pg_catalog.pg_namespace n on n.nspname = s.nsp
 join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = s.rel
 join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = s.col and a.attnum > 0 and not a.attisdropped
 union
 select i.inhrelid, h.col, h.label from hit h join pg_catalog.pg_inherits i on i.inhparent = h.rel)
select h.rel, a.attnum, h.label, c.reltype, t.typarray from hit h
join pg_catalog.pg_class c on c.oid = h.rel
join pg_catalog.pg_attribute a on a.attrelid = h.rel and a.attname = h.col and not a.attisdropped
left join pg_catalog.pg_type t on t.oid = c.reltype`)
	return b.String()
}

// viewQuery finds columns of views that show a labelled column as it is. A
// rule's stored tree says of each output which table and column it is taken
// from (resorigtbl, resorigcol); inner queries of the view count too, which may
// label too much but never too little.
func viewQuery(s *snapshot) string {
	if len(s.labels) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(`with recursive labelled(rel, num, label) as (values `)
	comma := ""
	for c, label := range s.labels {
		fmt.Fprintf(&b, "%s(%d::oid, %d, %s)", comma, c.relation, c.attribute, literal(label))
		comma = ","
	}
	b.WriteString(`), origin(view, num, rel, col) as (
 select r.ev_class, m[1]::int, m[2]::oid, m[3]::int from pg_catalog.pg_rewrite r,
 pg_catalog.regexp_matches(r.ev_action::text, ':resno ([0-9]+) [^{}]*?:resorigtbl ([1-9][0-9]*) :resorigcol ([0-9]+)', 'g') m
 where r.rulename = '_RETURN' and r.ev_class >= 16384),
 hit(rel, num, label) as (
 select rel, num, label from labelled
 union
 select o.view, o.num, h.label from hit h join origin o on o.rel = h.rel and o.col = h.num)
select h.rel, h.num, h.label from hit h join pg_catalog.pg_class c on c.oid = h.rel and c.relkind in ('v', 'm')`)
	return b.String()
}

// tableQuery lists the columns of labelled tables, for COPY.
func tableQuery(s *snapshot) string {
	if len(s.labels) == 0 {
		return ""
	}
	seen := map[uint32]bool{}
	var oids []string
	for c := range s.labels {
		if !seen[c.relation] {
			seen[c.relation] = true
			oids = append(oids, strconv.FormatUint(uint64(c.relation), 10))
		}
	}
	return `select c.oid, n.nspname, c.relname, a.attname, a.attnum, a.attgenerated <> '' from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.oid in (` + strings.Join(oids, ",") + `) order by c.oid, a.attnum`
}

func (s *snapshot) addColumn(oid uint32, schema, name string, c tableColumn) {
	if n := len(s.tables); n == 0 || s.tables[n-1].oid != oid {
		s.tables = append(s.tables, labelledTable{oid: oid, schema: schema, name: name})
	}
	t := &s.tables[len(s.tables)-1]
	t.columns = append(t.columns, c)
}

// literal quotes a string where standard_conforming_strings is on.
func literal(s string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(s, "\x00", ""), "'", "''") + "'"
}

// lister runs queries of the broker's own. The first error stays.
type lister struct {
	up  *upstream
	r   *bufio.Reader
	err error
	// telling keeps the trees that the server tells of.
	telling bool
	trees   []string
}

// anyFields stands for however many fields a row has.
const anyFields = -1

// queryError is what the server says against a query.
type queryError struct{ code, message string }

func (e *queryError) Error() string {
	return fmt.Sprintf("catalog query: SQLSTATE %s: %s", e.code, e.message)
}

func (l *lister) oid(s string) uint32 {
	if s == "" { // NULL
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 32)
	l.keep(err)
	return uint32(n)
}

func (l *lister) number(s string) int16 {
	n, err := strconv.ParseInt(s, 10, 16)
	l.keep(err)
	return int16(n)
}

func (l *lister) keep(err error) {
	if l.err == nil {
		l.err = err
	}
}

// each runs a simple Query and calls f for each of its rows, which have n
// fields, as text; NULL is empty.
func (l *lister) each(query string, n int, f func(fields []string)) {
	if l.err != nil || query == "" {
		return
	}
	msg, at := startFrame(nil, typeQuery)
	msg = endFrame(append(append(msg, query...), 0), at)
	if _, err := l.up.conn.Write(msg); err != nil {
		l.keep(err)
		return
	}
	var failed *queryError
	for l.err == nil {
		kind, body := l.message()
		switch kind {
		case 'D':
			if fields := l.fields(body, n); l.err == nil {
				f(fields)
			}
		case 'E':
			r := report{body: body}
			failed = &queryError{string(r.field('C')), string(r.field('M'))}
		case 'N':
			r := report{body: body}
			if tree, ok := treeOf(&r); ok && l.telling {
				l.trees = append(l.trees, tree)
			}
		case 'Z':
			if failed != nil {
				l.keep(failed)
			}
			return
		}
	}
}

func (l *lister) message() (kind byte, body []byte) {
	var head [headerSize]byte
	if _, err := io.ReadFull(l.r, head[:]); err != nil {
		l.keep(err)
		return 0, nil
	}
	kind, size, err := frameSize(head[:])
	if err == nil && size > maxCatalogMessage {
		err = fmt.Errorf("%w: a catalog message of %d bytes", errProtocol, size)
	}
	if err != nil {
		l.keep(err)
		return 0, nil
	}
	body = make([]byte, size-headerSize)
	_, err = io.ReadFull(l.r, body)
	l.keep(err)
	return kind, body
}

func (l *lister) fields(body []byte, n int) []string {
	r := reader{rest: body}
	if got := int(r.uint16()); n == anyFields {
		n = got
	} else if got != n {
		r.fail(errCount)
	}
	v := r.values(n)
	if err := r.done(); err != nil {
		l.keep(fmt.Errorf("%w: catalog row: %w", errProtocol, err))
		return nil
	}
	out := make([]string, 0, n)
	for range n {
		value, _ := v.next()
		out = append(out, string(value))
	}
	return out
}
