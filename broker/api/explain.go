package api

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"hoop/broker"
	"hoop/broker/identity"
	"hoop/policy"
	"hoop/policy/shell"
)

// explain decides a text for the caller, statement by statement, and runs
// nothing.
func (h *Handler) explain(w http.ResponseWriter, r *http.Request, l *identity.Caller) {
	var in ExplainRequest
	if !h.read(w, r, &in) {
		return
	}
	c, err := h.Broker.Lookup(in.Connection)
	if err != nil {
		h.fail(w, &Error{Status: http.StatusNotFound, Code: CodeNotFound, Message: err.Error()})
		return
	}
	p := h.Broker.Policy()
	out := Explanation{Statements: []ExplainedStatement{}}
	if act, err := in.Request(&c.Connection); err != nil {
		h.fail(w, &Error{Status: http.StatusBadRequest, Code: CodeUsage, Message: err.Error()})
		return
	} else if act != nil {
		out.Statements = append(out.Statements, Explain(p, &policy.Input{
			Principal: &l.Principal, Chain: l.Chain(), Connection: &c.Connection, Now: time.Now(), Action: act}))
		h.answer(w, out)
		return
	}
	for _, st := range h.Analyzer.Statements(r.Context(), in.SQL) {
		input := &policy.Input{
			Principal: &l.Principal, Chain: l.Chain(), Connection: &c.Connection, Now: time.Now(),
			Action: &policy.Action{Verb: "sql." + st.Facts.Kind, Text: st.Text, SQL: st.Facts},
		}
		x := Explain(p, input)
		if x.Lineage, err = h.Broker.Explain(r.Context(), h.caller(r, l), c, input.Action); err != nil {
			x.Problem = err.Error()
		}
		out.Statements = append(out.Statements, x)
	}
	h.answer(w, out)
}

// maxSample bounds how many rows of a table are looked at.
const maxSample = 10_000

// discover samples the tables of a connection for the caller.
func (h *Handler) discover(w http.ResponseWriter, r *http.Request, l *identity.Caller) {
	var in DiscoverRequest
	if !h.read(w, r, &in) {
		return
	}
	if in.Rows < 1 || in.Rows > maxSample {
		h.fail(w, &Error{Status: http.StatusBadRequest, Code: CodeUsage, Message: fmt.Sprintf("rows must be from 1 to %d", maxSample)})
		return
	}
	c, err := h.Broker.Lookup(in.Connection)
	if err != nil {
		h.fail(w, &Error{Status: http.StatusNotFound, Code: CodeNotFound, Message: err.Error()})
		return
	}
	out := Discovery{Connection: in.Connection, Columns: []broker.SampledColumn{}}
	err = h.Broker.Discover(r.Context(), h.caller(r, l), c, in.Rows, func(col broker.SampledColumn) { out.Columns = append(out.Columns, col) })
	var d *broker.Denial
	switch {
	case errors.As(err, &d):
		h.fail(w, &Error{Status: http.StatusForbidden, Code: d.Code, Message: err.Error(), Hint: d.Hint})
	case err != nil:
		h.fail(w, &Error{Status: http.StatusBadGateway, Code: CodeUnavailable, Message: err.Error()})
	default:
		h.answer(w, out)
	}
}

// Explain tells what a policy makes of one input, rule by rule.
func Explain(p *policy.Policy, in *policy.Input) ExplainedStatement {
	return ExplainedStatement{Text: in.Action.Text, Verb: in.Action.Verb, SQL: in.Action.SQL, SSH: in.Action.SSH,
		Verdict: p.Evaluate(in), Steps: p.Explain(in)}
}

// Request gives the action of a request to an SSH target; nil where the text is
// SQL.
func (in *ExplainRequest) Request(c *policy.Connection) (*policy.Action, error) {
	asked := in.Verb != "" || in.SSH != nil
	switch {
	case !asked && c.Protocol != "ssh":
		return nil, nil
	case !asked && in.SQL == "":
		return nil, errors.New("there is no command in that text")
	case asked && in.SQL != "":
		return nil, errors.New("ask about a text or about a request, not both")
	case asked && c.Protocol != "ssh":
		return nil, fmt.Errorf("%s is not an ssh connection, but %s: give the text of a statement", c.Name, c.Protocol)
	}
	request := policy.SSHRequest{Command: in.SQL}
	if in.SSH != nil {
		request = *in.SSH
	}
	verb := in.Verb
	if verb == "" {
		verb = request.Verb()
	}
	if err := request.Check(verb); err != nil {
		return nil, err
	}
	return request.Action(verb, shell.Describe), nil
}
