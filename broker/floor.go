package broker

import "hoop/policy"

// Floor is what labels demand of one action, whatever the rules say.
type Floor struct {
	Effect policy.Effect
	Reason string
	Hint   string
}

// raise makes a verdict as strict as the floor.
func (f *Floor) raise(v *policy.Verdict) {
	if f != nil && f.Effect < v.Effect {
		v.Effect, v.Rule, v.Reason, v.Hint = f.Effect, policy.LabelsRule, f.Reason, f.Hint
	}
}

// Predicates tells what statements may infer of a label, under the policy in
// force.
func (s *Session) Predicates(label string) policy.Predicates {
	return s.deps.Policy().Predicates(label)
}

// AsksLabels reports whether some rule asks which labels a statement reads.
func (s *Session) AsksLabels() bool { return s.deps.Policy().UsesLabels() }

// TrustedFunctions lists the functions whose bodies somebody has read.
func (s *Session) TrustedFunctions() []policy.TrustedFunction {
	return s.deps.Policy().TrustedFunctions()
}
