package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hoop/policy"
	"hoop/policy/lineage"
	"hoop/policy/sql"
)

// origin tells where a statement to derive stands.
type origin struct {
	of      *statement // of a Parse of the client's; nil in a Query
	at      int        // bytes before it in its text
	changed bool       // one of those before it may change what it means
}

// derive finds what a statement derives from, nil where nothing is labelled or
// policy refuses it anyway.
func (c *requests) derive(ctx context.Context, st *sql.Statement, from origin) (*derivation, error) {
	c.clear = false
	v, err := c.inForce(ctx)
	if err != nil || v == nil || v.catalog == nil {
		return nil, err
	}
	if d := c.likely(st, from); d != nil {
		return d, nil
	}
	preview := c.session.Preview(&c.action)
	if preview.Effect == policy.Deny && !preview.Untraced || st.SyntaxError != "" {
		return nil, nil
	}
	if c.clear = allClear(&preview) && !preview.Untraced; c.clear {
		return nil, nil
	}
	snap, err := v.catalog.get(ctx, c.connect)
	if err != nil {
		return nil, err
	}
	if snap.untold != "" {
		if v.labelled(st.Facts) || slices.ContainsFunc(st.Facts.Tables, snap.names) {
			return nil, untold(snap)
		}
		return nil, nil
	}
	if !c.up.armed.Load() { // the labels are newer than the session
		if err := c.rearm(); err != nil {
			return nil, err
		}
	}
	if err := guarded(st.Facts); err != nil {
		return nil, err
	}
	return c.deriveKind(ctx, st, from)
}

// allClear reports whether a verdict leaves every label in clear, so that
// nothing need be derived.
func allClear(v *policy.Verdict) bool { return slices.Contains(v.Unmask, "*") }

// clouded refuses a statement that was not derived because everything was to be
// shown, where the verdict that counts shows less.
func (c *requests) clouded(t *ticket) error {
	if !c.clear || allClear(&t.Verdict) {
		return nil
	}
	return &problem{code: "42501", message: "the policy changed while this was judged", hint: "send it again"}
}

// untold is the refusal where the target's trees cannot be had.
func untold(s *snapshot) error {
	return &problem{code: "42501", message: "denied: labelled columns cannot be masked here, because the server would write what it tells of statements into its log",
		hint: "have a superuser run: " + s.untold}
}

// guardedSettings are those by which the server tells of statements.
var guardedSettings = [...]string{"debug_print_rewritten", "debug_pretty_print", "debug_print_parse", "debug_print_plan", "log_min_messages"}

// guarded refuses to let a statement change them; SET client_min_messages is
// dealt with elsewhere.
func guarded(f *policy.SQL) error {
	for _, name := range f.Settings {
		if slices.Contains(guardedSettings[:], name) || name == levelSetting && f.Kind != "set" && f.Kind != "reset" {
			return &problem{code: "42501", message: fmt.Sprintf("denied: %s cannot be changed on a connection with labels", name),
				hint: "use SET client_min_messages for what the client is told"}
		}
	}
	return nil
}

func (c *requests) deriveKind(ctx context.Context, st *sql.Statement, from origin) (*derivation, error) {
	switch st.Facts.Kind {
	case "execute":
		return c.deriveExecute(ctx, st)
	case "copy_in":
		return c.deriveCopyIn(ctx, st)
	case "fetch", "move":
		return c.named(st, func(n *names) *derivation { return n.cursors[st.Name] })
	case "call":
		return opaqueRows(), nil
	case "copy_out":
		if st.Copy != nil && !st.Copy.Query {
			return c.deriveCopy(ctx, st)
		}
	case "prepare": // its tree comes when it runs, which runs nothing of it
		return &derivation{silent: true, made: &derivation{}}, nil
	}
	query, use := st.Inner()
	if use == sql.NoQuery {
		if st.Facts.Unknown || slices.Contains(insideOut[:], st.Facts.Kind) {
			return opaqueRows(), nil
		}
		return &derivation{silent: true}, nil
	}
	switch {
	case from.changed:
		return c.deriveLate(st)
	case use != sql.Itself:
		return c.deriveInner(ctx, query, from.of.paramTypes(), use)
	case from.of != nil:
		return c.deriveParsed(ctx, from.of)
	}
	return c.deriveQuery(ctx, strings.Repeat(" ", from.at)+query, nil, lineage.Return)
}

