package postgres

import (
	"errors"
	"strconv"
	"strings"

	"github.com/jackc/pgproto3/v2"

	"hoop/broker"
	"hoop/policy/sql"
)

// What was refused is not forwarded. In its place the target gets a message of
// the same sort that must fail and touches nothing, and the client gets hoop's
// error for the target's. So the order of answers, the rest of a pipeline and
// the state of the transaction are PostgreSQL's own, and both sides agree.

// refusedQuery stands for a Query or FunctionCall. It does not parse.
const refusedQuery = "refused by hoop, see its audit log"

// appendRefusedQuery appends the Query that fails.
func appendRefusedQuery(dst []byte) []byte {
	dst, at := startFrame(dst, typeQuery)
	dst = append(append(dst, refusedQuery...), 0)
	return endFrame(dst, at)
}

// appendRefusedExtended appends the Describe that fails, for a message of the
// extended query protocol. No statement has the name: see relay.absent.
func appendRefusedExtended(dst []byte, absent string) []byte {
	return appendTarget(dst, typeDescribe, subtypeStatement, absent)
}

// appendTarget appends a Describe or Close.
func appendTarget(dst []byte, kind, subtype byte, name string) []byte {
	dst, at := startFrame(dst, kind)
	dst = append(append(append(dst, subtype), name...), 0)
	return endFrame(dst, at)
}

// problem is an error as PostgreSQL words one.
type problem struct {
	code, message, detail, hint string
	position                    int // in characters from 1; 0 for none
	// raw is the target's own ErrorResponse, where it said so itself.
	raw []byte
}

func (p *problem) Error() string {
	if p.raw != nil {
		return "the server refused it: SQLSTATE " + p.code
	}
	return p.message
}

// frame is the ErrorResponse.
func (p *problem) frame() []byte {
	if p.raw != nil {
		return p.raw
	}
	noNUL := func(s string) string { return strings.ReplaceAll(s, "\x00", "") }
	m := &pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: p.code,
		Message: noNUL(p.message), Detail: noNUL(p.detail), Hint: noNUL(p.hint), Position: int32(p.position)}
	return encode(nil, m)
}

// problemOf words a denial of a statement. What does not parse reads as from
// PostgreSQL itself, so that people see their mistake and not a policy.
func problemOf(err error, st *sql.Statement) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	var d *broker.Denial
	if !errors.As(err, &d) {
		return &problem{code: "58000", message: err.Error(), hint: "nothing was forwarded; the broker's log says more"}
	}
	if d.Code == broker.CodeDenied && st != nil && st.SyntaxError != "" {
		return &problem{code: "42601", message: st.SyntaxError, position: st.Position}
	}
	p = &problem{code: statementCode(d), message: d.Message, hint: d.Hint}
	if d.Rule != "" {
		p.detail = "The rule that decided is " + strconv.Quote(d.Rule) + "."
	}
	return p
}

// statementCode maps a denial in a session that lives on.
func statementCode(d *broker.Denial) string {
	switch d.Code {
	case broker.CodeUnavailable:
		return "58000" // system_error
	case broker.CodeWithdrawn:
		return "57014" // query_canceled
	default:
		return "42501" // insufficient_privilege
	}
}
