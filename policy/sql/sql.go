// Package sql turns SQL text into facts that rules speak of, with PostgreSQL's
// own grammar. The parser runs in worker processes that hold nothing: hostile
// text may break one, which costs that text its answer and nothing else.
//
// # Scope
//
// It reads text alone. It knows no catalog: names are as written, a view hides
// what stands behind it, a cascade is not followed, and a function that is not
// PostgreSQL's own counts as code. What it does not understand it says so of,
// and policy denies. It assumes standard_conforming_strings = on and a client
// encoding of UTF-8; an engine must hold both.
package sql

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"hoop/policy"
)

// Statement is one statement of a string, with its facts. Facts are shared and
// must not be changed.
type Statement struct {
	// Text is the statement as it stands in the string, with its semicolon and
	// the white space and comments before it. The texts of all statements, one
	// after the other, are the string.
	Text  string
	Facts *policy.SQL
	// Copy is set for COPY.
	Copy *CopyFacts
	// Name is the prepared statement of PREPARE, EXECUTE and DEALLOCATE, or the
	// cursor of DECLARE, FETCH, MOVE and CLOSE; "" is all of them.
	Name string
	// Prepared is set for PREPARE: the facts of the statement inside, which an
	// EXECUTE of that name runs later. Facts cover it as if it ran at once.
	Prepared *policy.SQL
	// SyntaxError is the grammar's message where the string does not parse,
	// and Position its place in the whole string, in characters from 1.
	SyntaxError string
	Position    int
}

// Action is the statement as policy sees it, with the verb "sql." and its kind.
func (s *Statement) Action() policy.Action {
	return policy.Action{Verb: "sql." + s.Facts.Kind, Text: s.Text, SQL: s.Facts}
}

// Options configure an Analyzer. The zero value is good.
type Options struct {
	// Argv starts a process that calls WorkerMain. Empty is this program with
	// WorkerArg.
	Argv []string
	// Workers is how many processes parse; 2 where absent. The second one, a
	// spare, starts once the first has been used.
	Workers int
	// MaxText is the longest text understood, in bytes; 1 MiB where absent.
	MaxText int
	// MaxDepth is how deep a statement may nest; 1,000 where absent.
	MaxDepth int
	// Timeout is how long one text may take; 5 s, and as much for each quarter
	// MiB of text, where absent.
	Timeout time.Duration
	// Wait is how long a text waits for a worker, as while all are starting; 2
	// minutes where absent.
	Wait time.Duration
	// CacheBytes bounds the caches, 32 MiB where absent.
	CacheBytes int
	Logger     *slog.Logger
}

// Analyzer understands SQL. It is safe for concurrent use. The zero value
// understands nothing.
type Analyzer struct {
	pool              *pool
	maxText, maxDepth int

	exact  *cache[[]Statement]
	shapes *cache[Statement] // facts of single statements, by shape; Text is empty
	keys   sync.Pool
}

// New makes an Analyzer and starts its first worker, without waiting for it.
// Close ends the workers.
func New(o Options) (*Analyzer, error) {
	if len(o.Argv) == 0 {
		exe, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find the program that parses SQL: %w", err)
		}
		o.Argv = []string{exe, WorkerArg}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	timeout := func(text string) time.Duration { return 5*time.Second + 5*time.Duration(len(text)>>18)*time.Second }
	if o.Timeout > 0 {
		timeout = func(string) time.Duration { return o.Timeout }
	}
	bytes := orDefault(o.CacheBytes, 32<<20)
	return &Analyzer{
		pool:    newPool(o.Argv, orDefault(o.Workers, 2), timeout, cmp.Or(o.Wait, waitTimeout), o.Logger),
		maxText: orDefault(o.MaxText, 1<<20), maxDepth: orDefault(o.MaxDepth, 1000),
		exact: newCache[[]Statement](bytes / 4 * 3), shapes: newCache[Statement](bytes / 4),
		keys: sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }},
	}, nil
}

func orDefault(given, otherwise int) int {
	if given > 0 {
		return given
	}
	return otherwise
}

