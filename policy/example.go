package policy

import (
	"fmt"
	"strings"
	"time"
)

// World is what tests of a policy need besides the policy.
type World struct {
	// Analyze turns SQL into actions, one a statement.
	Analyze func(sql string) []Action
	// Describe fills in what is known of a command (policy/shell); without it
	// nothing is.
	Describe func(command string, into *SSH)
	// Connection finds a registered connection; false where there is none.
	Connection func(name string) (*Connection, bool)
	// Now is the time of tests that give none.
	Now time.Time
}

// TestResult is how one test went.
type TestResult struct {
	Name    string  `json:"name"`
	Passed  bool    `json:"passed"`
	Verdict Verdict `json:"verdict"`
	// Problem says what differs, for people; empty where the test passed.
	Problem string `json:"problem,omitempty"`
}

// RunTests runs examples against the policy, in order. A string of several
// statements has the strictest verdict among them.
func (p *Policy) RunTests(w World, tests []TestSpec) []TestResult {
	results := make([]TestResult, len(tests))
	for i := range tests {
		results[i] = p.runTest(w, &tests[i])
		if results[i].Name == "" {
			results[i].Name = tests[i].describe()
		}
	}
	return results
}

func (p *Policy) runTest(w World, t *TestSpec) TestResult {
	res := TestResult{Name: t.Name}
	in, err := t.input(w)
	if err != nil {
		res.Problem = err.Error()
		return res
	}
	actions := []Action{*t.SSHRequest.Action(t.verb(), w.Describe)}
	if t.SQL != "" {
		actions = w.Analyze(t.SQL)
	}
	if len(actions) == 0 {
		res.Problem = "the sql holds no statement"
		return res
	}
	for i := range actions {
		in.Action = &actions[i]
		if f := actions[i].SQL; f != nil && t.LabelsRead != nil {
			with := *f
			with.LabelsRead, with.Traced = t.LabelsRead, true
			in.Action.SQL = &with
		}
		if v := p.Evaluate(in); i == 0 || v.Effect < res.Verdict.Effect {
			res.Verdict = v
		}
	}
	res.Problem = t.compare(&res.Verdict)
	res.Passed = res.Problem == ""
	return res
}

func (t *TestSpec) input(w World) (*Input, error) {
	c, ok := w.Connection(t.Connection)
	if !ok {
		return nil, fmt.Errorf("there is no connection %q", t.Connection)
	}
	kind := Kind(t.Kind)
	if kind == "" {
		kind = Person
	}
	in := &Input{Connection: c, Now: w.Now,
		Principal: &Principal{ID: t.Principal, Name: t.Principal, Kind: kind, Groups: t.Groups}}
	if strings.Contains(t.Principal, "@") {
		in.Principal.Email = t.Principal
	}
	in.Chain = Chain{{ID: t.Principal, Name: t.Principal, Kind: kind}}
	for _, a := range t.Agents {
		in.Chain = append(in.Chain, Actor{ID: a, Name: a, Kind: Agent})
	}
	if t.Time != "" {
		now, err := time.Parse(time.RFC3339, t.Time)
		if err != nil {
			return nil, fmt.Errorf("read the time: %w", err)
		}
		in.Now = now
	}
	return in, nil
}

func (t *TestSpec) compare(v *Verdict) string {
	by := "no rule"
	if v.Rule != "" {
		by = "rule " + v.Rule
	}
	switch {
	case v.Effect.String() != t.Expect:
		problem := fmt.Sprintf("expected %s, got %s from %s", t.Expect, v.Effect, by)
		if v.Reason != "" {
			problem += ": " + v.Reason
		}
		return problem
	case t.Rule != "" && t.Rule != v.Rule:
		return fmt.Sprintf("expected rule %s to decide, got %s from %s", t.Rule, v.Effect, by)
	}
	return ""
}

func (t *TestSpec) verb() string {
	switch {
	case t.Action != "":
		return t.Action
	case t.SSHRequest != (SSHRequest{}):
		return t.SSHRequest.Verb()
	}
	return "session.open"
}

func (t *TestSpec) describe() string {
	what := t.SQL
	if what == "" {
		what = strings.TrimSpace(t.verb() + " " + t.SSHRequest.String())
	}
	return fmt.Sprintf("%s on %s: %s", t.Principal, t.Connection, what)
}

// test checks a test as far as it can be without running it.
func (c *checker) test(path string, t *TestSpec) {
	var e Effect
	if err := e.UnmarshalText([]byte(t.Expect)); err != nil {
		c.add(path+".expect", "%v", err)
	}
	if t.Principal == "" {
		c.add(path+".principal", "is missing")
	}
	if t.Connection == "" {
		c.add(path+".connection", "is missing")
	}
	switch request := t.SSHRequest != (SSHRequest{}); {
	case t.Action != "" && t.SQL != "":
		c.add(path, "give action or sql, not both")
	case request && t.SQL != "":
		c.add(path, "give sql or an SSH request, not both")
	case request || strings.HasPrefix(t.Action, "ssh."):
		if err := t.SSHRequest.Check(t.verb()); err != nil {
			c.add(path, "%v", err)
		}
	}
	switch Kind(t.Kind) {
	case "", Person, Workload, Agent:
	default:
		c.add(path+".kind", "%q is no kind of actor: person, workload or agent", t.Kind)
	}
	if _, err := time.Parse(time.RFC3339, t.Time); t.Time != "" && err != nil {
		c.add(path+".time", "%q is not a time as in 2026-01-31T09:00:00Z", t.Time)
	}
}
