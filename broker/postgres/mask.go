package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"hoop/policy"
	"hoop/policy/lineage"
	"hoop/policy/mask"
)

// columnPlan says what happens to the values of one column.
type columnPlan struct {
	name   string
	method *mask.Method // nil where no label holds
	label  string
	kind   mask.Kind
	binary bool
	seek   sought
	prefix bool // jsonb in binary: one byte of version stands before the text
	// computed is true where values derive from labelled ones: that one is NULL
	// may tell what another is, so that all of them become the same: instead,
	// or NULL where that is nil.
	computed bool
	instead  []byte
	masked   int // values replaced since the last count
}

// plan says what happens to the rows of one result.
type plan struct {
	columns  []columnPlan
	labelled bool // some column has a label
	seeking  bool // some column is looked at by detectors
	digits   bool // one of them is a binary bigint, where no candidate shows
}

// masker changes DataRows as the plan for them says. The plan follows from the
// description of the result, the view, and what the verdict shows in clear.
type masker struct {
	described   []byte // body of the last RowDescription
	isDescribed bool

	plan     *plan // nil until the first row
	last     *plan // the plan before, to be taken again
	planned  planKey
	planDesc []byte // the description that plan was made from

	detectors *mask.Detectors
	hits      []mask.Candidate // in the run of rows under way
	hit       int
	runStart  int // places in the flow's buffer
	runEnd    int
	scratch   []byte
	classes   map[string]int
	found     func(class string)
	name      string
}

// planKey is what else a plan depends on.
type planKey struct {
	view     *view
	snapshot *snapshot
	derived  *derivation
	unmask   []string
}

func (k *planKey) same(o *planKey) bool {
	return k.view == o.view && k.snapshot == o.snapshot && k.derived.shows(o.derived) && slices.Equal(k.unmask, o.unmask)
}

// shows reports whether two derivations say the same of a result's columns.
func (d *derivation) shows(o *derivation) bool {
	if d == nil || o == nil {
		return d == o
	}
	return d.silent == o.silent && d.hidden == o.hidden && slices.Equal(d.of, o.of)
}

// describe takes over a description: T of rows, n of none. It holds until the
// next.
func (m *masker) describe(kind byte, body []byte) {
	switch kind {
	case 'T':
		m.described, m.isDescribed = append(m.described[:0], body...), true
	case 'n':
		m.isDescribed = false
	default:
		return
	}
	m.plan = nil
	m.runEnd = 0
}

// idle gives back what a session without work need not hold. A portal that was
// executed in part may go on by the description it had.
func (m *masker) idle() {
	*m = masker{described: m.described, isDescribed: m.isDescribed}
}

// counts adds what was masked since the last call to a ticket's counts.
func (m *masker) counts(to map[string]int) map[string]int {
	add := func(label string, n int) {
		if n > 0 {
			if to == nil {
				to = map[string]int{}
			}
			to[label] += n
		}
	}
	if m.plan != nil {
		for i := range m.plan.columns {
			c := &m.plan.columns[i]
			add(c.label, c.masked)
			c.masked = 0
		}
	}
	for class, n := range m.classes {
		add(class, n)
		delete(m.classes, class)
	}
	return to
}

// prepare makes the plan for the rows that follow.
func (p *responses) prepare(ctx context.Context, e *entry) error {
	m := &p.masker
	if !m.isDescribed {
		return fmt.Errorf("%w: the target sent rows that it did not describe", errProtocol)
	}
	snap, err := p.snapshot(ctx, e.view)
	if err == nil && e.view.catalog != nil && !snap.knows(m.described) {
		snap, err = e.view.catalog.newer(ctx, p.connect)
	}
	if err != nil {
		return &refusal{sqlstate: "58000", message: "the labels of this result could not be resolved, so it cannot be masked",
			hint: "ask the broker's administrator; the broker's log says more", err: err}
	}
	key := planKey{view: e.view, snapshot: snap}
	if t := e.ticket(); t != nil {
		if err := p.sure(ctx, e, t); err != nil {
			return err
		}
		key.unmask, key.derived = t.Verdict.Unmask, t.derived
	}
	return m.make(p.relay, key, e)
}

// sure makes certain, before the first row, that a statement was judged by what
// it turned out to be.
func (p *responses) sure(ctx context.Context, e *entry, t *ticket) error {
	d := t.derived
	if d == nil {
		return nil
	}
	if d.late {
		return changedMeaning(lineage.Verdict{Reason: "the server did not tell what it reads"})
	}
	if d.statement == nil {
		return nil
	}
	var again []string
	p.queue.locked(func() { again = d.statement.again })
	if len(again) <= d.seen {
		return nil
	}
	with := &derivation{of: slices.Clone(d.of), statement: d.statement, seen: len(again)}
	for _, tree := range again[d.seen:] {
		f, err := p.followed(ctx, e.view, tree)
		if err != nil {
			return err
		}
		if f.Columns() == d.of[0].Columns() {
			with.of = append(with.of, f)
		}
	}
	if v := with.verdict(p.rulesFor(&t.Verdict)); v.Effect != policy.Allow {
		return changedMeaning(v)
	}
	t.derived = with
	return nil
}

// make takes the last plan where everything it follows from is the same.
func (m *masker) make(r *relay, key planKey, e *entry) error {
	m.ready()
	if m.last != nil && m.planned.same(&key) && bytes.Equal(m.planDesc, m.described) {
		m.plan = m.last
		return nil
	}
	pl, err := newPlan(r, m.described, &key, e.ticket())
	if err != nil {
		return err
	}
	m.plan, m.last, m.planned = pl, pl, key
	m.planDesc = append(m.planDesc[:0], m.described...)
	m.detectors = nil
	if pl.seeking {
		m.detectors = key.view.detectors
	}
	return nil
}

