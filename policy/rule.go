package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// rule is one RuleSpec, compiled. A matcher that was not written is nil.
type rule struct {
	name, reason, hint string
	effect             Effect
	unmask             []string
	approval           *ApprovalSpec

	groups, names patterns
	kinds         []Kind

	connections, protocols patterns
	labels                 []labelMatch

	actions patterns
	sql     *sqlMatch
	ssh     *sshMatch
	time    *timeMatch
	when    *condition
	// stages lists the matchers above that are present, in the order to ask.
	stages []stage
}

type labelMatch struct {
	key   string
	value pattern
}

type sqlMatch struct {
	kinds         patterns
	effects, only []string
	tables        objectPatterns
	onlyTables    objectPatterns
	functions     objectPatterns
	labels        patterns
	unbounded     *bool
	unknown       *bool
}

// ruleCompiler turns specs into rules and remembers what was seen before.
type ruleCompiler struct {
	*checker
	conditions *conditions
	names      map[string]bool
	catchAll   string // the first rule that matches every action there is
}

func (c *ruleCompiler) rule(path string, spec *RuleSpec) *rule {
	r := &rule{name: spec.Name, reason: spec.Reason, hint: spec.Hint, unmask: spec.Unmask, approval: spec.Approval}
	c.head(path, spec, r)
	if spec.Who != nil {
		c.who(path+".who", spec.Who, r)
	}
	if spec.Connections != nil {
		c.conn(path+".connections", spec.Connections, r)
	}
	r.actions = c.actions(path+".actions", spec.Actions)
	if spec.SQL != nil {
		c.sql(path+".sql", spec.SQL, r)
		c.sqlReachable(path, spec, r)
	}
	if spec.SSH != nil {
		c.ssh(path+".ssh", spec.SSH, r)
		c.sshReachable(path, r)
	}
	if spec.Time != nil {
		r.time = c.time(path+".time", spec.Time)
	}
	if spec.When != "" {
		var problems []string
		r.when, problems = c.conditions.compile(spec.When)
		for _, p := range problems {
			c.add(path+".when", "%s", p)
		}
	}
	c.effect(path, spec, r)
	c.reachable(path, spec)
	r.stages = r.written()
	return r
}

// asksLabels reports whether the rule asks which labels a statement reads.
func (r *rule) asksLabels() bool {
	return r.sql != nil && r.sql.labels != nil || r.when != nil && r.when.readsLabels
}

func (c *ruleCompiler) head(path string, spec *RuleSpec, r *rule) {
	switch {
	case strings.TrimSpace(spec.Name) == "":
		c.add(path+".name", "is missing: the record names the rule that decided")
	case c.names[spec.Name]:
		c.add(path+".name", "%q is the name of an earlier rule too", spec.Name)
	}
	c.names[spec.Name] = true
	if err := r.effect.UnmarshalText([]byte(spec.Effect)); err != nil {
		c.add(path+".effect", "%v", err)
	}
}

func (c *ruleCompiler) effect(path string, spec *RuleSpec, r *rule) {
	for i, label := range spec.Unmask {
		if p, err := parsePattern(label); err != nil || p.text != "" && !goodLabel(p.text) {
			c.add(fmt.Sprintf("%s.unmask[%d]", path, i), "%q is not a label, a prefix with one * at its end, or *", label)
		}
	}
	if len(spec.Unmask) > 0 && r.effect == Deny {
		c.add(path+".unmask", "means nothing beside effect: deny")
	}
	if spec.Approval == nil {
		return
	}
	if r.effect != RequireApproval {
		c.add(path+".approval", "means nothing without effect: require_approval")
	}
	if spec.Approval.Quorum < 0 {
		c.add(path+".approval.quorum", "is below zero")
	}
	if e := spec.Approval.Expires; e != "" {
		if d, err := time.ParseDuration(e); err != nil || d <= 0 || d > 24*time.Hour {
			c.add(path+".approval.expires", "%q is no duration above 0 and up to 24h, such as 15m", e)
		}
	}
	if len(spec.Approval.Groups) == 0 && len(spec.Approval.Names) == 0 {
		c.add(path+".approval", "names nobody who could approve: give groups or names")
	}
}

