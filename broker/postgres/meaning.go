package postgres

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unique"

	"hoop/broker"
	"hoop/broker/approval"
	"hoop/policy"
)

// capture collects the answer to a question of the broker's own, which the
// client sees nothing of.
type capture struct {
	rows []string // of one column, as text
	err  error
	// whole is true where an error is the client's own, to be told as it is;
	// trees are what the target tells of the query.
	whole bool
	trees []string
}

// Meaning asks the target, within the client's own session, what the names in
// a statement stand for at this moment: which role and search_path it would run
// under, and the identity and definition of what it touches.
func (c *requests) Meaning(ctx context.Context, a *broker.Action) (approval.Meaning, error) {
	c.want()
	if err := c.drain(); err != nil {
		return approval.Meaning{}, err
	}
	if err := c.runnable(a); err != nil {
		return approval.Meaning{}, err
	}
	if c.out.status == 'E' {
		return approval.Meaning{}, nil // only the end of the transaction gets here
	}
	rows, err := c.ask(meaningQuery(a, c.usedName()))
	if err == nil && c.wanted.is() {
		err = broker.ErrWithdrawn
	}
	if err != nil {
		return approval.Meaning{}, err
	}
	var m approval.Meaning
	for _, row := range rows {
		row = unique.Make(row).Value() // much the same for all who wait
		if s, ok := strings.CutPrefix(row, "setting "); ok {
			m.Settings = append(m.Settings, s)
		} else {
			m.Objects = append(m.Objects, row)
		}
	}
	m.Labels = labelled(c.session.Labels(), m.Objects)
	slices.Sort(m.Objects)
	slices.Sort(m.Settings)
	c.meaning = m
	return m, nil
}

// labelled lists the labels of the policy in force on columns of the relations
// among some objects.
func labelled(labels []policy.ColumnLabel, objects []string) []string {
	var out []string
	for _, l := range labels {
		relation := "relation " + l.Schema + "." + l.Table + " (oid "
		if slices.ContainsFunc(objects, func(o string) bool { return strings.HasPrefix(o, relation) }) {
			out = append(out, fmt.Sprintf("%s.%s.%s: %s", l.Schema, l.Table, l.Column, l.Label))
		}
	}
	slices.Sort(out)
	return out
}

// runnable refuses to bother people with what PostgreSQL would refuse anyway.
func (c *requests) runnable(a *broker.Action) error {
	failed := c.out.status == 'E' && (a.SQL == nil || !slices.Contains(a.SQL.Effects, "transaction"))
	if failed || c.queue.is(func() bool { return c.queue.skipping && c.queue.syncs == 0 }) {
		return &problem{code: "25P02", message: "current transaction is aborted, commands ignored until end of transaction block"}
	}
	return nil
}

// usedName is the name of the prepared statement or cursor that the held statement
// uses, "" for none.
func (c *requests) usedName() string {
	if c.asked == nil {
		return ""
	}
	return c.asked.Name
}

// ask runs a query of the broker's own in the client's session, after all that
// was sent and before all that waits. The client's transaction is not ended by
// it; an error is one of the client's.
func (c *requests) ask(query string) ([]string, error) {
	got := &capture{}
	if kind := c.flow.buf[c.flow.pos]; kind == typeExecute || kind == typeBind {
		c.askExtended(query, got)
	} else {
		c.parsed = false
		c.owe(typeQuery, got)
		msg, at := startFrame(nil, typeQuery)
		c.flow.put(endFrame(append(append(msg, query...), 0), at))
	}
	if err := c.flow.flush(); err != nil {
		return nil, gone(err, errTargetGone)
	}
	if err := c.queue.await(c.queue.empty); err != nil {
		return nil, err
	}
	return got.rows, got.err
}

