package sql

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	pgquery "github.com/wasilibs/go-pgquery"
	"github.com/wasilibs/go-pgquery/parser"
)

// WorkerArg is the first argument of a process that is to be a worker.
const WorkerArg = "sqlworker"

// IsWorker reports whether the process with these arguments (os.Args) was
// started to be a worker. A program that makes an Analyzer asks it first:
//
//	if sql.IsWorker(os.Args) {
//		sql.WorkerMain(os.Stdin, os.Stdout)
//		return
//	}
func IsWorker(args []string) bool { return len(args) == 2 && args[1] == WorkerArg }

// Bounds of a worker. maxStatements is per text; a worker whose process has
// grown beyond retireAt bytes ends after its answer.
const (
	maxStatements = 10_000
	maxWorkerText = 64 << 20
	retireAt      = 768 << 20
)

// WorkerMain parses what it reads until the input ends. It must have the
// process to itself: a text that breaks the parser ends the process, which is
// the point (the parser may not be used again after a panic).
func WorkerMain(in io.Reader, out io.Writer) error {
	os.Stdout = os.Stderr // what the parser might print must not reach the pipe
	confine()
	if _, err := pgquery.Parse("SELECT 1"); err != nil { // compiles the grammar: about 1.6 s of CPU
		return fmt.Errorf("start the parser: %w", err)
	}
	harmless()
	debug.FreeOSMemory()
	if err := send(out, &reply{}); err != nil {
		return err
	}
	for text := range requests(in) {
		r := analyse(text)
		r.Retiring = residentBytes() > retireAt
		if err := send(out, r); err != nil || r.Retiring {
			return err
		}
	}
	return nil
}

// requests reads ahead of the parser: when the input ends, because the broker
// is gone or has given up on a text, the process must end even if the parser is
// busy.
func requests(in io.Reader) <-chan string {
	texts := make(chan string)
	go func() {
		r := bufio.NewReader(in)
		for {
			payload, err := readFrame(r, maxWorkerText)
			if err != nil {
				os.Exit(0)
			}
			texts <- string(payload)
		}
	}()
	return texts
}

func send(out io.Writer, r *reply) error {
	payload, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode a reply: %w", err)
	}
	if len(payload) > maxReply {
		return send(out, &reply{Refused: "the statements are too many"})
	}
	return writeFrame(out, payload)
}

// analyse parses a text and gathers the facts of its statements.
func analyse(text string) *reply {
	tree, err := pgquery.Parse(text)
	if err != nil {
		var syntax *parser.Error
		if errors.As(err, &syntax) {
			return &reply{Error: syntax.Message, Position: syntax.Cursorpos}
		}
		return &reply{Refused: "the parse tree cannot be read"}
	}
	stmts := tree.GetStmts()
	if len(stmts) > maxStatements {
		return &reply{Refused: "the statements are too many"}
	}
	r := &reply{Statements: make([]replyStatement, len(stmts))}
	for i, s := range stmts {
		end, ok := statementEnd(text, s, i == len(stmts)-1)
		if !ok {
			return &reply{Refused: "the end of a statement cannot be found"}
		}
		f := find(s.GetStmt())
		f.facts.Multi = len(stmts) > 1
		r.Statements[i] = replyStatement{End: end, Facts: f.facts, Copy: f.copy, Prepared: f.prepared, Name: f.name,
			LiteralFree: f.literalFree && len(stmts) == 1}
	}
	return r
}

// statementEnd finds where a statement ends: behind its semicolon, or with the
// text for the last one. Places count bytes.
func statementEnd(text string, s *pg.RawStmt, last bool) (int, bool) {
	if last {
		return len(text), true
	}
	at := int(s.GetStmtLocation()) + int(s.GetStmtLen())
	if at < 0 || at >= len(text) || !strings.HasPrefix(text[at:], ";") {
		return 0, false
	}
	return at + 1, true
}
