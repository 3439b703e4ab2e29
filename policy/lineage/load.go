package lineage

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hoop/policy"
)

// Querier runs the catalog queries. Its session finds nothing through a
// search_path that others may have put objects in, unless it is the user's own.
type Querier interface {
	// Rows runs a query and calls f for each row, with its fields as text; NULL
	// is "".
	Rows(ctx context.Context, query string, f func(fields []string)) error
	// Trees runs a query with debug_print_rewritten = on and gives the details
	// of the messages that print a tree, in order, that of the query itself
	// first.
	Trees(ctx context.Context, query string) ([]string, error)
}

// Trusted is a function whose body somebody has read: what it returns derives
// from its arguments only, and it keeps nothing of them.
type Trusted struct {
	// Name is schema.name, as SQL writes it.
	Name string
	// SHA256 is that of pg_proc.prosrc, in hexadecimal.
	SHA256 string
}

// Bound is a column that a label was found to mean before: it keeps it whatever
// it and its table are called since.
type Bound struct {
	Relation uint32
	Column   int16
	Label    string
}

// Load reads a Catalog. Nothing labelled makes an empty one.
func Load(ctx context.Context, q Querier, labels []policy.ColumnLabel, trusted []Trusted, bound ...Bound) (*Catalog, error) {
	if len(labels) == 0 {
		return &Catalog{}, nil
	}
	l := &loader{ctx: ctx, q: q, trusted: trusted, trees: map[uint32]*Tree{}, c: &Catalog{
		columns: make([]labelled, reserved), places: map[place]set{}, rows: map[uint32]set{},
		relations: map[uint32]relation{}, functions: map[uint32]*function{}, equality: map[uint32]bool{},
		triggers: map[uint32][]trigger{}, views: map[uint32][]taint{}, domains: map[uint32][]uint32{}, nulls: map[uint32]nullness{},
	}}
	for i := range reserved {
		l.c.columns[i] = labelled{name: "code that cannot be followed", labels: []string{Opaque}}
	}
	steps := []func(){
		l.relations, func() { l.labels(labels) }, func() { l.bind(bound) }, l.systemColumns, l.operators,
		l.functions, l.systemResults, l.bodies, l.domains, l.strictness, l.expressions, l.views, l.toast, l.triggers,
	}
	for _, step := range steps {
		if step(); l.err != nil {
			return nil, fmt.Errorf("read the catalog: %w", l.err)
		}
	}
	l.c.shapes = &shapes{}
	return l.c, nil
}

// loader fills a Catalog. The first error stays.
type loader struct {
	ctx     context.Context
	q       Querier
	c       *Catalog
	trusted []Trusted
	trees   map[uint32]*Tree // of views
	fills   []filled
	groups  map[string]int
	names   *mentions
	keepers *mentions // names by which code may keep a value
	sources []source
	err     error
}

func (l *loader) each(query string, f func(fields []string)) {
	if l.err != nil {
		return
	}
	if err := l.q.Rows(l.ctx, query, f); err != nil {
		l.fail(err)
	}
}

func (l *loader) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

func (l *loader) oid(s string) uint32 {
	if s == "" {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		l.fail(err)
	}
	return uint32(n)
}

func (l *loader) number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		l.fail(err)
	}
	return n
}

// add numbers a labelled column; one that is there gets the label as well.
func (l *loader) add(at place, name, label string) {
	if own, ok := l.own(at); ok {
		have := &l.c.columns[own]
		if !slices.Contains(have.labels, label) {
			have.labels = append(slices.Clone(have.labels), label)
			slices.Sort(have.labels)
			have.group = l.group(have.labels)
		}
		return
	}
	labels := []string{label}
	l.c.columns = append(l.c.columns, labelled{place: at, name: name, labels: labels, group: l.group(labels)})
	l.put(at, single(len(l.c.columns)-1))
}

// own finds the number of a column that carries a label itself.
func (l *loader) own(at place) (number int, ok bool) {
	l.c.places[at].each(func(i int) {
		if l.c.columns[i].place == at {
			number, ok = i, true
		}
	})
	return number, ok
}

func (l *loader) put(at place, from set) {
	l.c.places[at] = l.c.places[at].union(from)
	l.c.rows[at.relation] = l.c.rows[at.relation].union(from)
}

func (l *loader) group(labels []string) int {
	if l.groups == nil {
		l.groups = map[string]int{}
	}
	key := strings.Join(labels, " ")
	if _, ok := l.groups[key]; !ok {
		l.groups[key] = len(l.groups)
	}
	return l.groups[key]
}