// askExtended asks within a segment that must not end here: a Query would end
// an implicit transaction ("Pipelining").
func (c *requests) askExtended(query string, got *capture) {
	name := "hoop asks " + rand.Text()
	for _, kind := range []byte{typeParse, typeBind, typeExecute, typeClose, typeClose} {
		c.owe(kind, got)
	}
	b, at := startFrame(nil, typeParse)
	b = endFrame(append(append(append(append(append(b, name...), 0), query...), 0), 0, 0), at)
	b, at = startFrame(b, typeBind)
	b = endFrame(append(append(append(append(append(b, name...), 0), name...), 0), 0, 0, 0, 0, 0, 0), at)
	b, at = startFrame(b, typeExecute)
	b = endFrame(append(append(b, name...), 0, 0, 0, 0, 0), at)
	b = appendTarget(b, typeClose, subtypePortal, name)
	b = appendTarget(b, typeClose, subtypeStatement, name)
	c.flow.put(append(b, typeFlush, 0, 0, 0, 4))
}

func (c *requests) owe(kind byte, got *capture) {
	e := c.queue.entry(kind)
	e.hidden, e.capture = true, got
	c.queue.push(e)
}

// captured handles an answer that is for the broker alone.
func (p *responses) captured(kind byte, msg []byte, e *entry) error {
	switch kind {
	case 'T':
	case 'D':
		e.capture.row(msg[headerSize:])
	case '1', '2', '3':
		defer p.done(true)
	case 'C':
		if e.kind == typeExecute {
			defer p.done(true)
		}
	case 'Z':
		p.status = msg[len(msg)-1]
		p.queue.locked(func() { p.queue.skipping = false })
		defer p.done(true)
	case 'E':
		return p.notCaptured(msg, e)
	default:
		return fmt.Errorf("%w: the target sent %q where nothing asked for it", errProtocol, kind)
	}
	p.flow.omit(len(msg))
	return nil
}

// notCaptured notes an error. In the extended protocol it fails the client's
// segment, and the client must see it.
func (p *responses) notCaptured(msg []byte, e *entry) error {
	r := report{body: msg[headerSize:]}
	if err := r.check(); err != nil {
		return err
	}
	e.capture.err = &problem{code: string(r.field('C')), message: "hoop could not find out what the statement would run on: " + string(r.field('M'))}
	if e.capture.whole {
		e.capture.err = &problem{code: string(r.field('C')), raw: slices.Clone(msg)}
	}
	switch {
	case e.kind == typeQuery:
		p.flow.omit(len(msg))
		return nil
	case e.capture.whole && p.endsInSync():
		p.flow.omit(len(msg))
		p.cur = nil
		p.queue.fail()
		return nil
	}
	return p.failed(msg)
}

// endsInSync reports whether the question ends with a Sync of its own, so that
// its failure is no failure of the client's.
func (p *responses) endsInSync() bool {
	last := false
	p.queue.locked(func() {
		for _, e := range p.queue.entries[p.queue.head:] {
			last = e.kind == typeSync && e.capture != nil
		}
	})
	return last
}

func (g *capture) row(body []byte) {
	r := reader{rest: body}
	if r.uint16() != 1 {
		r.fail(errCount)
	}
	v := r.values(1)
	if err := r.done(); err != nil {
		g.err = protocolError(err)
		return
	}
	value, _ := v.next()
	g.rows = append(g.rows, string(value))
}

