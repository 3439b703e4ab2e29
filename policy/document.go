package policy

// Document is the policy part of a configuration file, as written. Several
// documents make one policy: labels add up, rules keep the order of the files.
type Document struct {
	// Labels puts sensitivity labels on columns.
	Labels []LabelSpec `yaml:"labels,omitempty"`
	// Masks tells, per label or detector class, how values are replaced. A
	// label without an entry uses the one named "default", else redact.
	Masks map[string]MaskSpec `yaml:"masks,omitempty"`
	// Predicates tells, per label or prefix of labels with one trailing "*", what
	// conditions, sorting and grouping may show of values that are masked: allow,
	// equality (with constants, the default), require_approval or deny. The
	// entry "default" is for labels without one.
	Predicates map[string]string `yaml:"predicates,omitempty"`
	// OpaqueFunctions are functions in languages that nobody analyses whose
	// bodies somebody has read and trusts.
	OpaqueFunctions []TrustedFunction `yaml:"opaque_functions,omitempty"`
	// Detectors tells which classes are looked for in values that no label
	// covers, per connection.
	Detectors []DetectorSpec `yaml:"detectors,omitempty"`
	// Patterns adds detector classes: name to regular expression in RE2 syntax.
	// Where it has a group called value that group is what is masked, else the
	// whole match.
	Patterns map[string]string `yaml:"patterns,omitempty"`
	// Packs are ready-made rules, asked before those of this document.
	Packs []PackSpec `yaml:"packs,omitempty"`
	Rules []RuleSpec `yaml:"rules,omitempty"`
	Tests []TestSpec `yaml:"tests,omitempty"`
}

// LabelSpec labels columns of the relations behind some connections.
type LabelSpec struct {
	// Connections are names or prefixes with one trailing "*"; none means all.
	Connections []string `yaml:"connections,omitempty"`
	// Columns maps schema.table.column to a label such as pii.email. Quote as
	// SQL would: public."Order".ssn.
	Columns map[string]string `yaml:"columns"`
}

// MaskSpec names a method and its settings.
type MaskSpec struct {
	// Method is redact, fixed, partial, hash, null, generalise or
	// format_preserving.
	Method string `yaml:"method" json:"method"`
	// KeepLast is how many letters and digits partial leaves; 4 where absent.
	KeepLast *int `yaml:"keep_last,omitempty" json:"keep_last,omitempty"`
	// KeepSeparators leaves what is neither letter nor digit under partial;
	// true where absent.
	KeepSeparators *bool `yaml:"keep_separators,omitempty" json:"keep_separators,omitempty"`
	// To is how far generalise goes: month or year for dates (an e-mail address
	// becomes its domain, an IP address its network); month where absent.
	To string `yaml:"to,omitempty" json:"to,omitempty"`
	// Text replaces the value under redact and fixed; redact writes
	// "[redacted]" where it is absent, fixed demands it.
	Text string `yaml:"text,omitempty" json:"text,omitempty"`
}

// DetectorSpec switches value detectors on.
type DetectorSpec struct {
	Connections []string `yaml:"connections,omitempty"`
	// Classes are detector classes such as credit_card; "*" is all.
	Classes []string `yaml:"classes"`
}

// RuleSpec is one rule as written. Every matcher that is present must match;
// within one list one entry is enough. Rules are asked in written order and the
// first that matches decides; where none does, the answer is deny.
//
// Where it cannot be known whether a rule matches, it denies but does not
// allow, and an approval is asked for rather than not. That is so for
// statements that were not understood, which no wildcard reaches either: a rule
// allows them by their exact verb, or by sql: {unknown: true} (ssh: {unknown:
// true} for requests).
type RuleSpec struct {
	Name        string        `yaml:"name"`
	Description string        `yaml:"description,omitempty"`
	Who         *WhoSpec      `yaml:"who,omitempty"`
	Connections *ConnSpec     `yaml:"connections,omitempty"`
	Actions     []string      `yaml:"actions,omitempty"` // verbs, "sql.*" allowed
	SQL         *SQLSpec      `yaml:"sql,omitempty"`
	SSH         *SSHSpec      `yaml:"ssh,omitempty"`
	Time        *TimeSpec     `yaml:"time,omitempty"`
	When        string        `yaml:"when,omitempty"` // CEL
	Effect      string        `yaml:"effect"`
	Reason      string        `yaml:"reason,omitempty"`
	Hint        string        `yaml:"hint,omitempty"`
	Unmask      []string      `yaml:"unmask,omitempty"`
	Approval    *ApprovalSpec `yaml:"approval,omitempty"`
}

// WhoSpec matches the principal.
type WhoSpec struct {
	Groups []string `yaml:"groups,omitempty"`
	Names  []string `yaml:"names,omitempty"`
	// Kinds speak of everybody who acts, the principal and the chain behind it.
	// A rule for persons alone does not allow what an agent does for a person;
	// a rule that denies agents reaches it.
	Kinds []string `yaml:"kinds,omitempty"`
}

// ConnSpec matches the connection. Every label must match.
type ConnSpec struct {
	Names     []string          `yaml:"names,omitempty"`
	Protocols []string          `yaml:"protocols,omitempty"`
	Labels    map[string]string `yaml:"labels,omitempty"`
}