func (l *loader) relations() {
	l.each(relationsQuery, func(f []string) {
		r := relation{name: f[1] + "." + f[2]}
		if f[3] != "" {
			r.kind = f[3][0]
		}
		l.c.relations[l.oid(f[0])] = r
	})
}

const relationsQuery = `select c.oid, n.nspname, c.relname, c.relkind from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid >= 16384 and c.relkind not in ('i', 'I')`

func (l *loader) labels(specs []policy.ColumnLabel) {
	l.each(labelsQuery(specs), func(f []string) {
		l.add(place{l.oid(f[0]), int16(l.number(f[1]))}, f[3]+"."+f[4]+"."+f[5], f[2])
	})
}

// bind adds labels that columns had, where they carry none now.
func (l *loader) bind(bound []Bound) {
	for _, b := range bound {
		at := place{b.Relation, b.Column}
		r, there := l.c.relations[b.Relation]
		if _, labelled := l.own(at); !there || labelled || r.kind == 'v' || r.kind == 'm' { // a view shows what its query does
			continue
		}
		l.add(at, fmt.Sprintf("%s.%d", r.name, b.Column), b.Label)
	}
}

// labelsQuery finds labelled columns; partitions and children inherit theirs,
// and what reads a child through its parent shows the child's.
func labelsQuery(specs []policy.ColumnLabel) string {
	var b strings.Builder
	b.WriteString(`with recursive spec(nsp, rel, col, label) as (values `)
	for i, s := range specs {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "(%s, %s, %s, %s)", literal(s.Schema), literal(s.Table), literal(s.Column), literal(s.Label))
	}
	b.WriteString(`), down(rel, col, label) as (
 select c.oid, a.attname, s.label from spec s
 join pg_catalog.pg_namespace n on n.nspname = s.nsp
 join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = s.rel
 join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = s.col and a.attnum > 0 and not a.attisdropped
 union
 select i.inhrelid, d.col, d.label from down d join pg_catalog.pg_inherits i on i.inhparent = d.rel),
up(rel, col, label) as (
 select rel, col, label from down
 union
 select i.inhparent, u.col, u.label from up u join pg_catalog.pg_inherits i on i.inhrelid = u.rel)
select u.rel, a.attnum, u.label, n.nspname, c.relname, a.attname from up u
join pg_catalog.pg_class c on c.oid = u.rel
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = u.rel and a.attname = u.col and not a.attisdropped
order by 1, 2, 3`)
	return b.String()
}

// literal quotes a string where standard_conforming_strings is on.
func literal(s string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(s, "\x00", ""), "'", "''") + "'"
}

// eachObject calls f for every object with the tag at and beneath a node.
func eachObject(n Node, tag string, f func(Node)) {
	if n.tag() == tag {
		f(n)
	}
	for c := n.first(); c.t != nil; c = c.following() {
		eachObject(c, tag, f)
	}
}

// operators finds those that compare for equality.
func (l *loader) operators() {
	l.each(`select o.oid from pg_catalog.pg_operator o where o.oprname in ('=', '<>')
and o.oprresult = 'pg_catalog.bool'::pg_catalog.regtype and o.oprcode < 16384::pg_catalog.oid`, func(f []string) {
		l.c.equality[l.oid(f[0])] = true
	})
}

// toast tables hold the long values of their table, whatever their column.
func (l *loader) toast() {
	l.each(`select oid, reltoastrelid from pg_catalog.pg_class where reltoastrelid <> 0`, func(f []string) {
		if from := l.c.rows[l.oid(f[0])]; !from.empty() {
			for column := range int16(3) { // chunk_id, chunk_seq, chunk_data
				l.put(place{l.oid(f[1]), column + 1}, from)
			}
		}
	})
}

// triggers are noted where they may carry labelled values into their table, or
// out of it.
func (l *loader) triggers() {
	l.each(`select tgrelid, tgfoid, tgtype from pg_catalog.pg_trigger where not tgisinternal and tgenabled <> 'D'`, func(f []string) {
		t := trigger{function: l.oid(f[1]), events: l.number(f[2])}
		if fn := l.c.functions[t.function]; fn == nil || fn.carries {
			rel := l.oid(f[0])
			l.c.triggers[rel] = append(l.c.triggers[rel], t)
		}
	})
}
