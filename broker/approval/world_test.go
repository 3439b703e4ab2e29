package approval

import (
	"context"
	"crypto/ed25519"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"hoop/broker/store"
	"hoop/policy"
	"hoop/recorder"
)

// world is a desk on a real store and a real audit log.
type world struct {
	t     testing.TB
	dir   string
	store *store.Store
	log   *recorder.Log
	desk  *Desk

	mu     sync.Mutex
	policy *policy.Policy
	ended  []string
}

// spec lets group approver answer.
func spec() policy.ApprovalSpec { return policy.ApprovalSpec{Groups: []string{"approver"}} }

func newWorld(t testing.TB, s policy.ApprovalSpec) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	w.rule(s)
	var err error
	if w.log, err = recorder.Open(filepath.Join(w.dir, "audit"), recorder.Options{}); err != nil {
		t.Fatal(err)
	}
	w.open()
	t.Cleanup(func() { w.desk.Close(); _ = w.store.Close(); _ = w.log.Close() })
	return w
}

// open starts the desk, as a broker that starts does.
func (w *world) open() {
	w.t.Helper()
	var err error
	if w.store, err = store.Open(filepath.Join(w.dir, "state"), store.Options{}); err != nil {
		w.t.Fatal(err)
	}
	w.desk, err = New(w.t.Context(), Config{State: w.store, Recorder: w.log, Policy: w.inForce, GrantEnded: func(id, _ string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended = append(w.ended, id)
	}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// crash ends the process as kill -9 would: nothing is said to anybody.
func (w *world) crash() {
	w.t.Helper()
	w.desk.mu.Lock()
	for _, p := range w.desk.pending {
		p.timer.Stop()
	}
	w.desk.mu.Unlock()
	if err := w.store.Close(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) inForce() *policy.Policy {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.policy
}

// rule puts a policy in force whose one rule asks whom spec names.
func (w *world) rule(s policy.ApprovalSpec) {
	w.t.Helper()
	p, err := policy.Compile([]policy.Document{{Rules: []policy.RuleSpec{{Name: "ask", Effect: "require_approval", Approval: &s}}}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.policy = p
}

func person(name string, groups ...string) policy.Principal {
	return policy.Principal{ID: "test|" + name, Name: name, Email: name + "@example.com", Kind: policy.Person, Groups: groups}
}

func chainOf(p policy.Principal) policy.Chain {
	return policy.Chain{{ID: p.ID, Name: p.Name, Kind: p.Kind}}
}

// request is alice's.
func request(text string) *Request {
	alice := person("alice", "engineer")
	return &Request{Kind: KindStatement, Session: "s1", Connection: "prod", Protocol: "postgres", Principal: alice, Chain: chainOf(alice),
		Verb: "sql.delete", Text: text, Rule: "ask", Meaning: Meaning{Objects: []string{"relation public.orders (oid 1)"}, Settings: []string{"role=app"}}}
}

// signer is somebody with a key.
type signer struct {
	Approver
	key ed25519.PrivateKey
}

func who(name string, groups ...string) *signer {
	pub, key, _ := ed25519.GenerateKey(nil)
	p := person(name, groups...)
	return &signer{Approver: Approver{Principal: p, Chain: chainOf(p), Key: pub}, key: key}
}

// sign gives a proper answer.
func (s *signer) sign(a *Approval, said Answer) Answer {
	said.Signature = ed25519.Sign(s.key, said.Message(a.ID, a.Signs))
	return said
}

func (w *world) answer(a *Approval, by *signer, said Answer) error {
	_, err := w.desk.Answer(w.t.Context(), a.ID, a.Signs, &by.Approver, by.sign(a, said))
	return err
}

var yes, no = Answer{Decision: Approve}, Answer{Decision: Deny, Comment: "no"}

// held is a request that waits, and how its wait ended.
type held struct {
	*Approval
	permit *Permit
	err    error
	done   chan struct{}
	leave  context.CancelCauseFunc
}

// hold asks and waits in the background.
func (w *world) hold(q *Request) *held {
	w.t.Helper()
	ctx, cancel := context.WithCancelCause(w.t.Context())
	h := &held{done: make(chan struct{}), leave: cancel}
	asked := make(chan *Approval, 1)
	go func() {
		defer close(h.done)
		h.permit, h.err = w.desk.Await(ctx, q, func(ctx context.Context, a *Approval) error {
			asked <- a
			<-ctx.Done()
			return nil
		})
	}()
	select {
	case h.Approval = <-asked:
	case <-h.done:
		w.t.Fatalf("nobody was asked: %v", h.err)
	}
	w.t.Cleanup(func() { cancel(errors.New("the test is over")); <-h.done })
	return h
}

// wait gives the end of the wait.
func (h *held) wait() (*Permit, error) {
	<-h.done
	return h.permit, h.err
}

// events reads the audit log back.
func (w *world) events(types ...recorder.Type) []recorder.Event {
	w.t.Helper()
	var out []recorder.Event
	err := recorder.Scan(filepath.Join(w.dir, "audit"), 0, func(ev *recorder.Event) error {
		for _, t := range types {
			if ev.Type == t {
				out = append(out, *ev)
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func refusedAs(err error, state string) bool {
	var r *RefusedError
	return errors.As(err, &r) && r.State == state
}

func isForbidden(err error) bool {
	var f *ForbiddenError
	return errors.As(err, &f)
}

const soon = 10 * time.Second

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(soon); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}
