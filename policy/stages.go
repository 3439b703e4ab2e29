package policy

import (
	"slices"
	"strings"
)

// subject is an input with what every matcher asks of it, computed once.
type subject struct {
	*Input
	sql   *SQL // nil where the action has none; then it is dark, or not SQL
	ssh   *SSH // the same
	isSQL bool
	isSSH bool
	// dark is true for an action that was not, or not wholly, understood.
	dark bool
	// bare is true where the connection has no labels; untraced once a matcher
	// could not tell which a statement reads.
	bare, untraced bool
}

func newSubject(in *Input) subject {
	s := subject{Input: in, sql: in.Action.SQL, isSQL: strings.HasPrefix(in.Action.Verb, "sql.")}
	if !s.isSQL && strings.HasPrefix(in.Action.Verb, "ssh.") {
		s.ssh, s.isSSH = in.Action.SSH, true
	}
	s.dark = unseen(in.Action.Verb) || s.isSQL && (s.sql == nil || s.sql.Unknown) || s.isSSH && s.ssh == nil
	return s
}

func (s *subject) kind() string {
	if s.sql == nil || s.sql.Kind == "" {
		return strings.TrimPrefix(s.Action.Verb, "sql.")
	}
	return s.sql.Kind
}

// why says what could not be understood, where the analysis said so.
func (s *subject) why() string {
	switch {
	case s.sql != nil:
		return s.sql.Why
	case s.ssh != nil:
		return s.ssh.Why
	}
	return ""
}

// stage is one matcher of a rule, in the order in which they are asked: the
// cheapest and most selective first.
type stage uint8

const (
	stageActions stage = iota
	stageGroups
	stageNames
	stageActors
	stageConnections
	stageProtocols
	stageLabels
	stageIsSQL
	stageUnknown
	stageKinds
	stageEffects
	stageOnlyEffects
	stageUnbounded
	stageTables
	stageOnlyTables
	stageFunctions
	stageReads
	stageIsSSH
	stageSSHUnknown
	stageLogins
	stageSimple
	stagePTY
	stagePorts
	stageHosts
	stageEnv
	stageSubsystems
	stageFiles
	stageOnlyFiles
	stageCommands
	stageTime
	stageWhen
)

// typed asks every matcher but the condition, and gives the first one that
// decided the answer.
func (r *rule) typed(s *subject) (match, stage) {
	m, limit := yes, stageWhen
	for _, st := range r.stages {
		switch r.ask(st, s) {
		case no:
			return no, st
		case may:
			if m == yes {
				m, limit = may, st
			}
		}
	}
	return m, limit
}

// written lists the matchers that the rule has. Actions always count: a rule
// without them is a wildcard.
func (r *rule) written() []stage {
	has := []bool{
		stageActions: true, stageGroups: r.groups != nil, stageNames: r.names != nil, stageActors: r.kinds != nil,
		stageConnections: r.connections != nil, stageProtocols: r.protocols != nil, stageLabels: r.labels != nil,
		stageIsSQL: r.sql != nil,
	}
	if m := r.sql; m != nil {
		has = append(has, m.unknown != nil, m.kinds != nil, m.effects != nil, m.only != nil, m.unbounded != nil,
			m.tables != nil, m.onlyTables != nil, m.functions != nil, m.labels != nil)
	}
	for len(has) <= int(stageReads) {
		has = append(has, false)
	}
	has = append(has, r.ssh != nil)
	if r.ssh != nil {
		has = append(has, r.ssh.present()...)
	}
	for len(has) <= int(stageCommands) {
		has = append(has, false)
	}
	has = append(has, r.time != nil)
	var stages []stage
	for st, present := range has {
		if present {
			stages = append(stages, stage(st))
		}
	}
	return stages
}

// ask puts one matcher, which the rule has, to the subject.
func (r *rule) ask(st stage, s *subject) match {
	switch st {
	case stageActions:
		return r.askActions(s)
	case stageGroups:
		return known(r.groups.matchAny(s.Principal.Groups))
	case stageNames:
		return known(r.names.matches(s.Principal.Name))
	case stageActors:
		return r.askActors(s)
	case stageConnections:
		return known(r.connections.matches(s.Connection.Name))
	case stageProtocols:
		return known(r.protocols.matches(s.Connection.Protocol))
	case stageLabels:
		return r.askLabels(s)
	case stageIsSQL:
		return known(s.isSQL)
	case stageIsSSH:
		return known(s.isSSH)
	case stageTime:
		return known(r.time.matches(s.Now))
	}
	if st > stageIsSSH {
		return r.ssh.ask(st, s)
	}
	return r.sql.ask(st, s)
}