// insideOut are the kinds that hold a query: without it they tell nothing.
var insideOut = [...]string{"select_into", "declare", "explain", "create_table_as", "create_view", "create_materialized_view", "copy_out"}

// deriveInner looks at the query inside a statement, which may be one that
// holds another.
func (c *requests) deriveInner(ctx context.Context, query string, types []uint32, use sql.Use) (*derivation, error) {
	purpose := map[sql.Use]lineage.Purpose{sql.Kept: lineage.Keep, sql.Planned: lineage.Explain}[use]
	parts := c.e.analyzer.Statements(ctx, query)
	if len(parts) != 1 {
		return nil, &problem{code: "42501", message: "denied: the query inside the statement cannot be told apart"}
	}
	inner := &parts[0]
	switch inner.Facts.Kind {
	case "execute":
		d, err := c.deriveExecute(ctx, inner)
		if err != nil {
			return nil, err
		}
		return d.as(purpose), nil
	case "create_table_as", "create_materialized_view", "declare", "select_into":
		nested, use := inner.Inner()
		if use == sql.NoQuery {
			return opaqueRows(), nil
		}
		return c.deriveInner(ctx, nested, types, use)
	}
	d, err := c.deriveQuery(ctx, query, types, purpose)
	if err != nil {
		return nil, err
	}
	d.tree = "" // the statement's own is that of a utility
	d.silent = use == sql.Kept || use == sql.Planned
	return d, nil
}

// named gives what a name of PREPARE or DECLARE stands for. The answer to what
// was sent before may change it.
func (c *requests) named(st *sql.Statement, find func(*names) *derivation) (*derivation, error) {
	if err := c.drain(); err != nil {
		return nil, err
	}
	var d *derivation
	c.queue.locked(func() { d = find(&c.queue.names) })
	if d == nil {
		return opaqueRows(), nil
	}
	return d, nil
}

// deriveLate is for a statement behind one that may change what it means. It
// may run where it only reads: no row is shown before its tree was judged.
func (c *requests) deriveLate(st *sql.Statement) (*derivation, error) {
	_, use := st.Inner()
	reads := !slices.ContainsFunc(st.Facts.Effects, func(e string) bool { return e != "read" })
	if use == sql.Itself && (reads || len(st.Facts.Reads) == 0 && !slices.Contains(st.Facts.Effects, "code")) {
		return &derivation{late: true}, nil
	}
	return nil, &problem{code: "42501", message: "denied: a statement before it in the same text may change what this one means",
		hint: "send the statements one by one"}
}

// deriveQuery has the target analyse a query, and follows what it says.
func (c *requests) deriveQuery(ctx context.Context, query string, types []uint32, p lineage.Purpose) (*derivation, error) {
	if err := c.announce(c.asked); err != nil {
		return nil, err
	}
	trees, err := c.trees(query, types)
	if err == nil && len(trees) == 0 {
		if err = c.rearm(); err == nil {
			trees, err = c.trees(query, types)
		}
	}
	if err != nil {
		return nil, err
	}
	if len(trees) != 1 {
		return nil, &problem{code: "42501", message: "denied: the server does not tell what the statement reads"}
	}
	f, err := c.follow(ctx, trees[0], p)
	if err != nil {
		return nil, err
	}
	return &derivation{of: []*lineage.Facts{f}, tree: treeKey(trees[0])}, nil
}

