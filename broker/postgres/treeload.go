package postgres

import (
	"context"
	"errors"

	"hoop/broker"
	"hoop/policy"
	"hoop/policy/lineage"
)

// loadLineage reads what following values takes, over a connection of the
// broker's own.
func loadLineage(ctx context.Context, l *lister, s *snapshot, specs []policy.ColumnLabel, trusted []lineage.Trusted) {
	l.each("select pg_catalog.array_to_string(pg_catalog.current_schemas(false), ','), pg_catalog.current_setting('search_path'), "+
		"pg_catalog.current_setting('log_min_messages'), session_user", 4, func(f []string) {
		s.path = f[0]
		if f[2] != "fatal" && f[2] != "panic" {
			s.untold = "ALTER ROLE " + quoteName(f[3]) + " SET log_min_messages = fatal"
		}
	})
	if l.err != nil || s.untold != "" {
		return
	}
	var err error
	s.lineage, err = lineage.Load(ctx, (*treeLister)(l), specs, trusted, s.bound()...)
	l.keep(err)
}

func quoteName(name string) string {
	out := []byte{'"'}
	for i := 0; i < len(name); i++ {
		if name[i] == '"' {
			out = append(out, '"')
		}
		out = append(out, name[i])
	}
	return string(append(out, '"'))
}

// trustedFunctions are those of the policy in force.
func trustedFunctions(s *broker.Session) []lineage.Trusted {
	var out []lineage.Trusted
	for _, f := range s.TrustedFunctions() {
		out = append(out, lineage.Trusted{Name: f.Name, SHA256: f.SHA256})
	}
	return out
}

// treeLister is a lister as package lineage wants one.
type treeLister lister

// Rows runs a query in pg_catalog's names alone.
func (t *treeLister) Rows(_ context.Context, query string, f func([]string)) error {
	l := (*lister)(t)
	l.each(query, anyFields, f)
	return l.err
}

// Trees runs a query and gives the trees that the server tells of.
func (t *treeLister) Trees(_ context.Context, query string) ([]string, error) {
	l := (*lister)(t)
	l.trees, l.telling = nil, true
	defer func() { l.telling = false }()
	l.each(query, anyFields, func([]string) {})
	var failed *queryError
	if errors.As(l.err, &failed) { // of the query, not of the connection
		l.err = nil
		return nil, failed
	}
	return l.trees, l.err
}
