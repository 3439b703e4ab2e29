package sql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"hoop/policy"
)

// CopyFacts is what a COPY statement says about the stream, with PostgreSQL's
// defaults filled in (PostgreSQL "COPY").
type CopyFacts struct {
	// Table is the relation, quoted where it must be, so that it can stand in
	// SQL text or be cast to regclass; "" where a query is copied.
	Table string `json:"table,omitempty"`
	// Columns are the columns listed, folded and not quoted; none means all.
	Columns []string `json:"columns,omitempty"`
	Query   bool     `json:"query,omitempty"` // COPY (query) TO
	To      bool     `json:"to,omitempty"`    // out of the database
	// Format is text, csv or binary. The other settings are empty where they
	// mean nothing under the format.
	Format    string `json:"format"`
	Delimiter string `json:"delimiter,omitempty"`
	Null      string `json:"null,omitempty"`
	Quote     string `json:"quote,omitempty"`
	Escape    string `json:"escape,omitempty"`
	// Header is true where the first line carries column names (also under
	// HEADER MATCH).
	Header bool `json:"header,omitempty"`
	// ForceQuote is true where some values are quoted that need not be.
	ForceQuote bool   `json:"force_quote,omitempty"`
	Encoding   string `json:"encoding,omitempty"` // "" is the client's
	File       bool   `json:"file,omitempty"`     // a file of the server, not the client's stream
	Program    bool   `json:"program,omitempty"`  // a program run by the server
}

func (w *walker) copy(n *pg.CopyStmt, f *finding) string {
	c := &CopyFacts{To: !n.GetIsFrom(), Query: n.GetQuery() != nil, Columns: stringList(n.GetAttlist()),
		Program: n.GetIsProgram(), File: !n.GetIsProgram() && n.GetFilename() != ""}
	f.copy = c
	if r := n.GetRelation(); r != nil {
		c.Table = relationName(r)
		w.writing = n.GetIsFrom()
		w.relation(r)
		w.writing = false
	}
	w.node(n.GetQuery())
	w.node(n.GetWhereClause())
	w.effect(pick(c.To, "read", "write"))
	if c.File {
		w.effect("file")
	}
	if c.Program {
		w.effect("program")
	}
	if n.GetRelation().GetRelname() == "pg_settings" && n.GetIsFrom() {
		w.target(n.GetRelation())
	}
	w.copyOptions(c, n.GetOptions())
	return pick(c.To, "copy_out", "copy_in")
}

// copyOptions reads the options. One that is not known here may change how the
// stream reads, so it makes the statement unknown.
func (w *walker) copyOptions(c *CopyFacts, options []*pg.Node) {
	c.Format = "text"
	var null, delimiter *string
	for _, o := range options {
		d := o.GetDefElem()
		text := optionText(d.GetArg())
		switch d.GetDefname() {
		case "format":
			c.Format = strings.ToLower(text)
		case "delimiter":
			delimiter = &text
		case "null":
			null = &text
		case "quote":
			c.Quote = text
		case "escape":
			c.Escape = text
		case "header":
			c.Header = !saysFalse(d.GetArg())
		case "encoding":
			c.Encoding = text
		case "force_quote":
			c.ForceQuote = true
		case "freeze", "force_not_null", "force_null", "on_error", "log_verbosity", "default", "convert_selectively", "reject_limit":
		default:
			w.unknown("COPY has an option that is not known: " + policy.QuoteName(d.GetDefname()))
		}
	}
	w.copyDefaults(c, delimiter, null)
}

func (w *walker) copyDefaults(c *CopyFacts, delimiter, null *string) {
	switch c.Format {
	case "text":
		c.Delimiter, c.Null = or(delimiter, "\t"), or(null, `\N`)
	case "csv":
		c.Delimiter, c.Null = or(delimiter, ","), or(null, "")
		if c.Quote == "" {
			c.Quote = `"`
		}
		if c.Escape == "" {
			c.Escape = c.Quote
		}
	case "binary":
	default:
		w.unknown("COPY has a format that is not known")
	}
}

func or(given *string, otherwise string) string {
	if given != nil {
		return *given
	}
	return otherwise
}

// optionText reads a word or string; an option without a value is empty.
func optionText(arg *pg.Node) string {
	if s := arg.GetString_(); s != nil {
		return s.GetSval()
	}
	names := stringList(arg.GetTypeName().GetNames()) // a word may parse as a type
	if len(names) == 0 {
		return ""
	}
	return names[len(names)-1]
}