// Close ends the workers and waits for them. Statements then understands
// nothing that it has not seen before.
func (a *Analyzer) Close() error {
	if a.pool != nil {
		a.pool.close()
	}
	return nil
}

// Statements splits and analyses a string as PostgreSQL would read it. It never
// fails: what cannot be understood is one statement whose facts are unknown. A
// string without statements has none. The result is shared and must not be
// changed.
func (a *Analyzer) Statements(ctx context.Context, text string) []Statement {
	if a.pool == nil {
		return unknown(text, "there is no SQL analyser")
	}
	if stmts, ok := a.exact.get(text); ok {
		return stmts
	}
	if why := a.refuse(text); why != "" {
		return unknown(text, why)
	}
	key := a.keys.Get().(*[]byte)
	defer a.keys.Put(key)
	shape, constants, ok := appendShape((*key)[:0], text)
	*key = shape[:0]
	if ok && constants > 0 {
		if s, hit := a.shapes.getBytes(shape); hit {
			return a.shaped(s, text)
		}
	}
	stmts, literalFree, err := a.ask(ctx, text)
	if err != nil {
		return unknown(text, err.Error())
	}
	if ok && constants > 0 && literalFree {
		s := stmts[0]
		s.Text = ""
		a.shapes.put(string(shape), s, len(shape)+size(&s))
		return stmts
	}
	a.keep(text, stmts)
	return stmts
}

// shaped gives the facts of a shape to a text. One that comes again is kept by
// its text as well.
func (a *Analyzer) shaped(s Statement, text string) []Statement {
	s.Text = text
	stmts := []Statement{s}
	if a.exact.again(text) {
		a.keep(text, stmts)
	}
	return stmts
}

func (a *Analyzer) keep(text string, stmts []Statement) {
	bytes := len(text)
	for i := range stmts {
		bytes += size(&stmts[i])
	}
	a.exact.put(strings.Clone(text), stmts, bytes)
}

// size is about what a statement takes in memory besides the text.
func size(s *Statement) int {
	n := 512
	for _, f := range []*policy.SQL{s.Facts, s.Prepared} {
		if f == nil {
			continue
		}
		n += 256 + len(f.Why)
		for _, words := range [][]string{f.Effects, f.Reads, f.Writes, f.Tables, f.Functions, f.Settings} {
			for _, w := range words {
				n += 16 + len(w)
			}
		}
	}
	return n
}

// refuse keeps from the parser what it would cut short or could not bear.
func (a *Analyzer) refuse(text string) string {
	switch {
	case len(text) > a.maxText:
		return fmt.Sprintf("it is longer than %d bytes", a.maxText)
	case strings.IndexByte(text, 0) >= 0:
		return "it holds a zero byte"
	case !utf8.ValidString(text):
		return "it is not UTF-8"
	}
	return ""
}

// ask has a worker analyse the text. The error is a reason for people.
func (a *Analyzer) ask(ctx context.Context, text string) (stmts []Statement, literalFree bool, err error) {
	if d := depth(text); d > a.maxDepth {
		return nil, false, errors.New("it nests too deeply")
	}
	r, err := a.pool.analyse(ctx, text)
	if err != nil {
		return nil, false, err
	}
	switch {
	case r.Refused != "":
		return nil, false, errors.New(r.Refused)
	case r.Error != "":
		stmts = unknown(text, "syntax error: the grammar of PostgreSQL 17 does not accept it")
		stmts[0].SyntaxError, stmts[0].Position = r.Error, r.Position
		return stmts, false, nil
	}
	stmts = make([]Statement, len(r.Statements))
	from := 0
	for i, s := range r.Statements {
		stmts[i] = Statement{Text: text[from:s.End], Facts: s.Facts, Copy: s.Copy, Prepared: s.Prepared, Name: s.Name}
		from = s.End
	}
	return stmts, len(stmts) == 1 && r.Statements[0].LiteralFree, nil
}

func unknown(text, why string) []Statement {
	return []Statement{{Text: text, Facts: &policy.SQL{Kind: "unknown", Unknown: true, Why: why}}}
}
