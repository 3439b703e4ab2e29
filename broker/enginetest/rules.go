package enginetest

import (
	"strings"

	"hoop/policy"
)

// What the denying and the asking rule say.
const (
	denyRule   = "not-at-night"
	denyReason = "nobody does this at night"
	denyHint   = "come back at seven"
	askRule    = "two-of-us"
	askReason  = "this needs a second look"
)

// rules give deny to actions with a mark that begins with deny, ask about those
// with ask, and allow all else. The word of a mark is its kind.
func rules() policy.Document {
	return policy.Document{Rules: []policy.RuleSpec{
		{Name: denyRule, When: `action.text.contains("deny-")`, Effect: "deny", Reason: denyReason, Hint: denyHint},
		{Name: askRule, When: `action.text.contains("ask-")`, Effect: "require_approval", Reason: askReason, Approval: answered("")},
		{Name: "soon-over", When: `action.text.contains("hurry-")`, Effect: "require_approval", Reason: askReason, Approval: answered("50ms")},
		all(),
	}}
}

func answered(expires string) *policy.ApprovalSpec {
	return &policy.ApprovalSpec{Groups: []string{"approver"}, Expires: expires}
}

func all() policy.RuleSpec { return policy.RuleSpec{Name: "all", Effect: "allow"} }

// first puts a rule ahead of those that a document has.
func first(r policy.RuleSpec, doc policy.Document) policy.Document {
	doc.Rules = append([]policy.RuleSpec{r}, doc.Rules...)
	return doc
}

// toOpen is a rule about opening the session.
func toOpen(effect string) policy.RuleSpec {
	r := policy.RuleSpec{Name: "door", Actions: []string{"session.open"}, Effect: effect, Reason: "the door is kept", Hint: "ring the bell"}
	if effect == "require_approval" {
		r.Approval = answered("")
	}
	return r
}

// toOpenFor keeps a group out.
func toOpenFor(group string) policy.RuleSpec {
	r := toOpen("deny")
	r.Who = &policy.WhoSpec{Groups: []string{group}}
	return r
}

func contains(text string, all ...string) bool {
	for _, part := range all {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
