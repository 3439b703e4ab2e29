package approval

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hoop/policy"
	"hoop/recorder"
)

// A grant is for the same bytes by the same chain on the same connection, in
// any session; a different one asks again.
func TestGrantIsExact(t *testing.T) {
	w := newWorld(t, spec())
	q := request("delete from orders where id = $1")
	q.Params = []recorder.Param{{Value: "5", OID: 23}}
	h := w.hold(q)
	if err := w.answer(h.Approval, who("bob", "approver"), Answer{Decision: Approve, ForSec: 1800}); err != nil {
		t.Fatal(err)
	}
	if p, err := h.wait(); err != nil || p.Grant == "" {
		t.Fatalf("got %+v, %v", p, err)
	}
	same := *q
	same.Session = "s2"
	if p := w.desk.covered(&same); p == nil || p.Approval != h.ID || !p.Covered {
		t.Error("the same again is not covered")
	}
	mallory := policy.Actor{ID: "agent|m", Name: "m", Kind: policy.Agent}
	for what, change := range map[string]func(*Request){
		"text":        func(q *Request) { q.Text += " " },
		"parameter":   func(q *Request) { q.Params = []recorder.Param{{Value: "6", OID: 23}} },
		"type":        func(q *Request) { q.Params = []recorder.Param{{Value: "5", OID: 25}} },
		"null":        func(q *Request) { q.Params = []recorder.Param{{Value: "5", OID: 23, Null: true}} },
		"exact bytes": func(q *Request) { q.Exact = []byte("other") },
		"verb":        func(q *Request) { q.Verb = "sql.select" },
		"connection":  func(q *Request) { q.Connection = "prod-2" },
		"principal":   func(q *Request) { q.Principal = person("eve") },
		"chain":       func(q *Request) { q.Chain = append(slices.Clone(q.Chain), mallory) },
		"search_path": func(q *Request) { q.Settings = []string{"role=app", "search_path=evil"} },
		"object":      func(q *Request) { q.Objects = []string{"relation public.orders (oid 2)"} },
		"label":       func(q *Request) { q.Labels = []string{"pii.ssn"} },
	} {
		other := same
		change(&other)
		if w.desk.covered(&other) != nil {
			t.Errorf("another %s is covered", what)
		}
	}
	// Under another policy the grant is worth what its approver's word is.
	w.rule(policy.ApprovalSpec{Groups: []string{"dba"}})
	if w.desk.covered(&same) != nil {
		t.Error("covered by somebody who may not approve any more")
	}
}

func TestGrantEnds(t *testing.T) {
	w := newWorld(t, spec())
	bob := who("bob", "approver")
	q := request("")
	q.Kind, q.Verb, q.Session, q.ForSec = KindSession, "session.open", "", 3600
	a, err := w.desk.Open(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	// The approver may give less than was asked for.
	if err := w.answer(a, bob, Answer{Decision: Approve, ForSec: 600}); err != nil {
		t.Fatal(err)
	}
	g := w.desk.Grants()[0]
	if got := g.Expires.Sub(g.Created); got != 10*time.Minute {
		t.Errorf("it lasts %s", got)
	}
	open := *q
	open.Session, open.ForSec, open.Text = "s9", 0, "anydb"
	if p := w.desk.covered(&open); p == nil || p.Grant != g.ID {
		t.Fatal("it does not open the connection")
	}
	if err := w.desk.Revoke(t.Context(), g.ID, "bob"); err != nil {
		t.Fatal(err)
	}
	if w.desk.covered(&open) != nil || w.desk.Counts(g.ID) {
		t.Error("it counts still")
	}
	w.mu.Lock()
	ended := slices.Clone(w.ended)
	w.mu.Unlock()
	if !slices.Equal(ended, []string{g.ID}) {
		t.Errorf("those under it were told %v", ended)
	}
	if evs := w.events(recorder.GrantEnded); len(evs) != 1 || !strings.Contains(evs[0].Reason, "bob revoked") {
		t.Errorf("the log has %+v", evs)
	}
	w.crash()
	w.open()
	if w.desk.Counts(g.ID) {
		t.Error("a revoked grant came back with the broker")
	}
}

func TestGrantExpires(t *testing.T) {
	w := newWorld(t, spec())
	h := w.hold(request("delete"))
	if err := w.answer(h.Approval, who("bob", "approver"), Answer{Decision: Approve, ForSec: 1}); err != nil {
		t.Fatal(err)
	}
	p, err := h.wait()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the grant ends", func() bool { return !w.desk.Counts(p.Grant) && len(w.events(recorder.GrantEnded)) == 1 })
	if w.desk.covered(request("delete")) != nil {
		t.Error("it covers still")
	}
}

// Breaking the glass is for whom the rule names, with a reason, never silent.
func TestBreakGlass(t *testing.T) {
	s := spec()
	s.BreakGlass = []string{"oncall"}
	w := newWorld(t, s)
	watch := w.desk.Watch()
	defer watch.Close()
	ask := func(p policy.Principal, reason string) error {
		q := request("")
		q.Kind, q.Verb, q.Session, q.Principal, q.Chain, q.Reason = KindSession, "session.open", "", p, chainOf(p), reason
		_, err := w.desk.BreakGlass(t.Context(), q, time.Hour)
		return err
	}
	if err := ask(person("alice", "engineer"), "fire"); !isForbidden(err) {
		t.Errorf("who is not on call: %v", err)
	}
	if err := ask(person("olga", "oncall"), "  "); err != ErrReason {
		t.Errorf("without a reason: %v", err)
	}
	if err := ask(person("olga", "oncall"), "fire"); err != nil {
		t.Fatal(err)
	}
	if ev := <-watch.C; ev.What != Glass || ev.Grant.Reason != "fire" {
		t.Errorf("announced %+v", ev)
	}
	if evs := w.events(recorder.BreakGlass); len(evs) != 1 || evs[0].Approval.Reason != "fire" || evs[0].Principal.Name != "olga" {
		t.Errorf("the log has %+v", evs)
	}
	q := request("delete from orders")
	q.Principal = person("olga", "oncall")
	q.Chain = chainOf(q.Principal)
	if p := w.desk.covered(q); p == nil || !p.BreakGlass {
		t.Error("it does not let her go on")
	}
	q.Principal.Groups = nil // off call since
	if w.desk.covered(q) != nil {
		t.Error("it lets her go on when she is not on call any more")
	}
}
