package approval

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"

	"hoop/policy"
)

// Approver is who answers, verified, with the key of their login.
type Approver struct {
	Principal policy.Principal
	Chain     policy.Chain
	Key       ed25519.PublicKey
	Client    string
	Binding   string
	Via       string // ViaPage, or "" for a key of the approver's own
}

// ForbiddenError says why somebody may not answer, for them to read.
type ForbiddenError struct{ Why string }

func (e *ForbiddenError) Error() string { return e.Why }

func forbidden(format string, args ...any) error {
	return &ForbiddenError{Why: fmt.Sprintf(format, args...)}
}

// MayAnswer gives nil where somebody may answer under the policy in force now.
func (d *Desk) MayAnswer(a *Approval, who *Approver) error {
	spec, ok := d.policy().Approval(a.Rule)
	if !ok {
		return forbidden("rule %q of the policy in force names nobody who may answer", a.Rule)
	}
	return mayAnswer(a, who, &spec)
}

// Concerns reports whether somebody may see an approval or a grant because the
// rule names them under the policy in force.
func (d *Desk) Concerns(rule string, p *policy.Principal) bool {
	spec, ok := d.policy().Approval(rule)
	return ok && entitled(&spec, p)
}

func mayAnswer(a *Approval, who *Approver, spec *policy.ApprovalSpec) error {
	p := &who.Principal
	switch {
	case p.Kind != policy.Person || len(who.Chain) > 1:
		return forbidden("only a person can answer, and nobody in their name")
	case involved(a, p):
		return forbidden("you are in the chain that asks: %s", a.Chain)
	case !entitled(spec, p):
		return forbidden("rule %q lets %s answer", a.Rule, Names(spec))
	case spec.OwnKey && who.Via != "":
		return forbidden("rule %q takes answers signed with a key of your own: hoop approve %s", a.Rule, a.ID)
	case slices.ContainsFunc(a.Answers, func(b Answer) bool { return same(&b.Approver, p) }):
		return forbidden("you have answered already")
	}
	return nil
}

// involved reports whether somebody asks for themselves: as the requester, or
// as anybody who acts for or through them. One person may have several
// identities; a shared name or address counts too.
func involved(a *Approval, p *policy.Principal) bool {
	if same(&a.Principal, p) {
		return true
	}
	return slices.ContainsFunc(a.Chain, func(c policy.Actor) bool {
		return c.ID == p.ID || equal(c.Name, p.Name) || equal(c.Name, p.Email)
	})
}

func same(a, b *policy.Principal) bool {
	return a.ID == b.ID || equal(a.Name, b.Name) || equal(a.Email, b.Email) || equal(a.Name, b.Email) || equal(a.Email, b.Name)
}

func equal(a, b string) bool { return a != "" && strings.EqualFold(a, b) }

func entitled(spec *policy.ApprovalSpec, p *policy.Principal) bool {
	return slices.ContainsFunc(spec.Groups, func(g string) bool { return slices.Contains(p.Groups, g) }) ||
		slices.ContainsFunc(spec.Names, func(n string) bool { return n == p.Name || p.Email != "" && n == p.Email })
}

// satisfied reports whether the answers are approvals enough under spec. Who
// was entitled when they answered and is not any more does not count.
func satisfied(answers []Answer, spec *policy.ApprovalSpec) bool {
	n := 0
	for i := range answers {
		if answers[i].Decision == Approve && entitled(spec, &answers[i].Approver) && (answers[i].Via == "" || !spec.OwnKey) {
			n++
		}
	}
	return n >= Quorum(spec)
}

// Quorum is how many must approve.
func Quorum(spec *policy.ApprovalSpec) int { return max(spec.Quorum, 1) }

// Names words who may answer.
func Names(spec *policy.ApprovalSpec) string {
	var who []string
	if len(spec.Groups) > 0 {
		who = append(who, "group "+strings.Join(spec.Groups, " or "))
	}
	who = append(who, spec.Names...)
	text := strings.Join(who, ", ")
	if n := Quorum(spec); n > 1 {
		text += fmt.Sprintf(" (%d people)", n)
	}
	return text
}
