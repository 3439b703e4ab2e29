package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"hoop/broker"
	"hoop/policy"
	"hoop/policy/mask"
)

// view is what a policy says of the values behind one connection and database:
// which columns are labelled, what is looked for elsewhere, how it is replaced.
// It does not change; another policy makes another view.
type view struct {
	digest    string
	detectors *mask.Detectors // nil where none are switched on
	methods   map[string]*mask.Method
	whole     *mask.Method    // for values that derive from labelled ones
	fallback  *mask.Method    // for what might carry a label, but cannot be told
	tables    map[string]bool // names of tables with labels, without their schema
	catalog   *catalog        // nil where nothing is labelled
}

// unresolved is the label of columns whose table the catalog does not know.
const unresolved = "default"

// active reports whether values must be looked at.
func (v *view) active() bool { return v != nil && (v.detectors != nil || v.catalog != nil) }

// labelled reports whether a statement may touch a table with labels. A name
// without its schema is enough: search_path may lead it anywhere.
func (v *view) labelled(f *policy.SQL) bool {
	if v == nil || v.catalog == nil {
		return false
	}
	return f.Unknown || slices.Contains(f.Effects, "code") || slices.ContainsFunc(f.Tables, v.hasLabels)
}

func (v *view) hasLabels(table string) bool {
	_, name := splitName(table)
	return v.tables[name]
}

// splitName takes "schema.table" apart, as policy.SQL.Tables writes it. A dot
// within quotes separates nothing.
func splitName(table string) (schema, name string) {
	quoted := false
	cut := -1
	for i := 0; i < len(table); i++ {
		switch table[i] {
		case '"':
			quoted = !quoted
		case '.':
			if !quoted {
				cut = i
			}
		}
	}
	if cut < 0 {
		return "", unquote(table)
	}
	schema = table[:cut]
	if _, last := splitName(schema); last != "" { // database.schema.table
		schema = last
	}
	return unquote(schema), unquote(table[cut+1:])
}

func unquote(name string) string {
	if len(name) >= 2 && name[0] == '"' && name[len(name)-1] == '"' {
		return strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
	}
	return name
}

// views keeps the newest view of each connection and database, so that the
// sessions of one share a catalog. Its zero value is empty.
type views struct {
	mu  sync.Mutex
	all map[string]*view
}

// of gives the view under the policy in force.
func (vs *views) of(s *broker.Session, database string) (*view, error) {
	key := s.Connection.Name + "\x00" + database
	vs.mu.Lock()
	defer vs.mu.Unlock()
	digest := s.PolicyDigest()
	if v := vs.all[key]; v != nil && v.digest == digest {
		return v, nil
	}
	v, err := newView(s, digest)
	if err != nil {
		return nil, err
	}
	if vs.all == nil {
		vs.all = map[string]*view{}
	}
	vs.all[key] = v
	return v, nil
}

func newView(s *broker.Session, digest string) (*view, error) {
	v := &view{digest: digest}
	var err error
	if v.detectors, err = s.Detectors(); err != nil {
		return nil, fmt.Errorf("make the detectors: %w", err)
	}
	labels := s.Labels()
	if len(labels) == 0 {
		return v, nil
	}
	v.methods, v.tables = map[string]*mask.Method{}, map[string]bool{}
	for _, l := range labels {
		v.tables[l.Table] = true
		if v.methods[l.Label], err = s.Mask(l.Label); err != nil {
			return nil, fmt.Errorf("make the mask of %s: %w", l.Label, err)
		}
	}
	if v.fallback, err = s.Mask(unresolved); err != nil {
		return nil, fmt.Errorf("make the default mask: %w", err)
	}
	if v.whole, err = mask.NewMethod(policy.MaskSpec{Method: "redact"}, nil); err != nil {
		return nil, fmt.Errorf("make the mask of derived values: %w", err)
	}
	v.catalog = &catalog{specs: labels, trusted: trustedFunctions(s)}
	return v, nil
}

// connector opens a connection of the broker's own to the target.
type connector func(ctx context.Context) (*upstream, error)
