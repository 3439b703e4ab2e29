package policy

import (
	"fmt"
	"strings"
)

// Step tells how one rule looked at an action.
type Step struct {
	Rule   string `json:"rule"`
	Effect Effect `json:"effect"`
	// Match is "yes", "no" or "may match"; "error" where the condition could
	// not be computed.
	Match string `json:"match"`
	// Matcher is the first matcher that kept the rule from a certain match, as
	// a path inside the rule: who.groups, sql.tables, when. Empty on a match.
	Matcher string `json:"matcher,omitempty"`
	// Why gives the values: what the rule asks and what the action has.
	Why string `json:"why,omitempty"`
	// Decided marks the rule that gave the verdict.
	Decided bool `json:"decided,omitempty"`
}

// Explain goes through every rule, also those after the one that decided.
func (p *Policy) Explain(in *Input) []Step {
	if p == nil || in == nil || in.Action == nil || in.Principal == nil || in.Connection == nil {
		return nil
	}
	v := p.Evaluate(in)
	s := p.subject(in)
	steps := make([]Step, 0, len(p.rules))
	for _, r := range p.rules {
		st := Step{Rule: r.name, Effect: r.effect, Decided: v.Rule == r.name}
		m, limit, err := r.match(&s)
		st.Match = m.String()
		switch {
		case err != nil:
			st.Match, st.Matcher, st.Why = "error", stageWhen.path(), err.Error()
		case m != yes:
			st.Matcher, st.Why = limit.path(), r.describe(limit, &s)
		}
		steps = append(steps, st)
	}
	return steps
}

func (st stage) path() string {
	return [...]string{"actions", "who.groups", "who.names", "who.kinds", "connections.names", "connections.protocols",
		"connections.labels", "sql", "sql.unknown", "sql.kinds", "sql.effects", "sql.only_effects", "sql.unbounded",
		"sql.tables", "sql.only_tables", "sql.functions", "sql.labels", "ssh", "ssh.unknown", "ssh.logins", "ssh.simple",
		"ssh.pty", "ssh.ports", "ssh.hosts", "ssh.env", "ssh.subsystems", "ssh.paths", "ssh.only_paths", "ssh.commands", "time", "when"}[st]
}

// describe says what the matcher asks and what the subject has. It is slow and
// for people.
func (r *rule) describe(st stage, s *subject) string {
	switch {
	case s.dark && st >= stageKinds && st < stageIsSSH:
		return "the statement is not understood" + because(s.why())
	case s.dark && st > stageSSHUnknown && st < stageTime && (s.ssh == nil || st != stageLogins):
		return "the request is not understood" + because(s.why())
	}
	switch st {
	case stageActions:
		return r.describeActions(s)
	case stageGroups:
		return wants(r.groups.String(), strings.Join(s.Principal.Groups, ", "))
	case stageNames:
		return wants(r.names.String(), s.Principal.Name)
	case stageActors:
		return wants(join(r.kinds), actors(s))
	case stageConnections:
		return wants(r.connections.String(), s.Connection.Name)
	case stageProtocols:
		return wants(r.protocols.String(), s.Connection.Protocol)
	case stageLabels:
		return r.describeLabels(s)
	case stageIsSQL:
		return fmt.Sprintf("it matches SQL statements only, and this is %s", s.Action.Verb)
	case stageIsSSH:
		return fmt.Sprintf("it matches SSH requests only, and this is %s", s.Action.Verb)
	case stageTime:
		return wants(r.time.String(), s.Now.In(r.time.zone).Format("Mon 15:04"))
	case stageWhen:
		return r.describeWhen(s)
	}
	if st > stageIsSSH {
		return r.ssh.describe(st, s)
	}
	return r.sql.describe(st, s)
}

func (r *rule) describeActions(s *subject) string {
	if r.ask(stageActions, s) == may {
		return fmt.Sprintf("a wildcard does not reach what is not understood%s: a rule must name it, as actions: [%s] or %s: {unknown: true}",
			because(s.why()), s.Action.Verb, s.engine())
	}
	return wants(r.actions.String(), s.Action.Verb)
}

func (r *rule) describeLabels(s *subject) string {
	for _, l := range r.labels {
		value, ok := s.Connection.Labels[l.key]
		if !ok {
			return fmt.Sprintf("the connection has no label %s", l.key)
		}
		if !l.value.matches(value) {
			return wants(l.key+"="+l.value.String(), l.key+"="+value)
		}
	}
	return ""
}

func (r *rule) describeWhen(s *subject) string {
	switch {
	case r.when.readsSQL && !s.isSQL:
		return fmt.Sprintf("its condition reads sql, and this is %s", s.Action.Verb)
	case r.when.readsFacts && s.dark:
		return "its condition reads facts of a statement that is not understood" + because(s.why())
	case r.when.readsSSH && !s.isSSH:
		return fmt.Sprintf("its condition reads ssh, and this is %s", s.Action.Verb)
	case r.when.readsSSH && r.effect == Allow && !r.when.appliesTo(s.Action.Verb):
		return fmt.Sprintf("its condition reads what %s does not have", s.Action.Verb)
	case r.when.readsSSH && r.when.unsure(s):
		return "its condition reads facts of a request that are not certain" + because(s.why())
	case r.when.readsLabels && s.isSQL && !s.traced():
		return "its condition reads labels, which only the target can tell"
	}
	return "false: " + r.when.text
}

func (m *sqlMatch) describe(st stage, s *subject) string {
	switch st {
	case stageUnknown:
		return wants(fmt.Sprintf("unknown: %t", *m.unknown), fmt.Sprintf("%t", s.dark))
	case stageKinds:
		return wants(m.kinds.String(), s.kind())
	case stageEffects:
		return wants(strings.Join(m.effects, ", "), strings.Join(s.sql.Effects, ", "))
	case stageOnlyEffects:
		return wants("nothing but "+strings.Join(m.only, ", "), strings.Join(s.sql.Effects, ", "))
	case stageUnbounded:
		return wants(fmt.Sprintf("unbounded: %t", *m.unbounded), fmt.Sprintf("%t", s.sql.Unbounded))
	case stageTables:
		return objectsWhy(m.tables, s.sql.Tables)
	case stageOnlyTables:
		return objectsWhy(m.onlyTables, s.sql.Tables)
	case stageFunctions:
		return objectsWhy(m.functions, s.sql.Functions)
	case stageReads:
		if !s.traced() {
			return "which labels the statement reads, only the target can tell"
		}
		return wants(m.labels.String(), strings.Join(s.sql.LabelsRead, ", "))
	}
	return ""
}

// objectsWhy names the object that is not certain, if one is.
func objectsWhy(ps objectPatterns, names []string) string {
	for _, n := range names {
		if ps.match(n) == may {
			return fmt.Sprintf("%s may or may not be %s: the statement, or the rule, must name the schema", n, ps)
		}
	}
	return wants(ps.String(), strings.Join(names, ", "))
}

func wants(rule, has string) string {
	if has == "" {
		has = "nothing"
	}
	return fmt.Sprintf("wants %s, has %s", rule, has)
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}

func actors(s *subject) string {
	words := []Kind{s.Principal.Kind}
	for _, a := range s.Chain {
		words = append(words, a.Kind)
	}
	return join(words)
}

func join(kinds []Kind) string {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = string(k)
	}
	return strings.Join(words, ", ")
}
