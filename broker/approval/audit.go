package approval

import (
	"fmt"
	"slices"

	"hoop/policy"
	"hoop/recorder"
)

// Audited is what an audit log proves of approvals.
type Audited struct {
	Approvals int `json:"approvals"` // that were approved
	Answers   int `json:"answers"`   // whose signatures fit
	OnPage    int `json:"on_page"`   // of them: signed by the broker for a browser
	Actions   int `json:"actions"`   // that ran with an approval, or under a grant
	// Problems are in the words of people, with the index of the event.
	Problems []string `json:"problems"`
}

// Auditor checks the approvals in a log, from its events alone: each answer's
// signature, that it was for what was asked and by nobody who asked, and that
// nothing ran as approved that was not.
type Auditor struct {
	found Audited
	asked map[string]*audited // by the ID of the approval
	keys  map[string]string   // whose a key is
}

type audited struct {
	digest    string
	requester policy.Principal
	chain     policy.Chain
	yes       []policy.Principal
	approved  bool
}

// Found is what was found so far.
func (a *Auditor) Found() *Audited { return &a.found }

func (a *Auditor) problem(ev *recorder.Event, format string, args ...any) {
	a.found.Problems = append(a.found.Problems, fmt.Sprintf("event %d: approval %s: ", ev.Index, ev.Approval.ID)+fmt.Sprintf(format, args...))
}

// Event takes in the next event of the log. It never fails.
func (a *Auditor) Event(ev *recorder.Event) error {
	if ev.Approval == nil {
		return nil
	}
	if a.asked == nil {
		a.asked, a.keys = map[string]*audited{}, map[string]string{}
	}
	switch ev.Type {
	case recorder.ApprovalRequested:
		x := &audited{digest: ev.Approval.Digest, chain: ev.Chain}
		if ev.Principal != nil {
			x.requester = *ev.Principal
		}
		a.asked[ev.Approval.ID] = x
	case recorder.ApprovalAnswered:
		a.answered(ev)
	case recorder.ApprovalEnded:
		a.ended(ev)
	case recorder.ActionDecided, recorder.SessionOpened:
		a.ran(ev)
	}
	return nil
}

func (a *Auditor) answered(ev *recorder.Event) {
	if err := VerifyEvent(ev); err != nil {
		a.problem(ev, "%v", err)
		return
	}
	who := *ev.Principal
	if owner, ok := a.keys[string(ev.Approval.Key)]; ok && owner != who.ID {
		a.problem(ev, "%s answers with a key that was %s's", who.Name, owner)
	}
	a.keys[string(ev.Approval.Key)] = who.ID
	a.found.Answers++
	if ev.Approval.Via == ViaPage {
		a.found.OnPage++
	}
	x := a.asked[ev.Approval.ID]
	switch {
	case x == nil:
		a.problem(ev, "it was answered and never asked for")
		return
	case x.digest != ev.Approval.Digest:
		a.problem(ev, "the answer of %s is for something else than what was asked for", who.Name)
	case involved(&Approval{Request: Request{Principal: x.requester, Chain: x.chain}}, &who):
		a.problem(ev, "%s answers for themselves", who.Name)
	case slices.ContainsFunc(x.yes, func(p policy.Principal) bool { return same(&p, &who) }):
		a.problem(ev, "%s approves twice", who.Name)
	}
	if ev.Approval.Decision == Approve {
		x.yes = append(x.yes, who)
	}
}

func (a *Auditor) ended(ev *recorder.Event) {
	if ev.Approval.State != Approved {
		return
	}
	x := a.asked[ev.Approval.ID]
	if x == nil || len(x.yes) == 0 {
		a.problem(ev, "it ended as approved, and nobody signed that")
		return
	}
	if len(ev.Approval.Approvers) != len(x.yes) {
		a.problem(ev, "it names %d approvers, and %d signed", len(ev.Approval.Approvers), len(x.yes))
	}
	x.approved = true
	a.found.Approvals++
}

// ran checks what went on with an approval. Nothing is asked of a grant without
// one: the glass was broken, which has an event of its own.
func (a *Auditor) ran(ev *recorder.Event) {
	if ev.Outcome == "denied" || ev.Approval.State != Approved {
		return
	}
	a.found.Actions++
	if x := a.asked[ev.Approval.ID]; x == nil || !x.approved {
		a.problem(ev, "something went on with it before it was approved")
	}
}
