package postgres

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strings"

	"hoop/broker"
	"hoop/policy"
	"hoop/policy/mask"
)

// Sample looks into tables for values of the detectors' classes; see
// broker.Inspector.
func (e *Engine) Sample(ctx context.Context, s *broker.Session, rows int, found func(broker.SampledColumn)) error {
	if err := s.Open(ctx, s.Target.Database); err != nil {
		return err
	}
	d, err := mask.NewDetectors(mask.Classes(), func(string) (*mask.Method, error) {
		return mask.NewMethod(policy.MaskSpec{Method: "redact"}, nil)
	})
	if err != nil {
		return err
	}
	up, err := e.connect(ctx, s, s.Target.Database, inspectSettings())
	if err != nil {
		return err
	}
	defer up.close()
	defer context.AfterFunc(ctx, func() { _ = up.conn.SetDeadline(longAgo) })()
	m := sampler{lister: lister{up: up, r: bufio.NewReaderSize(up.conn, clientBuffer)}, s: s, e: e, d: d, rows: rows}
	for _, t := range m.tables() {
		if err := m.table(ctx, t, found); err != nil {
			return fmt.Errorf("sample %s.%s: %w", t.schema, t.name, err)
		}
	}
	return m.err
}

// sampler reads tables one by one.
type sampler struct {
	lister
	s    *broker.Session
	e    *Engine
	d    *mask.Detectors
	rows int
}

type sampledTable struct {
	schema, name string
	columns      []string
}

// run gives the rows of one query, which is an action of its own.
func (m *sampler) run(ctx context.Context, query string, f func(fields []string)) error {
	parts := m.e.analyzer.Statements(ctx, query)
	if len(parts) != 1 {
		return fmt.Errorf("a query of hoop's own is not understood")
	}
	st := parts[0]
	t, err := m.s.Decide(ctx, &broker.Action{Action: policy.Action{Verb: "sql." + st.Facts.Kind, Text: query, SQL: st.Facts}})
	if err != nil {
		return err
	}
	o := broker.Outcome{Result: "ok"}
	m.each(query, anyFields, func(fields []string) {
		o.Rows++
		f(fields)
	})
	if m.err != nil {
		o.Result = "error"
	}
	m.s.Finish(t, o)
	return m.err
}

// tables lists what the credential may read, with the columns whose values can
// be text. It reads catalogs only, as the loading of labels does.
func (m *sampler) tables() []sampledTable {
	var out []sampledTable
	m.each(`select n.nspname, c.relname, a.attname from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type t on t.oid = a.atttypid
where c.relkind in ('r', 'p', 'm') and not c.relispartition and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
 and pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') and pg_catalog.has_schema_privilege(n.oid, 'USAGE')
 and (t.typcategory in ('S', 'N', 'I') or t.typname in ('json', 'jsonb', 'xml', 'hstore'))
order by 1, 2, a.attnum`, 3, func(f []string) {
		if n := len(out); n == 0 || out[n-1].schema != f[0] || out[n-1].name != f[1] {
			out = append(out, sampledTable{schema: f[0], name: f[1]})
		}
		at := &out[len(out)-1]
		at.columns = append(at.columns, f[2])
	})
	return out
}

func (m *sampler) table(ctx context.Context, t sampledTable, found func(broker.SampledColumn)) error {
	if m.err != nil {
		return m.err
	}
	columns := make([]broker.SampledColumn, len(t.columns))
	list := make([]string, len(t.columns))
	labels := m.s.Labels()
	for i, name := range t.columns {
		columns[i] = broker.SampledColumn{Schema: t.schema, Table: t.name, Column: name, Found: map[string]int{}}
		list[i] = quoteName(name) + "::text"
		for _, l := range labels {
			if l.Schema == t.schema && l.Table == t.name && l.Column == name {
				columns[i].Label = l.Label
			}
		}
	}
	query := fmt.Sprintf("SELECT %s FROM %s.%s LIMIT %d", strings.Join(list, ", "), quoteName(t.schema), quoteName(t.name), m.rows)
	err := m.run(ctx, query, func(fields []string) {
		for i, value := range fields {
			if value == "" || i >= len(columns) {
				continue
			}
			columns[i].Values++
			for _, class := range m.classes(value, columns[i].Column) {
				columns[i].Found[class]++
			}
		}
	})
	for i := range columns {
		found(columns[i])
	}
	return err
}

// classes are those of the findings in a value, each once.
func (m *sampler) classes(value, name string) []string {
	var out []string
	for _, f := range m.d.Find(nil, []byte(value), mask.Context{Name: name}) {
		if !slices.Contains(out, f.Class) {
			out = append(out, f.Class)
		}
	}
	return out
}
