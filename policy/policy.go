// Package policy holds the vocabulary that every part of hoop shares
// (principal, actor chain, connection, action, effect, verdict) and the rules
// that turn an action into a verdict.
//
// # Scope
//
// It decides and explains. It does not parse SQL (policy/sql), mask bytes
// (policy/mask), talk to a network or read a clock: the time of day is part of
// its input. It imports nothing else of this project.
package policy

import (
	"fmt"
	"strings"
	"time"
)

// Effect is what a rule, and so a verdict, does with an action.
// The zero value denies.
type Effect uint8

// The effects, from the strictest to the mildest.
const (
	Deny Effect = iota
	RequireApproval
	Allow
)

// String gives the word that stands in rules and events.
func (e Effect) String() string {
	switch e {
	case Allow:
		return "allow"
	case RequireApproval:
		return "require_approval"
	default:
		return "deny"
	}
}

// MarshalText writes the word of the effect.
func (e Effect) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads the word of an effect. A word that it does not know is
// an error and leaves Deny.
func (e *Effect) UnmarshalText(word []byte) error {
	for _, known := range []Effect{Deny, RequireApproval, Allow} {
		if string(word) == known.String() {
			*e = known
			return nil
		}
	}
	*e = Deny
	return fmt.Errorf("%q is no effect: allow, require_approval or deny", word)
}

// Kind tells what sort of actor stands in a chain.
type Kind string

// The kinds of actors.
const (
	Person   Kind = "person"
	Workload Kind = "workload"
	Agent    Kind = "agent"
)

// Principal is the person or workload that rules speak of.
type Principal struct {
	ID     string   `json:"id"`   // issuer|subject: what never changes
	Name   string   `json:"name"` // what people read: an e-mail address or a login
	Email  string   `json:"email,omitempty"`
	Kind   Kind     `json:"kind"`
	Groups []string `json:"groups"`
	Issuer string   `json:"issuer"`
}

// Actor is one link of an actor chain.
type Actor struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Claimed marks a name that the link before vouches for and nothing proves.
	Claimed bool `json:"claimed,omitempty"`
}

// Chain tells who acts for whom, the outermost person first.
type Chain []Actor

// String reads "alice › claude-code › migrator".
func (c Chain) String() string {
	names := make([]string, len(c))
	for i, a := range c {
		names[i] = a.Name
	}
	return strings.Join(names, " › ")
}

// Connection is a registered endpoint as rules see it.
type Connection struct {
	Name     string            `json:"name"`
	Protocol string            `json:"protocol"`
	Labels   map[string]string `json:"labels,omitempty"`
}

// Action is one thing that a principal tries, in words that no protocol owns.
type Action struct {
	// Verb is dotted, its first part naming the engine that made it:
	// "session.open", "sql.select", "sql.copy_out", "ssh.exec".
	Verb string
	// Text is exactly what the target would be given, as text.
	Text string
	// SQL is set for verbs that begin with "sql.", else nil.
	SQL *SQL
	// SSH is set for verbs that begin with "ssh.", else nil.
	SSH *SSH
}

// SQL is what is known of one SQL statement before it runs.
type SQL struct {
	// Kind is a lower-case word: select, insert, update, delete, merge,
	// copy_in, copy_out, create_table, drop, truncate, alter, grant, set, show,
	// begin, commit, …; "unknown" where the text could not be understood.
	Kind string `json:"kind"`
	// Effects holds what running the statement does, each at most once, sorted:
	// read, write, ddl, session, transaction, code, file, program, admin.
	Effects []string `json:"effects"`
	// Reads and Writes are relations as the text names them, folded as
	// PostgreSQL folds identifiers; Tables is their union. Sorted.
	Reads     []string `json:"reads,omitempty"`
	Writes    []string `json:"writes,omitempty"`
	Tables    []string `json:"tables,omitempty"`
	Functions []string `json:"functions,omitempty"` // called by name; sorted
	Settings  []string `json:"settings,omitempty"`  // changed by SET, RESET or set_config
	// HasWhere is true where an UPDATE or DELETE carries a condition that is
	// not constant; Unbounded is true where some UPDATE, DELETE, MERGE or
	// TRUNCATE in the statement may touch every row.
	HasWhere  bool `json:"has_where"`
	Unbounded bool `json:"unbounded"`
	// Multi is true where the statement came with others in one string.
	Multi bool `json:"multi"`
	// LabelsRead are those of columns that the statement shows, tests or copies,
	// sorted, where Traced: only the target can tell.
	LabelsRead []string `json:"labels_read,omitempty"`
	Traced     bool     `json:"-"`
	// Unknown is true where something in the statement could not be resolved;
	// Why then says what.
	Unknown bool   `json:"unknown"`
	Why     string `json:"why,omitempty"`
}

// Durable reports whether the statement has an effect, so that its event must
// have reached the disk before the statement is forwarded. What is unknown has.
func (s *SQL) Durable() bool {
	if s == nil || s.Unknown {
		return true
	}
	for _, e := range s.Effects {
		switch e {
		case "read", "session", "transaction":
		default:
			return true
		}
	}
	return false
}

// Input is everything that a decision may depend on.
type Input struct {
	Principal  *Principal
	Chain      Chain
	Connection *Connection
	Action     *Action
	Now        time.Time
}

// Verdict is the answer of the rules to one action. The zero value denies.
type Verdict struct {
	Effect Effect `json:"effect"`
	Rule   string `json:"rule"`   // the rule that decided; "" where none matched
	Reason string `json:"reason"` // for the person who is refused, and for the record
	Hint   string `json:"hint,omitempty"`
	// Unmask names the labels that the rule shows in clear; "*" is all.
	Unmask []string `json:"unmask,omitempty"`
	// Policy is the digest of the policy in force.
	Policy string `json:"policy,omitempty"`
	// Untraced is true where a rule before the end asked for the labels that a
	// statement reads and they were not known: the verdict may be another once
	// they are.
	Untraced bool `json:"-"`
}

// Shows reports whether the verdict leaves values with the label in clear.
func (v *Verdict) Shows(label string) bool {
	for _, l := range v.Unmask {
		if l == "*" || l == label || strings.HasSuffix(l, "*") && strings.HasPrefix(label, l[:len(l)-1]) {
			return true
		}
	}
	return false
}
