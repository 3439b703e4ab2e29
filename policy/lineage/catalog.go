package lineage

import (
	"slices"
)

// firstUserOID is the first OID that initdb does not give out (FirstNormalObjectId).
const firstUserOID = 16384

// place is a column of a relation, or of the result of a function.
type place struct {
	relation uint32
	column   int16
}

// Catalog is what must be known of a database to follow labelled values through
// it, at one moment. It does not change and is safe for concurrent use.
type Catalog struct {
	columns   []labelled // by number; the first are reserved
	places    map[place]set
	rows      map[uint32]set // relation → every label of it
	relations map[uint32]relation
	functions map[uint32]*function
	equality  map[uint32]bool // operators = and <>
	triggers  map[uint32][]trigger
	views     map[uint32][]taint
	domains   map[uint32][]uint32 // functions that the checks of a domain call
	nulls     map[uint32]nullness
	plain     []uint32
	shapes    *shapes // facts that were found; nil keeps none
}

// labelled is a column with labels.
type labelled struct {
	place
	name   string
	labels []string // sorted
	group  int      // the same for equal labels
}

type relation struct {
	name string
	kind byte // pg_class.relkind
}

type function struct {
	name       string // schema.name
	language   string
	extension  string
	kind       byte // pg_proc.prokind
	volatile   bool
	changes    bool // not IMMUTABLE: what it reads, or does, may show
	keeps      bool // it may keep what it is given, as one that is not VOLATILE can, too
	set        bool // returns rows
	trusted    bool // allow-listed, by the hash of its body
	carries    bool // its text names something labelled, or runs text
	pinned     bool // it sets its own search_path
	parts      []uint32
	body       []*Tree
	readable   bool // body is all of it
	valueAt    map[int]set
	danger     string // why it is refused whatever its arguments are
	sink       bool   // it keeps or tells what it is given
	structural bool   // the rows it returns depend on the shape of its argument only
}

type trigger struct {
	function uint32
	events   int // pg_trigger.tgtype
}

// sources describes a set for people.
func (c *Catalog) sources(s set) []Source {
	var out []Source
	s.each(func(i int) {
		l := &c.columns[i]
		out = append(out, Source{Relation: l.relation, Column: l.column, Name: l.name, Labels: l.labels})
	})
	return out
}

// labels lists the labels of a set, sorted.
func (c *Catalog) labels(s set) []string {
	var out []string
	s.each(func(i int) { out = append(out, c.columns[i].labels...) })
	slices.Sort(out)
	return slices.Compact(out)
}

// sameLabels reports whether every column of a set carries the same labels.
func (c *Catalog) sameLabels(s set) bool {
	group, same := -1, true
	s.each(func(i int) {
		g := c.columns[i].group
		same = same && (group < 0 || g == group)
		group = g
	})
	return same
}

// knows reports whether a relation existed when the catalog was read.
func (c *Catalog) knows(relation uint32) bool {
	if relation < firstUserOID || slices.Contains(c.plain, relation) {
		return true
	}
	_, ok := c.relations[relation]
	return ok
}

// Plain gives the same catalog, with relations in it that are new to it and
// known to be tables without parents, triggers, rules or generated columns.
func (c *Catalog) Plain(relations []uint32) *Catalog {
	with := *c
	with.shapes = nil
	with.plain = append(slices.Clone(c.plain), relations...)
	return &with
}

// Labelled reports whether a relation carries a label, or shows what does.
func (c *Catalog) Labelled(relation uint32) bool { return !c.rows[relation].empty() }

// Empty reports whether nothing is labelled.
func (c *Catalog) Empty() bool { return c == nil || len(c.columns) == 0 }

// column gives what a column of a relation holds; 0 is the whole row.
func (c *Catalog) column(rel uint32, number int16) taint {
	switch {
	case number < 0: // tableoid, ctid, xmin, …
		return clean
	case !c.knows(rel):
		return derived(opaqueSet)
	case number == 0:
		return derived(c.rows[rel])
	}
	if outs, ok := c.views[rel]; ok {
		if int(number) <= len(outs) {
			return outs[number-1]
		}
		return derived(c.rows[rel].union(opaqueSet))
	}
	from := c.places[place{rel, number}]
	plain := c.isPlain(rel, number, from)
	return taint{from: from, plain: plain, nulls: plain}
}

// plainRow reports whether every column of a relation holds values as they are.
func (c *Catalog) plainRow(rel uint32) bool {
	if _, view := c.views[rel]; view || !c.knows(rel) {
		return c.rows[rel].empty() && c.knows(rel)
	}
	for at, from := range c.places {
		if at.relation == rel && !c.isPlain(rel, at.column, from) {
			return false
		}
	}
	return true
}

// isPlain: a generated column holds what it derives from, not its values.
func (c *Catalog) isPlain(rel uint32, number int16, from set) bool {
	plain := true
	from.each(func(i int) {
		plain = plain && c.columns[i].place == place{rel, number}
	})
	return plain
}