// reachable refuses rules after one that already matches everything.
func (c *ruleCompiler) reachable(path string, spec *RuleSpec) {
	if c.catchAll != "" {
		c.add(path, "can never match: rule %q before it matches everything", c.catchAll)
		return
	}
	// Only a deny without matchers is final for what is not understood as well.
	if spec.Who == nil && spec.Connections == nil && spec.Actions == nil && spec.SQL == nil && spec.SSH == nil && spec.When == "" && spec.Time == nil &&
		spec.Effect == Deny.String() {
		c.catchAll = spec.Name
	}
}

func (c *ruleCompiler) who(path string, spec *WhoSpec, r *rule) {
	if spec.Groups == nil && spec.Names == nil && spec.Kinds == nil {
		c.add(path, "names nobody, so the rule can never match: give groups, names or kinds")
	}
	r.groups = c.patterns(path+".groups", spec.Groups)
	r.names = c.patterns(path+".names", spec.Names)
	if spec.Kinds != nil && len(spec.Kinds) == 0 {
		c.add(path+".kinds", "is empty, so the rule can never match: leave it out to match everything")
	}
	for i, word := range spec.Kinds {
		switch k := Kind(word); k {
		case Person, Workload, Agent:
			r.kinds = append(r.kinds, k)
		default:
			c.add(fmt.Sprintf("%s.kinds[%d]", path, i), "%q is no kind of actor: person, workload or agent", word)
		}
	}
}

