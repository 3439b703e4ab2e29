package approval

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hoop/policy"
	"hoop/recorder"
)

// Each end of an approval wakes who waits, and is in the log with who, when and
// why.
func TestEnds(t *testing.T) {
	w := newWorld(t, spec())
	bob := who("bob", "approver")

	h := w.hold(request("delete 1"))
	if err := w.answer(h.Approval, bob, Answer{Decision: Approve, Comment: "as agreed"}); err != nil {
		t.Fatal(err)
	}
	p, err := h.wait()
	if err != nil || !slices.Equal(p.Approvers, []string{"bob"}) || p.Approval != h.ID {
		t.Errorf("approved: %+v, %v", p, err)
	}

	h = w.hold(request("delete 2"))
	if err := w.answer(h.Approval, bob, no); err != nil {
		t.Fatal(err)
	}
	var r *RefusedError
	if _, err := h.wait(); !errors.As(err, &r) || r.State != Denied || r.By != "bob" || r.Comment != "no" {
		t.Errorf("denied: %v", err)
	}

	h = w.hold(request("delete 3"))
	gone := errors.New("the client left")
	h.leave(gone)
	if _, err := h.wait(); !refusedAs(err, Cancelled) || !errors.Is(err, gone) {
		t.Errorf("cancelled: %v", err)
	}
	if err := w.answer(h.Approval, bob, yes); err == nil {
		t.Error("an approval that nobody waits for was answered")
	}

	short := spec()
	short.Expires = "50ms"
	w.rule(short)
	h = w.hold(request("delete 4"))
	if _, err := h.wait(); !refusedAs(err, Expired) {
		t.Errorf("expired: %v", err)
	}

	var states []string
	for _, ev := range w.events(recorder.ApprovalEnded) {
		states = append(states, ev.Approval.State)
		if ev.Principal.Name != "alice" || ev.Connection != "prod" || ev.Approval.Digest == "" || ev.Time.IsZero() {
			t.Errorf("an end lacks something: %+v", ev)
		}
	}
	if want := []string{Approved, Denied, Cancelled, Expired}; !slices.Equal(states, want) {
		t.Errorf("the log has %v, want %v", states, want)
	}
	if n := len(w.events(recorder.ApprovalRequested)); n != 4 {
		t.Errorf("the log has %d requests", n)
	}
}

// A quorum is of distinct people, and counts only who may still answer.
func TestQuorum(t *testing.T) {
	two := policy.ApprovalSpec{Groups: []string{"approver", "dba"}, Quorum: 2}
	w := newWorld(t, two)
	bob, carol, dave := who("bob", "approver"), who("carol", "dba"), who("dave", "approver")
	h := w.hold(request("delete"))
	if err := w.answer(h.Approval, bob, yes); err != nil {
		t.Fatal(err)
	}
	a, err := w.desk.Get(t.Context(), h.ID)
	if err != nil || a.State != Pending || len(a.Answers) != 1 {
		t.Fatalf("after one of two answers: %+v, %v", a, err)
	}
	again := who("bob", "approver") // on another machine, with another key
	if err := w.answer(h.Approval, again, yes); !isForbidden(err) {
		t.Errorf("bob answered twice: %v", err)
	}
	// The group that let bob answer is taken out of the rule: his answer is void.
	w.rule(policy.ApprovalSpec{Groups: []string{"dba"}, Names: []string{"dave"}, Quorum: 2})
	if err := w.answer(h.Approval, carol, yes); err != nil {
		t.Fatal(err)
	}
	if a, _ := w.desk.Get(t.Context(), h.ID); a.State != Pending {
		t.Fatalf("an answer counted of somebody who may not give it any more: %s", a.State)
	}
	if err := w.answer(h.Approval, dave, yes); err != nil {
		t.Fatal(err)
	}
	if _, err := h.wait(); err != nil {
		t.Error(err)
	}
}

