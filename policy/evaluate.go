package policy

import "fmt"

// Evaluate gives the verdict on one action. The first rule that matches, in
// written order, decides; where none does, the answer is deny. Where it cannot
// be known whether a rule matches, the stricter of both possibilities holds. A
// condition that cannot be computed denies in the name of its rule.
func (p *Policy) Evaluate(in *Input) Verdict {
	if p == nil || in == nil || in.Action == nil || in.Principal == nil || in.Connection == nil {
		return Verdict{Reason: "no rule allows this"}
	}
	s := p.subject(in)
	v := p.evaluate(&s)
	v.Untraced = s.untraced
	return v
}

func (p *Policy) subject(in *Input) subject {
	s := newSubject(in)
	s.bare = p.usesLabels && s.isSQL && len(p.Labels(in.Connection)) == 0
	return s
}

func (p *Policy) evaluate(s *subject) Verdict {
	var waits *rule // require_approval that may match: the mildest answer from there on
	for _, r := range p.rules {
		m, limit, err := r.match(s)
		switch {
		case err != nil:
			return p.verdict(Deny, r, "its condition cannot be computed: "+err.Error(),
				"guard the condition, for example with has(…) or \"key\" in connection.labels")
		case m == no:
		case r.effect == Deny:
			return p.denied(r, m, limit, s)
		case r.effect == RequireApproval && m == yes && waits == nil:
			return p.decided(r)
		case r.effect == RequireApproval:
			if waits == nil {
				waits = r
			}
			if m == yes {
				return p.held(waits)
			}
		case m == yes && waits != nil:
			return p.held(waits)
		case m == yes:
			return p.decided(r)
		}
	}
	return p.unmatched(s)
}

// match asks every matcher, the condition last. A condition that cannot be
// computed counts even where the rule only may match.
func (r *rule) match(s *subject) (match, stage, error) {
	m, limit := r.typed(s)
	if m == no || r.when == nil {
		return m, limit, nil
	}
	w, err := r.askWhen(s)
	if w < m {
		m, limit = w, stageWhen
	}
	return m, limit, err
}

func (p *Policy) verdict(e Effect, r *rule, reason, hint string) Verdict {
	return Verdict{Effect: e, Rule: r.name, Reason: reason, Hint: hint, Policy: p.digest}
}

func (p *Policy) decided(r *rule) Verdict {
	return Verdict{Effect: r.effect, Rule: r.name, Reason: r.reason, Hint: r.hint, Unmask: r.unmask, Policy: p.digest}
}

// held asks for the approval of a rule that may match. Nothing is shown in
// clear on a maybe.
func (p *Policy) held(r *rule) Verdict {
	return p.verdict(RequireApproval, r, r.reason, r.hint)
}

func (p *Policy) denied(r *rule, m match, limit stage, s *subject) Verdict {
	reason, hint := r.reason, r.hint
	if m == may && hint == "" {
		hint = "the rule may match: " + r.describe(limit, s)
	}
	return p.verdict(Deny, r, reason, hint)
}

// unmatched denies what no rule allows, and says how near one came.
func (p *Policy) unmatched(s *subject) Verdict {
	v := Verdict{Reason: "no rule allows this", Policy: p.digest}
	if s.dark {
		v.Reason = "no rule allows what is not understood"
		if why := s.why(); why != "" {
			v.Reason += ": " + why
		}
	}
	for _, r := range p.rules {
		if r.effect == Deny {
			continue
		}
		if m, limit, err := r.match(s); err == nil && m == may {
			v.Hint = fmt.Sprintf("rule %q would cover it, but: %s", r.name, r.describe(limit, s))
			return v
		}
	}
	v.Hint = fmt.Sprintf("ask for a rule that allows %s on %s, or see why: hoop policy explain %s",
		s.Action.Verb, s.Connection.Name, s.Connection.Name)
	return v
}

// Approval tells who may answer for a rule with effect require_approval. It
// reports false where the rule does not exist or names nobody.
func (p *Policy) Approval(rule string) (ApprovalSpec, bool) {
	if p == nil {
		return ApprovalSpec{}, false
	}
	for _, r := range p.rules {
		if (r.name == rule || rule == LabelsRule) && r.approval != nil {
			return *r.approval, true
		}
	}
	return ApprovalSpec{}, false
}

// LabelsRule stands for a rule where labels decided. Approvals that they ask
// for are given by those who may answer for the first rule that asks for one.
const LabelsRule = "labels"