// deriveParsed takes the trees that the client's own Parse brought.
func (c *requests) deriveParsed(ctx context.Context, s *statement) (*derivation, error) {
	if err := c.await(func() bool { return s.answered || !c.queue.names.isPending(s) }); err != nil {
		return nil, err
	}
	var trees, again []string
	c.queue.locked(func() { trees, again = s.trees, s.again })
	if len(trees) == 0 { // it was prepared before anything was labelled
		return c.deriveQuery(ctx, s.text, s.types, lineage.Return)
	}
	if len(trees) != 1 {
		return nil, &problem{code: "42501", message: "denied: the server does not tell what the statement reads", hint: "prepare it again"}
	}
	snap, err := c.view.catalog.get(ctx, c.connect)
	if err != nil {
		return nil, err
	}
	if s.derived != nil && s.derivedBy == snap && s.derived.seen == len(again) {
		return s.derived, nil
	}
	d := &derivation{tree: treeKey(trees[0]), statement: s, seen: len(again)}
	for _, tree := range append(trees[:1:1], again...) {
		f, err := c.follow(ctx, tree, lineage.Return)
		if err != nil {
			return nil, err
		}
		if len(d.of) == 0 || f.Columns() == d.of[0].Columns() { // else it is of a function that was inlined
			d.of = append(d.of, f)
		}
	}
	if s.derivedBy = c.view.catalog.current.Load(); len(d.of[0].Unknown) == 0 && !d.of[0].PathBodies {
		s.derived = d
	}
	return d, nil
}

func (s *statement) paramTypes() []uint32 {
	if s == nil {
		return nil
	}
	return s.types
}

// follow finds the facts of a tree. What the catalog does not hold may be newer
// than it, or of this transaction.
func (c *requests) follow(ctx context.Context, tree string, p lineage.Purpose) (*lineage.Facts, error) {
	snap, err := c.view.catalog.get(ctx, c.connect)
	if err != nil {
		return nil, err
	}
	f, err := snap.lineage.Analyse(tree, p)
	if err != nil {
		return nil, unreadableTree(err)
	}
	if len(f.Unknown) == 0 {
		return c.samePath(snap, f)
	}
	if snap, err = c.view.catalog.newer(ctx, c.connect); err != nil {
		return nil, err
	}
	if f, err = snap.lineage.Analyse(tree, p); err != nil {
		return nil, unreadableTree(err)
	}
	if len(f.Unknown) > 0 {
		plain, err := c.plainRelations(f.Unknown)
		if err != nil {
			return nil, err
		}
		if f, err = snap.lineage.Plain(plain).Analyse(tree, p); err != nil {
			return nil, unreadableTree(err)
		}
	}
	return c.samePath(snap, f)
}

func unreadableTree(err error) error {
	return &problem{code: "42501", message: "denied: what the server tells of the statement cannot be followed", detail: err.Error()}
}

// samePath refuses a statement that runs SQL functions whose names resolve by
// another search_path than the one they were read with.
func (c *requests) samePath(s *snapshot, f *lineage.Facts) (*lineage.Facts, error) {
	if !f.PathBodies {
		return f, nil
	}
	rows, err := c.ask("SELECT pg_catalog.array_to_string(pg_catalog.current_schemas(false), ',')")
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 || rows[0] != s.path {
		return nil, &problem{code: "42501", message: "denied: the statement calls an SQL function whose names another search_path resolves",
			hint: "RESET search_path, or have the function SET search_path"}
	}
	return f, nil
}

// plainRelations finds, of relations that only this session sees yet, those
// that can hold nothing but what was written to them.
func (c *requests) plainRelations(oids []uint32) ([]uint32, error) {
	list := make([]string, len(oids))
	for i, oid := range oids {
		list[i] = strconv.FormatUint(uint64(oid), 10)
	}
	rows, err := c.ask(`SELECT c.oid FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) ANY ('{` + strings.Join(list, ",") + `}'::pg_catalog.oid[])
 AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,S}'::"char"[]) AND NOT c.relhasrules AND NOT c.relhastriggers AND NOT c.relispartition
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid OPERATOR(pg_catalog.=) c.oid)
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attgenerated OPERATOR(pg_catalog.<>) '')`)
	if err != nil {
		return nil, err
	}
	var plain []uint32
	for _, row := range rows {
		if oid, err := strconv.ParseUint(row, 10, 32); err == nil {
			plain = append(plain, uint32(oid))
		}
	}
	return plain, nil
}

// deriveCopy has the target resolve the table of a COPY TO.
func (c *requests) deriveCopy(ctx context.Context, st *sql.Statement) (*derivation, error) {
	d, err := c.deriveQuery(ctx, "SELECT FROM ONLY "+st.Copy.Table, nil, lineage.Return)
	if err != nil {
		return nil, err
	}
	d.tree, d.silent = "", true
	return d, nil
}