// ready makes the counter of findings.
func (m *masker) ready() {
	if m.found == nil {
		m.classes = map[string]int{}
		m.found = func(class string) { m.classes[class]++ }
	}
}

// column is a column of a relation: pg_attribute's key.
type column struct {
	relation  uint32
	attribute int16
}

// eachColumn walks over the columns of a RowDescription. f gets the column that
// each comes from (zero for an expression), its name, type and format.
func eachColumn(body []byte, f func(from column, name []byte, typ uint32, binary bool) error) error {
	r := reader{rest: body}
	for range r.uint16() {
		name := r.cstring()
		from := column{r.uint32(), int16(r.uint16())}
		typ := r.uint32()
		r.take(6) // size and modifier
		format := r.uint16()
		if r.err != nil {
			break
		}
		if err := f(from, name, typ, format == 1); err != nil {
			return err
		}
	}
	if err := r.done(); err != nil {
		return fmt.Errorf("%w: RowDescription: %w", errProtocol, err)
	}
	return nil
}

func newPlan(r *relay, described []byte, key *planKey, t *ticket) (*plan, error) {
	pl := &plan{}
	v := key.view
	derived := r.derivedColumns(described, t)
	err := eachColumn(described, func(from column, name []byte, typ uint32, bin bool) error {
		c := columnPlan{name: string(name), kind: kindOf(typ), binary: bin}
		if i := len(pl.columns); i < len(derived) && len(derived[i].Labels) > 0 {
			c.label, c.method = derived[i].Labels[0], v.methodFor(derived[i])
			if c.computed = !derived[i].Nulls; c.computed {
				c.instead = sameForAll(c.method, typ, bin)
			}
			pl.labelled = true
		} else if label := key.snapshot.label(from, typ); label != "" && !(t != nil && t.Verdict.Shows(label)) {
			c.label, c.method = label, v.method(label)
			pl.labelled = true
		} else if label == "" && v.detectors != nil && !(t != nil && showsAll(t)) {
			c.seek = soughtIn(typ, bin)
			c.prefix = typ == oidJSONB && bin
			pl.seeking = pl.seeking || c.seek != nowhere
			pl.digits = pl.digits || c.seek == inInt8
		}
		pl.columns = append(pl.columns, c)
		return nil
	})
	return pl, err
}

// sameForAll is what stands for every value of a computed column, NULL too; nil
// is NULL.
func sameForAll(m *mask.Method, typ uint32, bin bool) []byte {
	var like string
	switch {
	case typ == oidJSONB && bin:
		like = "\x01null"
	case typ == oidBytea && !bin:
		like = `\x`
	}
	with, null := m.Apply(nil, []byte(like), kindOf(typ), bin)
	if null {
		return nil
	}
	return with
}

// derivedColumns is what the target's tree says of the columns of a result.
func (r *relay) derivedColumns(described []byte, t *ticket) []lineage.Column {
	if t == nil || t.derived == nil || len(described) < 2 {
		return nil
	}
	return t.derived.columns(r.rulesFor(&t.Verdict), int(binary.BigEndian.Uint16(described)))
}

// methodFor is the mask of a column: that of its label where its values are
// those of a labelled column; else they are replaced whole.
func (v *view) methodFor(c lineage.Column) *mask.Method {
	if c.Plain {
		return v.method(c.Labels[0])
	}
	return v.whole
}

func (v *view) method(label string) *mask.Method {
	if m := v.methods[label]; m != nil {
		return m
	}
	return v.fallback
}

// replacement gives what stands for a value: keep where it stays as it is, null
// where NULL does. What it returns is overwritten by the next call.
func (m *masker) replacement(c *columnPlan, value []byte, touched bool) (with []byte, keep, null bool) {
	if c.computed {
		c.masked++
		return c.instead, false, c.instead == nil
	}
	if c.method != nil {
		with, null = c.method.Apply(m.scratch[:0], value, c.kind, c.binary)
		m.grown(with)
		c.masked++
		return with, false, null
	}
	if c.seek == nowhere || c.seek != inInt8 && !touched {
		return nil, true, false
	}
	return m.seek(c, value)
}

// grown keeps the scratch space for the next value.
func (m *masker) grown(with []byte) {
	if cap(with) > cap(m.scratch) && cap(with) <= keepScratch {
		m.scratch = with[:0]
	}
}

// seek replaces what detectors find in a value.
func (m *masker) seek(c *columnPlan, value []byte) (with []byte, keep, null bool) {
	text := value
	switch {
	case c.seek == inInt8:
		if text = int8Digits(value); text == nil {
			return nil, true, false
		}
	case c.prefix:
		if len(value) == 0 {
			return nil, true, false
		}
		text = value[1:]
	}
	dst := m.scratch[:0]
	if c.prefix {
		dst = append(dst, value[0])
	}
	with, found := m.detectors.MaskText(dst, text, mask.Context{Name: c.name}, m.found)
	if !found {
		return nil, true, false
	}
	m.grown(with)
	switch {
	case c.seek == inText:
		return with, false, false
	case c.seek == inJSON && json.Valid(with[len(dst):]):
		return with, false, false
	default:
		return nil, false, true
	}
}

// int8Digits is a binary bigint in decimal, nil for one too short for any class.
func int8Digits(value []byte) []byte {
	if len(value) != 8 {
		return nil
	}
	n := int64(binary.BigEndian.Uint64(value))
	if n < 1e7 && n > -1e7 {
		return nil
	}
	return strconv.AppendInt(nil, n, 10)
}