// SQLSpec matches a statement, and nothing that is not SQL.
//
// Tables and functions are written as SQL names them, with one * at the end
// where wanted: customers, public.customers, audit_*, public.*,
// public."Order". Where both the rule and the statement name a schema, both
// must be equal; where neither does, the names must be. Where only one of them
// does, search_path decides which object is meant, so the rule may match:
// public.customers in a deny rule reaches the text customers, and customers in
// an allow rule does not let evil.customers through.
type SQLSpec struct {
	Kinds     []string `yaml:"kinds,omitempty"`
	Effects   []string `yaml:"effects,omitempty"`      // some effect is listed
	Only      []string `yaml:"only_effects,omitempty"` // every effect is listed
	Tables    []string `yaml:"tables,omitempty"`       // some table matches
	OnlyTable []string `yaml:"only_tables,omitempty"`  // every table matches
	Functions []string `yaml:"functions,omitempty"`
	// Labels are those of columns that the statement shows, tests or copies, as
	// the target's own tree of it tells; some of them is listed. Before the
	// target has told, a rule with labels may match.
	Labels    []string `yaml:"labels,omitempty"`
	Unbounded *bool    `yaml:"unbounded,omitempty"`
	Unknown   *bool    `yaml:"unknown,omitempty"`
}

// SSHSpec matches a request of SSH, and nothing else. Each of its matchers is
// for some verbs, so that a rule with it matches no others: commands for
// ssh.exec, hosts for forwards, and so on.
//
// A command is the text that a login shell of the target reads. Commands are
// written as words: systemctl status *. A word* begins so; a * is any word that
// is no option, at the end one or more of them; ** at the end is whatever
// follows. Such an entry surely matches only a simple command: one program, its
// words the same to every shell. An entry without a * matches the same text
// too, whatever it is. Of other commands it can only be told which programs they
// name, so the rule may match where the program is among them.
//
// Paths are absolute; a part of one may be *, and one at the end is everything
// below. Where the target has symbolic links they are not followed. Hosts are
// names, *.suffix, prefix*, addresses or networks: a name may mean any address.
type SSHSpec struct {
	Commands   []string `yaml:"commands,omitempty"`
	Paths      []string `yaml:"paths,omitempty"`      // of files and sockets; some path matches
	OnlyPaths  []string `yaml:"only_paths,omitempty"` // every path matches
	Hosts      []string `yaml:"hosts,omitempty"`      // to which the target connects, or at which it listens
	Ports      []string `yaml:"ports,omitempty"`      // 5432, 8000-8999
	Env        []string `yaml:"env,omitempty"`        // names of variables
	Subsystems []string `yaml:"subsystems,omitempty"`
	Logins     []string `yaml:"logins,omitempty"`  // users at the target
	PTY        *bool    `yaml:"pty,omitempty"`     // a shell or command with a terminal
	Simple     *bool    `yaml:"simple,omitempty"`  // a command that every shell reads the same
	Unknown    *bool    `yaml:"unknown,omitempty"` // a request that nobody understands
}

// TimeSpec matches the time of day and the day of the week at one place.
type TimeSpec struct {
	Days []string `yaml:"days,omitempty"` // mon to sun; every day where absent
	// From and To are times of day, 15:04; To is not in it. Where To is before
	// From it is on the next day. The whole day where both are absent.
	From string `yaml:"from,omitempty"`
	To   string `yaml:"to,omitempty"`
	Zone string `yaml:"zone,omitempty"` // such as Europe/Berlin; UTC where absent
}

// ApprovalSpec tells who may answer for a rule with require_approval. Nobody
// answers for themselves, whatever it says.
type ApprovalSpec struct {
	Groups []string `yaml:"groups,omitempty"`
	Names  []string `yaml:"names,omitempty"`
	Quorum int      `yaml:"quorum,omitempty"` // distinct people; 1 where absent
	// Expires is how long it waits for an answer, such as 15m (which holds
	// where it is absent) or 2h; a day at most.
	Expires string `yaml:"expires,omitempty"`
	// BreakGlass names groups whose members may go on without an answer where
	// they give a reason. It is alarmed at once.
	BreakGlass []string `yaml:"break_glass,omitempty"`
	// OwnKey takes only answers signed with a key on the approver's own machine,
	// none that came by way of the broker's page.
	OwnKey bool `yaml:"own_key,omitempty"`
}

// TestSpec is an example beside the rules: hoop policy test runs it.
type TestSpec struct {
	Name       string   `yaml:"name,omitempty"`
	Principal  string   `yaml:"principal"`
	Groups     []string `yaml:"groups,omitempty"`
	Kind       string   `yaml:"kind,omitempty"`   // person where absent
	Agents     []string `yaml:"agents,omitempty"` // who acts for the principal, outermost first
	Connection string   `yaml:"connection"`
	Action     string   `yaml:"action,omitempty"` // a verb; session.open where it, sql and a request are absent
	SQL        string   `yaml:"sql,omitempty"`
	// What an SSH request asks for; the verb follows from it, but for files.
	SSHRequest `yaml:",inline"`
	// LabelsRead are those that the target would tell of; absent is that it was
	// not asked.
	LabelsRead []string `yaml:"labels_read,omitempty"`
	Time       string   `yaml:"time,omitempty"` // RFC 3339
	Expect     string   `yaml:"expect"`         // an effect
	Rule       string   `yaml:"rule,omitempty"` // the rule expected to decide
}

// ColumnLabel is one label on one column, names folded as PostgreSQL folds them.
type ColumnLabel struct {
	Schema, Table, Column string
	Label                 string
}
