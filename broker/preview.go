package broker

import "hoop/policy"

// Preview gives the verdict that Decide would start from, without waiting for
// anybody and without a record. Nothing may run on its strength: it is for
// refusing early what Decide would refuse, and for not making people wait.
func (s *Session) Preview(a *Action) policy.Verdict { return s.evaluate(a) }