// askActions: an exact verb reaches everything, a wildcard (and a rule without
// actions is one) only what was understood, unless the rule says unknown: true.
func (r *rule) askActions(s *subject) match {
	wild := r.actions == nil
	for i := range r.actions {
		if r.actions[i].matches(s.Action.Verb) {
			if !r.actions[i].prefix {
				return yes
			}
			wild = true
		}
	}
	switch {
	case !wild:
		return no
	case s.dark && !r.wantsUnknown():
		return may
	default:
		return yes
	}
}

func (r *rule) wantsUnknown() bool {
	return r.sql != nil && r.sql.unknown != nil && *r.sql.unknown || r.ssh != nil && r.ssh.unknown != nil && *r.ssh.unknown
}

// askActors: kinds speak of everybody who acts, the principal and the chain
// behind it. All of them listed is a match, some of them is a maybe: so a rule
// for persons does not allow a person's agent, and a rule against agents
// reaches it.
func (r *rule) askActors(s *subject) match {
	listed := slices.Contains(r.kinds, s.Principal.Kind)
	others := !listed
	for i := range s.Chain {
		if slices.Contains(r.kinds, s.Chain[i].Kind) {
			listed = true
		} else {
			others = true
		}
	}
	switch {
	case !listed:
		return no
	case others:
		return may
	default:
		return yes
	}
}

func (r *rule) askLabels(s *subject) match {
	for i := range r.labels {
		value, ok := s.Connection.Labels[r.labels[i].key]
		if !ok || !r.labels[i].value.matches(value) {
			return no
		}
	}
	return yes
}

// ask answers from what the analysis found; of what was not understood, any
// answer may be true.
func (m *sqlMatch) ask(st stage, s *subject) match {
	switch {
	case st == stageUnknown:
		return known(*m.unknown == s.dark)
	case st == stageKinds:
		return m.askKinds(s)
	case s.dark:
		return may
	}
	switch st {
	case stageUnbounded:
		return known(*m.unbounded == s.sql.Unbounded)
	case stageEffects:
		return m.someEffect(s)
	case stageOnlyEffects:
		return m.onlyEffects(s)
	case stageTables:
		return m.tables.some(s.sql.Tables)
	case stageOnlyTables:
		return m.onlyTables.every(s.sql.Tables)
	case stageFunctions:
		return m.functions.some(s.sql.Functions)
	case stageReads:
		return m.askReads(s)
	}
	return no
}

// askReads: which labels a statement reads is known once the target has told.
func (m *sqlMatch) askReads(s *subject) match {
	if !s.traced() {
		s.untraced = true
		return may
	}
	return known(m.labels.matchAny(s.sql.LabelsRead))
}

func (s *subject) traced() bool { return s.bare || s.sql != nil && s.sql.Traced }

// askKinds: the kind of a statement is certain even where its effects are not.
func (m *sqlMatch) askKinds(s *subject) match {
	kind := s.kind()
	if kind != "unknown" {
		return known(m.kinds.matches(kind))
	}
	for _, p := range m.kinds {
		if !p.prefix && p.text == kind {
			return yes
		}
	}
	return may
}

func (m *sqlMatch) someEffect(s *subject) match {
	if len(s.sql.Effects) == 0 {
		return may
	}
	return known(slices.ContainsFunc(s.sql.Effects, func(e string) bool { return slices.Contains(m.effects, e) }))
}

func (m *sqlMatch) onlyEffects(s *subject) match {
	if len(s.sql.Effects) == 0 {
		return may
	}
	for _, e := range s.sql.Effects {
		if !slices.Contains(m.only, e) {
			return no
		}
	}
	return yes
}

// askWhen evaluates the condition. For an action that is not SQL, `sql` is
// empty, and an allow rule whose condition reads it does not match; so it is
// for `ssh`, also where an action has not what is read, such as the host of a
// command.
func (r *rule) askWhen(s *subject) (match, error) {
	switch {
	case r.when == nil:
		return yes, nil
	case r.when.readsSQL && !s.isSQL && r.effect == Allow:
		return no, nil
	case r.when.readsSSH && r.effect == Allow && !(s.isSSH && r.when.appliesTo(s.Action.Verb)):
		return no, nil
	case r.when.readsSSH && r.when.unsure(s):
		return may, nil
	case r.when.readsFacts && s.dark:
		return may, nil
	case r.when.readsLabels && s.isSQL && !s.traced():
		s.untraced = true
		return may, nil
	}
	ok, err := r.when.eval(s.Input)
	return known(ok), err
}
