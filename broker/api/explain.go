package api

import (
	"net/http"
	"time"

	"hoop/broker/identity"
	"hoop/policy"
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
	for _, st := range h.Analyzer.Statements(r.Context(), in.SQL) {
		input := &policy.Input{
			Principal: &l.Principal, Chain: l.Chain(), Connection: &c.Connection, Now: time.Now(),
			Action: &policy.Action{Verb: "sql." + st.Facts.Kind, Text: st.Text, SQL: st.Facts},
		}
		out.Statements = append(out.Statements, Explain(p, input))
	}
	h.answer(w, out)
}

// Explain tells what a policy makes of one input, rule by rule.
func Explain(p *policy.Policy, in *policy.Input) ExplainedStatement {
	return ExplainedStatement{Text: in.Action.Text, SQL: in.Action.SQL, Verdict: p.Evaluate(in), Steps: p.Explain(in)}
}
