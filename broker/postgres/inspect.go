package postgres

import (
	"bufio"
	"context"
	"fmt"
	"slices"

	"hoop/broker"
	"hoop/policy/lineage"
	"hoop/policy/sql"
)

var _ broker.Inspector = (*Engine)(nil)

// inspectSettings are those of the broker's own connections: read-only, with a
// limit, and told of trees.
func inspectSettings() map[string]string {
	return map[string]string{
		"application_name": "hoop", "statement_timeout": "5000", "lock_timeout": "1000",
		"default_transaction_read_only": "on", "client_encoding": "UTF8", "standard_conforming_strings": "on",
		levelSetting: "log", "debug_print_rewritten": "on", "debug_pretty_print": "off",
	}
}

// Lineage has the target analyse a statement; see broker.Inspector.
func (e *Engine) Lineage(ctx context.Context, s *broker.Session, a *broker.Action) (*broker.Lineage, error) {
	v, err := e.views.of(s, s.Target.Database)
	if err != nil || v.catalog == nil {
		return nil, err
	}
	connect := func(ctx context.Context) (*upstream, error) {
		return e.connect(ctx, s, s.Target.Database, inspectSettings())
	}
	snap, err := v.catalog.get(ctx, connect)
	if err != nil {
		return nil, err
	}
	if snap.untold != "" {
		return nil, untold(snap)
	}
	st := sql.Statement{Text: a.Text, Facts: a.SQL}
	if parts := e.analyzer.Statements(ctx, a.Text); len(parts) == 1 {
		st = parts[0]
	}
	query, use := st.Inner()
	if use == sql.NoQuery {
		return nil, nil
	}
	if err := s.Analyse(a); err != nil { // the record comes before the target
		return nil, err
	}
	up, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	defer up.close()
	defer context.AfterFunc(ctx, func() { _ = up.conn.SetDeadline(longAgo) })()
	l := lister{up: up, r: bufio.NewReaderSize(up.conn, clientBuffer)}
	tree, names := l.analysed(query)
	if l.err != nil {
		return nil, l.err
	}
	purpose := map[sql.Use]lineage.Purpose{sql.Kept: lineage.Keep, sql.Planned: lineage.Explain}[use]
	f, err := snap.lineage.Analyse(tree, purpose)
	if err != nil {
		return nil, unreadableTree(err)
	}
	return explained(s, v, f, names, a), nil
}

// explained words facts for people.
func explained(s *broker.Session, v *view, f *lineage.Facts, names []string, a *broker.Action) *broker.Lineage {
	before := s.Preview(a)
	verdict := f.Judge(lineage.Rules{Shows: before.Shows, Predicates: s.Predicates})
	out := &broker.Lineage{Effect: verdict.Effect, Reason: verdict.Reason, Hint: verdict.Hint, Columns: []broker.LineageColumn{}}
	for i, c := range verdict.Columns {
		col := broker.LineageColumn{Labels: c.Labels}
		if i < len(names) {
			col.Name = names[i]
		}
		sources, _ := f.Sources(i)
		for _, src := range sources {
			if !slices.Contains(col.From, src.Name) {
				col.From = append(col.From, src.Name)
			}
		}
		switch {
		case len(c.Labels) == 0:
		case c.Plain:
			col.Mask = "that of " + c.Labels[0]
		default:
			col.Mask = "whole"
		}
		out.Columns = append(out.Columns, col)
	}
	return out
}

// analysed sends a query as Parse, which runs nothing and takes one statement
// only, and gives its tree and the names of its columns.
func (l *lister) analysed(query string) (tree string, names []string) {
	b := appendParse(nil, "", query, nil)
	b = appendTarget(b, typeDescribe, subtypeStatement, "")
	if _, err := l.up.conn.Write(append(b, typeSync, 0, 0, 0, 4)); err != nil {
		l.keep(err)
		return "", nil
	}
	var trees []string
	var failed error
	for l.err == nil {
		kind, body := l.message()
		r := report{body: body}
		switch kind {
		case 'N':
			if t, ok := treeOf(&r); ok {
				trees = append(trees, t)
			}
		case 'E':
			failed = fmt.Errorf("it says: %s", r.field('M'))
		case 'T':
			l.keep(eachColumn(body, func(_ column, name []byte, _ uint32, _ bool) error {
				names = append(names, string(name))
				return nil
			}))
		case 'Z':
			if failed == nil && len(trees) != 1 {
				failed = fmt.Errorf("the server does not tell what the statement reads")
			}
			if failed != nil {
				l.keep(failed)
				return "", nil
			}
			return trees[0], names
		}
	}
	return "", nil
}
