// Package lineage tells from which labelled columns a statement's results
// derive, what it lets its caller infer about them, and where it would write
// them. It reads the query tree that PostgreSQL itself made of the statement
// (debug_print_rewritten, as a LOG message in the answer to Parse): names,
// views, rules, casts and operators are resolved in it as the server will
// resolve them, and no code of the user has run yet.
//
// # Scope
//
// It talks to no server: a Querier runs its catalog queries, an engine brings
// the trees. It does not parse SQL and knows neither principals nor rules
// beyond those of Rules. What it cannot follow it reports as opaque, which
// counts as every label there is; what it cannot read is an error, and then the
// statement must not run. It does not see values, so it says nothing about what
// the size of an aggregate, the time a statement takes or the fact that it
// failed gives away.
package lineage

import "slices"

// The labels that no policy needs to put on a column.
const (
	// Opaque is what comes out of code that cannot be followed.
	Opaque = "opaque"
	// Statistics is what ANALYZE kept of a table's values.
	Statistics = "pg.statistics"
	// Queries are texts of statements of other sessions, and of cursors.
	Queries = "pg.queries"
	// LargeObjects is the content of large objects.
	LargeObjects = "pg.large_objects"
	// Credentials are passwords and connection strings in catalogs.
	Credentials = "pg.credentials"
)

// Purpose tells what is done with the rows of a query.
type Purpose uint8

// The purposes.
const (
	Return  Purpose = iota // they go to the client: SELECT, COPY TO, a cursor
	Keep                   // they, or the query, make a new relation: CREATE TABLE AS, SELECT INTO, CREATE VIEW
	Explain                // the plan goes to the client
)

// Clause tells where a statement uses a labelled value without showing it.
type Clause string

// The clauses.
const (
	Where    Clause = "WHERE"
	Join     Clause = "JOIN"
	Having   Clause = "HAVING"
	Order    Clause = "ORDER BY"
	Group    Clause = "GROUP BY"
	Distinct Clause = "DISTINCT"
	Window   Clause = "a window"
	Limit    Clause = "LIMIT"
	Case     Clause = "CASE"
	Filter   Clause = "FILTER"
	From     Clause = "a function in FROM"
	SetOp    Clause = "UNION, INTERSECT or EXCEPT"
	Rows     Clause = "a function that returns rows"
	Sample   Clause = "TABLESAMPLE"
	Conflict Clause = "ON CONFLICT"
	Early    Clause = "AND, OR, COALESCE or a comparison of rows, before a part whose evaluation shows,"
	Merge    Clause = "MERGE"
)

// Inference is a use of labelled values that shows in which rows come, how many
// or in what order.
type Inference struct {
	Clause Clause
	// Equality is true where a labelled column is compared, for equality, with
	// a constant or a parameter, and that only.
	Equality bool
	from     set
}

// Write is a flow of labelled values into a column. Relation is 0 for a new one.
type Write struct {
	Relation uint32
	Column   int16
	from     set
	into     set
}

// Call is a call of a function that is dangerous by itself.
type Call struct {
	Function string
	Why      string
	// Approve is true where an approval is enough.
	Approve bool
}

// Facts are what a statement does with labelled columns. They are not changed
// once made.
type Facts struct {
	// Purpose is that of the statement.
	Purpose Purpose
	// Touches is true where a relation with labels is read or written at all,
	// so that texts of errors and notices may show its values.
	Touches bool
	// Relations are those that the statement names or reaches through views.
	Relations []uint32
	// Code is true where functions that are not the server's own bring labelled
	// values: planning may run them.
	Code bool
	// Blind is true where code may run that nobody can follow: it may do what
	// its text does not tell, such as to give a cursor's name to another.
	Blind bool
	// Unknown are the relations and functions that the catalog does not hold:
	// a newer one may.
	Unknown []uint32
	// PathBodies is true where the body of an SQL function was followed whose
	// names search_path resolves when it runs; the catalog resolved them with
	// that of its own session.
	PathBodies bool
	Inferences []Inference
	Writes     []Write
	Calls      []Call

	catalog *Catalog
	outs    []taint
	labels  []string
	// many is true where several queries may answer.
	many bool
}

// Columns is how many columns the statement returns, as its tree tells.
func (f *Facts) Columns() int { return len(f.outs) }

// Source is a labelled column.
type Source struct {
	Relation uint32
	Column   int16
	Name     string // schema.table.column
	Labels   []string
}

// Labels are those of all that the statement shows, tests or copies, sorted.
func (f *Facts) Labels() []string { return f.labels }

// labelsOf finds them.
func (f *Facts) labelsOf() []string {
	var from set
	for i := range f.outs {
		from = from.union(f.outs[i].from)
	}
	for i := range f.Inferences {
		from = from.union(f.Inferences[i].from)
	}
	for i := range f.Writes {
		from = from.union(f.Writes[i].from)
	}
	if from.empty() {
		return nil
	}
	return f.catalog.labels(from.without(unreadSet))
}

// Sources lists the labelled columns that a column of the result derives from,
// and whether its values are those of one of them, unchanged. Code that cannot
// be followed has no Relation.
func (f *Facts) Sources(column int) (sources []Source, plain bool) {
	if column < 0 || column >= len(f.outs) {
		return f.catalog.sources(opaqueSet), false
	}
	return f.catalog.sources(f.outs[column].from), f.outs[column].plain
}

// Sources lists the labelled columns that the inference is about.
func (i *Inference) Sources(f *Facts) []Source { return f.catalog.sources(i.from) }

// Sources lists the labelled columns whose values are written.
func (w *Write) Sources(f *Facts) []Source { return f.catalog.sources(w.from) }

// For gives the facts of the same query used for another purpose.
func (f *Facts) For(p Purpose) *Facts {
	g := *f
	g.Purpose = p
	if p == Keep {
		g.Writes = append(slices.Clone(f.Writes), kept(f.outs)...)
	}
	return &g
}

// kept are the flows into the columns of a new relation.
func kept(outs []taint) []Write {
	var writes []Write
	for i := range outs {
		if !outs[i].from.empty() {
			writes = append(writes, Write{Column: int16(i + 1), from: outs[i].from})
		}
	}
	return writes
}
