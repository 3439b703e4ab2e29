package identity

import (
	"fmt"
	"strings"

	"hoop/policy"
)

// person makes a principal of the claims of a verified ID token.
func (i *issuer) person(c claims) (*policy.Principal, error) {
	subjectClaim := or(i.config.SubjectClaim, defaultSubject)
	subject, ok := c.text(subjectClaim)
	if !ok || subject == "" {
		return nil, refuse(ErrToken, fmt.Sprintf("the token has no claim %q that says who this is", subjectClaim),
			"correct subject_claim of the issuer in the broker's configuration")
	}
	p := &policy.Principal{ID: i.config.URL + "|" + subject, Kind: policy.Person, Issuer: i.config.URL}
	if email, ok := c.text(or(i.config.EmailClaim, defaultEmail)); ok && !c.unverified() {
		p.Email = email
	}
	p.Name = i.name(c, p.Email, subject)
	var err error
	if p.Groups, err = i.groups(c); err != nil {
		return nil, err
	}
	return p, checkPrincipal(p)
}

// name is what people know the person by. An address that the issuer has not
// verified never becomes a name, under whatever claim it comes: rules and
// approvers would take it for the address's owner.
func (i *issuer) name(c claims, email, subject string) string {
	unverified := ""
	if c.unverified() {
		unverified, _ = c.text(or(i.config.EmailClaim, defaultEmail))
	}
	candidates := []string{email}
	claim := or(i.config.NameClaim, "preferred_username")
	if i.config.NameClaim != "" {
		candidates = nil
	}
	if name, ok := c.text(claim); ok {
		candidates = append(candidates, name)
	}
	for _, name := range candidates {
		if name != "" && (unverified == "" || !strings.EqualFold(name, unverified)) {
			return name
		}
	}
	return subject
}

// groups reads the groups, or refuses with the cure where the token does not
// tell them: treating that as "no groups" would let a rule that denies a group
// miss its members, and hide a misconfiguration.
func (i *issuer) groups(c claims) ([]string, error) {
	claim := or(i.config.GroupsClaim, defaultGroups)
	groups, present, err := c.list(claim)
	cure := vendorOf(i.config.URL).groups
	over := c.overage(claim)
	switch {
	case err != nil:
		return nil, refuse(ErrGroups, err.Error(), "correct groups_claim of the issuer in the broker's configuration")
	case len(groups) > maxGroups:
		return nil, refuse(ErrGroups, fmt.Sprintf("the token holds %d groups, more than %d", len(groups), maxGroups), cure)
	case present && !over:
		return groups, nil
	case !i.config.groupsRequired():
		return []string{}, nil
	case over:
		return nil, refuse(ErrGroups, "the issuer left the groups out of the token because they are too many (overage)", cure)
	default:
		return nil, refuse(ErrGroups, fmt.Sprintf("the token has no claim %q that tells the groups", claim), cure)
	}
}

func checkPrincipal(p *policy.Principal) error {
	texts := []struct{ what, text string }{{"subject", p.ID}, {"name", p.Name}}
	if p.Email != "" {
		texts = append(texts, struct{ what, text string }{"e-mail address", p.Email})
	}
	for _, g := range p.Groups {
		texts = append(texts, struct{ what, text string }{"group", g})
	}
	for _, t := range texts {
		if err := readable(t.what, t.text); err != nil {
			return refuse(ErrToken, err.Error(), "correct it at the issuer")
		}
	}
	return nil
}
