package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hoop/policy"
	"hoop/policy/lineage"
)

// catalogAge bounds how long a change that another session made to the schema
// can go unseen. Changes that pass through this broker are seen at once, and so
// are results from tables that are not known yet.
const catalogAge = 30 * time.Second

// catalog resolves labels, which name columns, to what results carry: the OID
// of the table and the number of the column. Sessions share it.
type catalog struct {
	specs   []policy.ColumnLabel
	trusted []lineage.Trusted
	current atomic.Pointer[snapshot]
	// after is the moment, in Unix nanoseconds, before which a snapshot does
	// not count: that of the last schema change.
	after   atomic.Int64
	loading sync.Mutex
}

// expire makes the next get load again.
func (c *catalog) expire() { c.after.Store(time.Now().UnixNano()) }

// get gives a snapshot that counts, loading one where needed.
func (c *catalog) get(ctx context.Context, connect connector) (*snapshot, error) {
	if s := c.current.Load(); c.counts(s) {
		return s, nil
	}
	c.loading.Lock()
	defer c.loading.Unlock()
	if s := c.current.Load(); c.counts(s) {
		return s, nil
	}
	taken := time.Now()
	s, err := loadSnapshot(ctx, connect, c.specs, c.trusted, c.current.Load())
	if err != nil {
		return nil, fmt.Errorf("resolve labels at the target: %w", err)
	}
	s.taken = taken
	c.current.Store(s)
	return s, nil
}

func (c *catalog) counts(s *snapshot) bool {
	return s != nil && time.Since(s.taken) < catalogAge && s.taken.UnixNano() > c.after.Load()
}

// newer gives a snapshot taken from now on.
func (c *catalog) newer(ctx context.Context, connect connector) (*snapshot, error) {
	c.expire()
	return c.get(ctx, connect)
}

// snapshot is what the labels were bound to at one moment.
type snapshot struct {
	taken     time.Time
	labels    map[column]string
	relations map[uint32]struct{} // every one there is
	rows      map[uint32]string   // row types of labelled tables, and arrays of them → a label
	tables    []labelledTable
	// lineage follows values through the target's trees; nil where untold says
	// what a superuser must run for the server to tell them to the broker alone.
	lineage *lineage.Catalog
	untold  string
	path    string // the schemas that names resolve in by default
}

// names reports whether a table of that name has labels or shows some.
func (s *snapshot) names(table string) bool {
	_, name := splitName(table)
	return slices.ContainsFunc(s.tables, func(t labelledTable) bool { return t.name == name })
}

// labelledTable is a table with a label, or a partition or child of one.
type labelledTable struct {
	oid          uint32
	schema, name string
	columns      []tableColumn // in order, without those dropped
}

type tableColumn struct {
	name      string
	number    int16
	generated bool // COPY leaves it out
}

// bound are the columns that carry labels.
func (s *snapshot) bound() []lineage.Bound {
	var out []lineage.Bound
	for c, label := range s.labels {
		out = append(out, lineage.Bound{Relation: c.relation, Column: c.attribute, Label: label})
	}
	return out
}

// keep holds on to what the snapshot before bound: a column that was renamed
// keeps its label as long as the relation lives.
func (s *snapshot) keep(old *snapshot) {
	if old == nil {
		return
	}
	for c, label := range old.labels {
		if _, there := s.relations[c.relation]; there && s.labels[c] == "" {
			s.labels[c] = label
		}
	}
	for typ, label := range old.rows {
		if s.rows[typ] == "" {
			s.rows[typ] = label
		}
	}
}

// label is the label of a result's column, "" for none. A table that was made
// meanwhile and is not visible to others yet might be anything.
func (s *snapshot) label(from column, typ uint32) string {
	if s == nil {
		return ""
	}
	if label := s.rows[typ]; label != "" {
		return label
	}
	if from.relation == 0 {
		return ""
	}
	if label := s.labels[from]; label != "" {
		return label
	}
	if _, known := s.relations[from.relation]; !known {
		return unresolved
	}
	return ""
}

// knows reports whether every table that a RowDescription names is known.
func (s *snapshot) knows(described []byte) bool {
	all := true
	err := eachColumn(described, func(from column, _ []byte, _ uint32, _ bool) error {
		if _, known := s.relations[from.relation]; from.relation != 0 && !known {
			all = false
		}
		return nil
	})
	return all && err == nil
}

// changesSchema reports whether a statement may change what labels are bound
// to. A function within a query could too; that is seen when its catalogAge is
// over, as the change of another session is.
func changesSchema(f *policy.SQL) bool {
	return f.Unknown || f.Kind == "do" || f.Kind == "call" || slices.Contains(f.Effects, "ddl")
}
