package approval

import (
	"hoop/policy"
	"hoop/recorder"
)

// record writes what happened to an approval, on the disk before it returns.
// by is the approver who caused it, nil where nobody did.
func (d *Desk) record(t recorder.Type, a *Approval, by *Approver) error {
	ev := eventOf(t, &a.Request)
	ev.Approval.ID, ev.Approval.State, ev.Approval.Digest = a.ID, a.State, a.Hex()
	ev.Approval.Expires, ev.Approval.Grant = a.Expires, a.Grant
	switch t {
	case recorder.ApprovalRequested:
		ev.Text, ev.Params, ev.SQL = a.Text, a.Params, a.SQL
		if a.Clean != "" {
			ev.Text, ev.Params = a.Clean, a.CleanParams
		}
		ev.Approval.Objects, ev.Approval.Labels, ev.Approval.Settings = a.Objects, a.Labels, a.Settings
		ev.Approval.ForSec = a.ForSec
	case recorder.ApprovalEnded:
		ev.Reason, ev.Outcome = a.Why, a.State
		ev.Approval.Approvers, ev.Approval.WaitedMS = a.Approvers(), a.Ended.Sub(a.Created).Milliseconds()
		if n := a.Denial(); n != nil {
			ev.Approval.Comment = n.Comment
		}
	}
	if by != nil {
		ev.Approval.Decision = lastDecision(a)
	}
	return d.append(ev)
}

func lastDecision(a *Approval) string {
	if n := len(a.Answers); n > 0 {
		return a.Answers[n-1].Decision
	}
	return ""
}

// recordAnswer writes one answer with all that is needed to check it again.
func (d *Desk) recordAnswer(a *Approval, who *Approver, said *Answer) error {
	ev := &recorder.Event{
		Type: recorder.ApprovalAnswered, Session: a.Session, Connection: a.Connection, Protocol: a.Protocol,
		Principal: &who.Principal, Chain: who.Chain, Client: who.Client, Binding: who.Binding,
		Approval: &recorder.Approval{
			ID: a.ID, State: a.State, Digest: a.Hex(), Decision: said.Decision, Comment: said.Comment, ForSec: said.ForSec,
			Key: said.Key, Signature: said.Signature, Via: said.Via,
		},
	}
	return d.append(ev)
}

func eventOf(t recorder.Type, q *Request) *recorder.Event {
	return &recorder.Event{
		Type: t, Session: q.Session, Connection: q.Connection, Protocol: q.Protocol,
		Principal: &q.Principal, Chain: q.Chain, Client: q.Client, Binding: q.Binding, Verb: q.Verb,
		Verdict:  &policy.Verdict{Effect: policy.RequireApproval, Rule: q.Rule, Reason: q.RuleReason},
		Approval: &recorder.Approval{Reason: q.Reason, Ticket: q.Ticket},
	}
}

func (d *Desk) append(ev *recorder.Event) error {
	if err := d.recorder.Append(ev, recorder.Synced); err != nil {
		return errorf("record approval", ev.Approval.ID, err)
	}
	return nil
}