func (c *ruleCompiler) conn(path string, spec *ConnSpec, r *rule) {
	if spec.Names == nil && spec.Protocols == nil && spec.Labels == nil {
		c.add(path, "names no connection, so the rule can never match: give names, protocols or labels")
	}
	r.connections = c.patterns(path+".names", spec.Names)
	r.protocols = c.patterns(path+".protocols", spec.Protocols)
	for i, p := range r.protocols {
		if p.prefix || !knownProtocol(p.text) {
			c.add(fmt.Sprintf("%s.protocols[%d]", path, i), "%q is no protocol: postgres, ssh, kubernetes or http", p)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(spec.Labels)) {
		value, err := parsePattern(spec.Labels[key])
		if err != nil {
			c.add(path+".labels."+key, "%v", err)
			continue
		}
		r.labels = append(r.labels, labelMatch{key, value})
	}
}

func (c *ruleCompiler) actions(path string, list []string) patterns {
	ps := c.patterns(path, list)
	for i, p := range ps {
		if problem := verbProblem(p); problem != "" {
			c.add(fmt.Sprintf("%s[%d]", path, i), "%q %s", p, problem)
		}
	}
	return ps
}

// verbProblem checks the verbs that are known; other engines have their own.
func verbProblem(p pattern) string {
	engine, rest, dotted := strings.Cut(p.text, ".")
	switch {
	case p.prefix && !dotted && strings.HasPrefix("session. sql. ssh. kubernetes. http.", p.text):
		return ""
	case p.prefix && !dotted && slices.ContainsFunc([]string{"sql.", "ssh.", "kubernetes.", "session.", "http."},
		func(e string) bool { return strings.HasPrefix(e, p.text) }):
		return ""
	case !dotted:
		return "is no verb: verbs are dotted, such as sql.select, sql.* or session.open"
	}
	switch engine {
	case "session":
		if !(rest == "open" || rest == "end" || p.prefix && strings.HasPrefix("open", rest)) {
			return "is no verb: there are session.open and session.end"
		}
	case "audit":
		if rest != "read" || p.prefix {
			return "is no verb: there is audit.read"
		}
	case "sql":
		if !(p.prefix && rest == "") && !knownKindPattern(pattern{rest, p.prefix}) {
			return "is no verb: no statement is of that kind"
		}
	case "ssh":
		if !slices.ContainsFunc(SSHVerbs(), p.matches) {
			return "is no verb: there are " + strings.Join(SSHVerbs(), ", ")
		}
	case "kubernetes", "http":
		if rest == "" && !p.prefix {
			return "is no verb"
		}
	default:
		return "is no verb: no engine has actions that begin with " + engine
	}
	return ""
}

func (c *ruleCompiler) sql(path string, spec *SQLSpec, r *rule) {
	m := &sqlMatch{unbounded: spec.Unbounded, unknown: spec.Unknown}
	r.sql = m
	if spec.Kinds == nil && spec.Effects == nil && spec.Only == nil && spec.Tables == nil &&
		spec.OnlyTable == nil && spec.Functions == nil && spec.Labels == nil && spec.Unbounded == nil && spec.Unknown == nil {
		c.add(path, "says nothing: give kinds, effects, only_effects, tables, only_tables, functions, labels, unbounded or unknown")
	}
	m.kinds = c.patterns(path+".kinds", spec.Kinds)
	for i, p := range m.kinds {
		if !knownKindPattern(p) {
			c.add(fmt.Sprintf("%s.kinds[%d]", path, i), "%q: no statement is of that kind", p)
		}
	}
	m.effects = c.sqlEffects(path+".effects", spec.Effects)
	m.only = c.sqlEffects(path+".only_effects", spec.Only)
	if m.effects != nil && m.only != nil && !slices.ContainsFunc(m.effects, func(e string) bool { return slices.Contains(m.only, e) }) {
		c.add(path, "can never match: none of effects is among only_effects")
	}
	m.tables = c.objects(path+".tables", spec.Tables)
	m.onlyTables = c.objects(path+".only_tables", spec.OnlyTable)
	m.functions = c.objects(path+".functions", spec.Functions)
	m.labels = c.patterns(path+".labels", spec.Labels)
	for i, l := range m.labels {
		if l.text != "" && !goodLabel(l.text) {
			c.add(fmt.Sprintf("%s.labels[%d]", path, i), "%q is not a label, a prefix with one * at its end, or *", l)
		}
	}
}

func (c *ruleCompiler) sqlEffects(path string, list []string) []string {
	if list != nil && len(list) == 0 {
		c.add(path, "is empty, so the rule can never match: leave it out to match everything")
	}
	for i, e := range list {
		if !KnownSQLEffect(e) {
			c.add(fmt.Sprintf("%s[%d]", path, i),
				"%q is no effect of a statement: read, write, ddl, session, transaction, code, file, program or admin", e)
		}
	}
	return list
}

// sqlReachable refuses a rule whose actions and sql matchers exclude each other.
func (c *ruleCompiler) sqlReachable(path string, spec *RuleSpec, r *rule) {
	if len(r.actions) == 0 {
		return
	}
	reach := slices.ContainsFunc(r.actions, func(a pattern) bool {
		return a.prefix && strings.HasPrefix("sql.", a.text) || strings.HasPrefix(a.text, "sql.")
	})
	if !reach {
		c.add(path, "can never match: it has an sql matcher, and none of its actions is an sql action")
		return
	}
	if len(r.sql.kinds) == 0 {
		return
	}
	for _, a := range r.actions {
		for _, k := range r.sql.kinds {
			if overlap(a, pattern{"sql." + k.text, k.prefix}) {
				return
			}
		}
	}
	c.add(path, "can never match: none of sql.kinds (%s) is among its actions (%s)", r.sql.kinds, r.actions)
}

// overlap reports whether some word matches both patterns.
func overlap(a, b pattern) bool {
	switch {
	case a.prefix && b.prefix:
		return strings.HasPrefix(a.text, b.text) || strings.HasPrefix(b.text, a.text)
	case a.prefix:
		return a.matches(b.text)
	default:
		return b.matches(a.text)
	}
}
