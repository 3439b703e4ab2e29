package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
)

// copyable refuses, before it runs, a COPY TO whose values could not be masked.
// Which columns it copies is looked up when the target begins, because only
// then is the table locked: see responses.copyOut.
func (v *view) copyable(t *ticket) error {
	cp := t.copy
	if !cp.To || cp.File || cp.Program || showsAll(t) {
		return nil
	}
	if cp.Query && t.derived == nil && v.labelled(t.facts) {
		return &problem{code: "42501", message: "denied: the columns of COPY (query) cannot be told apart, so they cannot be masked",
			hint: "use COPY table (columns) TO STDOUT, or run the query by itself"}
	}
	// A query may read a labelled table through a view that its text does not name.
	if cp.Format == "binary" && (v.detectors != nil || cp.Query && v.catalog != nil || v.labelled(t.facts)) {
		return &problem{code: "42501", message: "denied: COPY in binary format cannot be masked", hint: "use text or csv"}
	}
	if cp.Format != "text" && cp.Format != "csv" && cp.Format != "binary" {
		return &problem{code: "42501", message: "denied: COPY in an unknown format cannot be masked", hint: "use text or csv"}
	}
	return nil
}

// copyOut handles CopyOutResponse: the masks for what follows.
func (p *responses) copyOut(ctx context.Context, msg []byte) error {
	e, err := p.expect('H', typeQuery, typeExecute)
	if err != nil {
		return err
	}
	t := e.ticket()
	if t == nil || t.facts.Kind != "copy_out" && !t.facts.Unknown {
		return fmt.Errorf("%w: the target copies what no statement asked for", errProtocol)
	}
	if e.view != nil && !showsAll(t) {
		if p.copied, err = p.copyMasks(ctx, e.view, t, msg[headerSize:]); err != nil {
			return err
		}
	}
	p.flow.pass(len(msg))
	return nil
}

// copyMasks makes the masker of a COPY TO that has begun.
func (p *responses) copyMasks(ctx context.Context, v *view, t *ticket, body []byte) (*copyMasker, error) {
	if t.copy == nil {
		return nil, &refusal{sqlstate: "42501", message: "the columns of this copy are not known, so they cannot be masked",
			hint: "use COPY table (columns) TO STDOUT"}
	}
	r := reader{rest: body}
	r.byte()
	n := int(r.uint16())
	r.take(2 * n)
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("%w: CopyOutResponse: %w", errProtocol, err)
	}
	columns, err := p.copyColumns(ctx, v, t, n)
	if err != nil {
		return nil, &refusal{sqlstate: "42501", message: "the columns of this copy could not be resolved, so it cannot be masked",
			hint: "name the table with its schema, and commit changes to it first", err: err}
	}
	return newCopyMasker(t.copy, columns, &p.masker), nil
}

// copyColumns gives the plan for the n columns of a COPY TO.
func (p *responses) copyColumns(ctx context.Context, v *view, t *ticket, n int) ([]columnPlan, error) {
	columns := make([]columnPlan, n)
	for i := range columns {
		if v.detectors != nil {
			columns[i].seek = inText
		}
	}
	p.masker.detectors = v.detectors
	p.masker.moved()
	p.masker.ready()
	if t.copy.Query && t.derived != nil {
		return p.copiedQuery(columns, v, t)
	}
	if t.copy.Query || v.catalog == nil {
		return columns, nil
	}
	if p.ddl {
		return nil, fmt.Errorf("the schema was changed in this transaction")
	}
	snap, err := v.catalog.newer(ctx, p.connect)
	if err != nil {
		return nil, err
	}
	table, err := snap.copied(t)
	if err != nil || table == nil {
		return columns, err
	}
	from, err := table.list(t.copy.Columns)
	if err != nil {
		return nil, err
	}
	if len(from) != n {
		return nil, fmt.Errorf("the copy has %d columns and the table %d", n, len(from))
	}
	for i, c := range from {
		columns[i].name = c.name
		if label := snap.labels[column{table.oid, c.number}]; label != "" {
			columns[i].seek = nowhere
			if !t.Verdict.Shows(label) {
				columns[i].label, columns[i].method = label, v.method(label)
			}
		}
	}
	return columns, nil
}

// copied finds the labelled table that a COPY names, nil where it has no label.
// Without a schema the name could mean any table of that name.
func (s *snapshot) copied(t *ticket) (*labelledTable, error) {
	if d := t.derived; d != nil && len(d.of) == 1 && len(d.of[0].Relations) > 0 {
		return s.table(d.of[0].Relations[0]), nil
	}
	cp := t.copy
	schema, name := splitName(cp.Table)
	var found *labelledTable
	for i := range s.tables {
		t := &s.tables[i]
		if t.name != name || schema != "" && t.schema != schema {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("more than one labelled table has this name")
		}
		found = t
	}
	return found, nil
}

func (s *snapshot) table(oid uint32) *labelledTable {
	i := slices.IndexFunc(s.tables, func(t labelledTable) bool { return t.oid == oid })
	if i < 0 {
		return nil
	}
	return &s.tables[i]
}

// copiedQuery puts what the target's tree says of a query's columns into the
// plan of its COPY.
func (p *responses) copiedQuery(columns []columnPlan, v *view, t *ticket) ([]columnPlan, error) {
	for i, c := range t.derived.columns(p.rulesFor(&t.Verdict), len(columns)) {
		if len(c.Labels) > 0 {
			columns[i].seek = nowhere
			columns[i].label, columns[i].method, columns[i].computed = c.Labels[0], v.methodFor(c), !c.Nulls
		}
	}
	return columns, nil
}

// list gives the columns that a COPY lists, or without a list all that it
// copies.
func (t *labelledTable) list(names []string) ([]tableColumn, error) {
	if len(names) == 0 {
		return slices.DeleteFunc(slices.Clone(t.columns), func(c tableColumn) bool { return c.generated }), nil
	}
	var out []tableColumn
	for _, name := range names {
		i := slices.IndexFunc(t.columns, func(c tableColumn) bool { return c.name == unquote(name) })
		if i < 0 {
			return nil, fmt.Errorf("a listed column is not there")
		}
		out = append(out, t.columns[i])
	}
	return out, nil
}

// copyOutData handles CopyData that must be looked at.
func (p *responses) copyOutData(msg []byte) error {
	if _, err := p.expect('d', typeQuery, typeExecute); err != nil {
		return err
	}
	return p.copied.frame(&p.flow, len(msg))
}

// copyDone handles CopyDone, before which an unfinished row must be told.
func (p *responses) copyDone(msg []byte) error {
	e, err := p.expect('c', typeQuery, typeExecute)
	if err != nil {
		return err
	}
	if p.copied != nil {
		out, err := p.copied.end(nil)
		if err != nil {
			return err
		}
		p.flow.put(out)
		p.copied.count(e.ticket())
		p.copied = nil
	}
	p.flow.pass(len(msg))
	return nil
}

// count adds what was masked to a ticket.
func (m *copyMasker) count(t *ticket) {
	if t == nil {
		return
	}
	for i := range m.columns {
		if c := &m.columns[i]; c.masked > 0 {
			if t.masked == nil {
				t.masked = map[string]int{}
			}
			t.masked[c.label] += c.masked
			c.masked = 0
		}
	}
}

// appendCopyData appends one CopyData frame.
func appendCopyData(dst, data []byte) []byte {
	dst = append(dst, 'd')
	dst = binary.BigEndian.AppendUint32(dst, uint32(4+len(data)))
	return append(dst, data...)
}
