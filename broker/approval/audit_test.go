package approval

import (
	"strings"
	"testing"

	"hoop/policy"
	"hoop/recorder"
)

// audit runs the events of a world's log, changed, through an Auditor.
func audit(w *world, change func(*recorder.Event)) *Audited {
	w.t.Helper()
	var a Auditor
	for _, ev := range w.events(recorder.ApprovalRequested, recorder.ApprovalAnswered, recorder.ApprovalEnded, recorder.ActionDecided) {
		if ev.Approval != nil {
			copied := *ev.Approval
			ev.Approval = &copied
		}
		change(&ev)
		if ev.Type != "" {
			_ = a.Event(&ev)
		}
	}
	return a.Found()
}

// The log alone shows that an answer was changed, taken away, given by who
// asked, or that something ran which nobody approved.
func TestAuditor(t *testing.T) {
	w := newWorld(t, policy.ApprovalSpec{Groups: []string{"approver"}, Quorum: 2})
	h := w.hold(request("delete"))
	for _, name := range []string{"bob", "carol"} {
		if err := w.answer(h.Approval, who(name, "approver"), Answer{Decision: Approve, Comment: "as agreed"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.wait(); err != nil {
		t.Fatal(err)
	}
	alice := person("alice")
	ran := &recorder.Event{Type: recorder.ActionDecided, Principal: &alice, Approval: &recorder.Approval{ID: h.ID, State: Approved}}
	if err := w.log.Append(ran, recorder.Synced); err != nil {
		t.Fatal(err)
	}
	if got := audit(w, func(*recorder.Event) {}); len(got.Problems) > 0 || got.Answers != 2 || got.Approvals != 1 || got.Actions != 1 {
		t.Fatalf("an honest log: %+v", got)
	}
	only := func(t recorder.Type, change func(*recorder.Event)) func(*recorder.Event) {
		return func(ev *recorder.Event) {
			if ev.Type == t {
				change(ev)
			}
		}
	}
	drop := func(ev *recorder.Event) { ev.Type = "" }
	for _, tampered := range []struct {
		says   string
		change func(*recorder.Event)
	}{
		{"does not fit", only(recorder.ApprovalAnswered, func(ev *recorder.Event) { ev.Approval.Comment = "no" })},
		{"nobody signed", only(recorder.ApprovalAnswered, drop)},
		{"never asked for", only(recorder.ApprovalRequested, drop)},
		{"before it was approved", only(recorder.ApprovalEnded, drop)},
		{"something else", only(recorder.ApprovalRequested, func(ev *recorder.Event) { ev.Approval.Digest = strings.Repeat("0", 64) })},
		{"answers for themselves", only(recorder.ApprovalRequested, func(ev *recorder.Event) { p := person("bob"); ev.Principal = &p })},
		{"names 1 approvers, and 2 signed", only(recorder.ApprovalEnded, func(ev *recorder.Event) { ev.Approval.Approvers = ev.Approval.Approvers[:1] })},
		{"before it was approved", only(recorder.ActionDecided, func(ev *recorder.Event) { ev.Approval.ID = "other" })},
	} {
		if got := audit(w, tampered.change); !strings.Contains(strings.Join(got.Problems, "\n"), tampered.says) {
			t.Errorf("%s: found %q", tampered.says, got.Problems)
		}
	}
}