// meaningQuery gives rows of text: settings, relations, functions and what a
// name of PREPARE or DECLARE stands for. The session's search_path may lead
// anywhere, so that every name and operator says whose it is.
func meaningQuery(a *broker.Action, name string) string {
	q := `SELECT pg_catalog.concat('setting role=', current_user)
UNION ALL SELECT pg_catalog.concat('setting search_path=', pg_catalog.array_to_string(pg_catalog.current_schemas(true), ','))
UNION ALL SELECT pg_catalog.concat('setting ', s, '=', pg_catalog.current_setting(s, true)) FROM pg_catalog.unnest(
 '{DateStyle,TimeZone,row_security,session_replication_role,standard_conforming_strings,transform_null_equals}'::pg_catalog.text[]) s`
	if a.SQL != nil {
		if m := matches(a.SQL.Tables, "c.relname", "n.nspname", "pg_catalog.pg_table_is_visible(c.oid)"); m != "" {
			q += "\nUNION ALL " + relationQuery + m
		}
		if m := matches(a.SQL.Functions, "p.proname", "n.nspname", "pg_catalog.pg_function_is_visible(p.oid)"); m != "" {
			q += "\nUNION ALL " + functionQuery + m + ")"
		}
	}
	if name != "" {
		q += "\nUNION ALL SELECT pg_catalog.concat('prepared ', p.name, ': ', p.statement) FROM pg_catalog.pg_prepared_statements p WHERE p.name OPERATOR(pg_catalog.=) " + decoded(name) +
			"\nUNION ALL SELECT pg_catalog.concat('cursor ', p.name, ': ', p.statement) FROM pg_catalog.pg_cursors p WHERE p.name OPERATOR(pg_catalog.=) " + decoded(name)
	}
	return q
}

// relationQuery identifies relations by OID and by a hash over columns,
// children, rules (a view is one) and triggers with their functions.
const relationQuery = `SELECT pg_catalog.concat('relation ', n.nspname, '.', c.relname, ' (oid ', c.oid, ', kind ', c.relkind, ', definition ', pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.concat(
 (SELECT pg_catalog.string_agg(pg_catalog.concat(a.attnum, ' ', a.attname, ' ', a.atttypid, ' ', a.attisdropped), ',' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0),
 '/', (SELECT pg_catalog.string_agg(pg_catalog.concat(i.inhrelid), ',' ORDER BY i.inhrelid) FROM pg_catalog.pg_inherits i WHERE i.inhparent OPERATOR(pg_catalog.=) c.oid),
 '/', (SELECT pg_catalog.string_agg(pg_catalog.concat(r.rulename, r.ev_enabled, r.ev_action), ',' ORDER BY r.oid) FROM pg_catalog.pg_rewrite r WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid),
 '/', (SELECT pg_catalog.string_agg(pg_catalog.concat(t.tgname, t.tgenabled, t.tgtype, t.tgqual, p.oid, p.prosrc), ',' ORDER BY t.oid) FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid)
), 'UTF8')), 'hex'), 16), ')') FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE `

// functionQuery identifies functions that are not PostgreSQL's own (those have
// OIDs below 16384).
const functionQuery = `SELECT pg_catalog.concat('function ', n.nspname, '.', p.proname, ' (oid ', p.oid, ', definition ', pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
 pg_catalog.concat(p.prosrc, p.probin, p.prolang, p.prosecdef, p.proconfig), 'UTF8')), 'hex'), 16), ')')
 FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace WHERE p.oid OPERATOR(pg_catalog.>=) 16384 AND (`

// matches is the condition for one of some names, "" where there are none. Of
// a name with a database only the rest counts: there is no other.
func matches(names []string, column, schema, visible string) string {
	var any []string
	for _, full := range names {
		parts, err := policy.SplitName(full)
		if err != nil || len(parts) == 0 {
			continue
		}
		where := fmt.Sprintf("%s OPERATOR(pg_catalog.=) %s", column, decoded(parts[len(parts)-1]))
		if len(parts) > 1 {
			where += fmt.Sprintf(" AND %s OPERATOR(pg_catalog.=) %s", schema, decoded(parts[len(parts)-2]))
		} else {
			where += " AND " + visible
		}
		any = append(any, "("+where+")")
	}
	return strings.Join(any, " OR ")
}

// decoded writes a string that reads the same under every setting.
func decoded(s string) string {
	return "pg_catalog.convert_from(pg_catalog.decode('" + hex.EncodeToString([]byte(s)) + "', 'hex'), 'UTF8')"
}