// What is pending when the broker is killed is cancelled at its next start,
// which is recorded; answers and grants stay.
func TestBrokerKilled(t *testing.T) {
	w := newWorld(t, spec())
	bob := who("bob", "approver")
	h := w.hold(request("delete 1"))
	if err := w.answer(h.Approval, bob, Answer{Decision: Approve, ForSec: 600}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.wait(); err != nil {
		t.Fatal(err)
	}
	waits := w.hold(request("delete 2"))
	w.crash()
	w.open()
	a, err := w.desk.Get(t.Context(), waits.ID)
	if err != nil || a.State != Cancelled || !strings.Contains(a.Why, "restarted") {
		t.Errorf("what was pending is %+v, %v", a, err)
	}
	if err := w.answer(waits.Approval, bob, yes); err == nil {
		t.Error("it can be answered still")
	}
	if a, err := w.desk.Get(t.Context(), h.ID); err != nil || len(a.Answers) != 1 || a.Answers[0].verify(a.ID, a.Signs) != nil {
		t.Errorf("the answer did not stay, or does not verify: %+v, %v", a, err)
	}
	if p := w.desk.covered(request("delete 1")); p == nil || p.Approvers[0] != "bob" {
		t.Error("the grant did not stay")
	}
	last := w.events(recorder.ApprovalEnded)
	if ev := last[len(last)-1]; ev.Approval.ID != waits.ID || ev.Approval.State != Cancelled {
		t.Errorf("the log ends with %+v", ev.Approval)
	}
}

// Two approvers at once: exactly one answer settles it, whatever they say.
func TestAnswersRace(t *testing.T) {
	w := newWorld(t, spec())
	for range 20 {
		h := w.hold(request("delete"))
		const many = 8
		var wg sync.WaitGroup
		errs := make([]error, many)
		for i := range many {
			by := who("approver"+string(rune('a'+i)), "approver")
			said := yes
			if i%2 == 1 {
				said = no
			}
			wg.Go(func() { errs[i] = w.answer(h.Approval, by, said) })
		}
		wg.Wait()
		won := -1
		for i, err := range errs {
			var late *EndedError
			if err == nil && won < 0 {
				won = i
			} else if !errors.As(err, &late) {
				t.Fatalf("answer %d: %v, and %d settled it too", i, err, won)
			}
		}
		_, err := h.wait()
		if (won%2 == 0) != (err == nil) {
			t.Fatalf("answer %d won and who waited got %v", won, err)
		}
		if a, _ := w.desk.Get(t.Context(), h.ID); len(a.Answers) != 1 {
			t.Fatalf("%d answers count", len(a.Answers))
		}
	}
}

// Who answers the moment that an approval can be seen does not come before its
// own record: the log has them in order, and the store what was answered.
func TestAnsweredAtOnce(t *testing.T) {
	w := newWorld(t, spec())
	bob := who("bob", "approver")
	ctx, stop := context.WithCancel(t.Context())
	var eager sync.WaitGroup
	eager.Go(func() {
		for ctx.Err() == nil {
			for _, a := range w.desk.waiting() {
				_ = w.answer(&a, bob, yes)
			}
		}
	})
	for range 20 {
		if _, err := w.desk.Await(t.Context(), request("delete"), func(ctx context.Context, _ *Approval) error { <-ctx.Done(); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	eager.Wait()
	if all, err := w.desk.List(t.Context(), Approved); err != nil || len(all) != 20 {
		t.Errorf("%d are kept as approved: %v", len(all), err)
	}
	if got := audit(w, func(*recorder.Event) {}); len(got.Problems) > 0 || got.Approvals != 20 {
		t.Errorf("the log tells of %+v", got)
	}
}

// A broken audit log or store settles nothing and lets nothing through.
func TestNothingWithoutARecord(t *testing.T) {
	w := newWorld(t, spec())
	h := w.hold(request("delete"))
	if err := w.log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.answer(h.Approval, who("bob", "approver"), yes); err == nil {
		t.Error("an answer counted that is not recorded")
	}
	h.leave(errors.New("enough"))
	if p, err := h.wait(); err == nil {
		t.Errorf("let through: %+v", p)
	}
	if _, err := w.desk.Open(t.Context(), request("delete")); err == nil {
		t.Error("an approval was opened that is not recorded")
	}
}

func TestWatch(t *testing.T) {
	w := newWorld(t, spec())
	watch := w.desk.Watch()
	defer watch.Close()
	h := w.hold(request("delete"))
	if err := w.answer(h.Approval, who("bob", "approver"), yes); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{Opened, Ended} {
		select {
		case ev := <-watch.C:
			if ev.What != want || ev.Approval.ID != h.ID {
				t.Errorf("got %s of %s, want %s", ev.What, ev.Approval.ID, want)
			}
		case <-time.After(soon):
			t.Fatalf("no event %s", want)
		}
	}
}
