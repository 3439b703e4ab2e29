package approval

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"hoop/policy"
	"hoop/recorder"
)

// Whoever asks, or has a part in the asking, does not answer: not alice for
// herself, not as an administrator, not under a second identity with the same
// address, not through an agent, and not the person whom an agent acts for.
func TestNobodyAnswersForThemselves(t *testing.T) {
	w := newWorld(t, spec())
	q := request("delete")
	q.Principal = person("carol", "engineer")
	q.Chain = policy.Chain{{ID: "test|carol", Name: "carol", Kind: policy.Person}, {ID: "agent|claude", Name: "claude", Kind: policy.Agent},
		{ID: "test|deputy", Name: "deputy", Kind: policy.Person}}
	h := w.hold(q)
	admin := who("carol", "approver", "admin", "engineer")
	second := who("other", "approver")
	second.Principal.ID, second.Principal.Email = "elsewhere|17", "CAROL@example.com"
	agent := who("claude", "approver")
	agent.Principal.ID, agent.Principal.Kind = "agent|claude", policy.Agent
	through := who("bob", "approver")
	through.Chain = append(through.Chain, policy.Actor{ID: "agent|helper", Name: "helper", Kind: policy.Agent})
	workload := who("ci", "approver")
	workload.Principal.Kind = policy.Workload
	for name, by := range map[string]*signer{"the requester as admin": admin, "a second identity": second, "an agent of the chain": agent,
		"an agent for bob": through, "a workload": workload, "a member of the chain": who("deputy", "approver"), "a stranger": who("mallory")} {
		if err := w.answer(h.Approval, by, yes); !isForbidden(err) {
			t.Errorf("%s answered: %v", name, err)
		}
		if err := w.answer(h.Approval, by, no); !isForbidden(err) {
			t.Errorf("%s denied: %v", name, err)
		}
	}
	if a, _ := w.desk.Get(t.Context(), h.ID); a.State != Pending || len(a.Answers) != 0 {
		t.Errorf("it is %s with %d answers", a.State, len(a.Answers))
	}
}

// An answer that is not signed, signed by another, signed for another approval,
// another decision, comment, time or digest, or sent twice, does not count.
func TestForgedAnswers(t *testing.T) {
	w := newWorld(t, spec())
	bob, eve := who("bob", "approver"), who("eve", "approver")
	first, second := w.hold(request("delete 1")), w.hold(request("delete 2"))
	good := bob.sign(first.Approval, yes)
	send := func(a *Approval, digest []byte, said Answer) error {
		_, err := w.desk.Answer(t.Context(), a.ID, digest, &bob.Approver, said)
		return err
	}
	with := func(change func(*Answer)) Answer {
		a := good
		change(&a)
		return a
	}
	for name, err := range map[string]error{
		"unsigned":          send(first.Approval, first.Signs, yes),
		"by another key":    send(first.Approval, first.Signs, eve.sign(first.Approval, yes)),
		"for another":       send(second.Approval, second.Signs, good),
		"another decision":  send(first.Approval, first.Signs, with(func(a *Answer) { a.Decision = Deny })),
		"another comment":   send(first.Approval, first.Signs, with(func(a *Answer) { a.Comment = "x" })),
		"a grant besides":   send(first.Approval, first.Signs, with(func(a *Answer) { a.ForSec = 60 })),
		"a cut signature":   send(first.Approval, first.Signs, with(func(a *Answer) { a.Signature = a.Signature[:63] })),
		"what is not shown": send(first.Approval, second.Signs, good),
		"no digest":         send(first.Approval, nil, good),
	} {
		if !isForbidden(err) && !errors.Is(err, ErrDigest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := send(first.Approval, first.Signs, good); err != nil {
		t.Fatal(err)
	}
	var late *EndedError
	if err := send(first.Approval, first.Signs, good); !errors.As(err, &late) {
		t.Errorf("replayed: %v", err)
	}
	// The same statement in the same session again is another approval.
	again := w.hold(request("delete 1"))
	if err := send(again.Approval, again.Signs, good); !isForbidden(err) {
		t.Errorf("replayed for the same statement: %v", err)
	}
}

// What the broker signed for a browser is no answer under own_key, nor once the
// rule says so; it does not pass for one with bob's own key, nor for carol's.
func TestOwnKey(t *testing.T) {
	s := spec()
	w := newWorld(t, s)
	bob := who("bob", "approver")
	bob.Via = ViaPage
	onPage := func(a *Approval) Answer {
		return bob.sign(a, Answer{Decision: Approve, Via: ViaPage, Approver: bob.Principal})
	}
	h := w.hold(request("delete"))
	s.OwnKey = true
	w.rule(s)
	if _, err := w.desk.Answer(t.Context(), h.ID, h.Signs, &bob.Approver, onPage(h.Approval)); !isForbidden(err) {
		t.Errorf("bob answered on the page: %v", err)
	}
	w.rule(spec())
	own := bob.Approver
	own.Via = ""
	if _, err := w.desk.Answer(t.Context(), h.ID, h.Signs, &own, onPage(h.Approval)); !isForbidden(err) {
		t.Errorf("an answer of the page passes for one with his own key: %v", err)
	}
	carol := who("carol", "approver")
	carol.Key, carol.Via = bob.Key, ViaPage
	if _, err := w.desk.Answer(t.Context(), h.ID, h.Signs, &carol.Approver, onPage(h.Approval)); !isForbidden(err) {
		t.Errorf("an answer for bob passes for carol's: %v", err)
	}
	if _, err := w.desk.Answer(t.Context(), h.ID, h.Signs, &bob.Approver, onPage(h.Approval)); err != nil {
		t.Fatal(err)
	}
	p, err := h.wait()
	if err != nil {
		t.Fatal(err)
	}
	if old := spec(); p.Satisfies(&s) || !p.Satisfies(&old) {
		t.Error("the rule in force when it runs does not count")
	}
}

// bob looks, his group is taken out of the rule, bob answers: too late.
func TestGroupRemovedInBetween(t *testing.T) {
	w := newWorld(t, spec())
	h := w.hold(request("delete"))
	bob := who("bob", "approver")
	if err := w.desk.MayAnswer(h.Approval, &bob.Approver); err != nil {
		t.Fatal(err)
	}
	w.rule(policy.ApprovalSpec{Groups: []string{"dba"}})
	if err := w.answer(h.Approval, bob, yes); !isForbidden(err) {
		t.Errorf("bob answered: %v", err)
	}
}

// What bob approved does not count any more by the time that it would run.
func TestPermitUnderAnotherPolicy(t *testing.T) {
	w := newWorld(t, spec())
	h := w.hold(request("delete"))
	if err := w.answer(h.Approval, who("bob", "approver"), yes); err != nil {
		t.Fatal(err)
	}
	p, err := h.wait()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []policy.ApprovalSpec{{Groups: []string{"dba"}}, {Groups: []string{"approver"}, Quorum: 2}} {
		if p.Satisfies(&s) {
			t.Errorf("bob alone satisfies %+v", s)
		}
	}
}

// The audit log alone proves who approved what; a changed entry does not.
func TestAnswerVerifiesFromTheLog(t *testing.T) {
	w := newWorld(t, spec())
	h := w.hold(request("delete"))
	bob := who("bob", "approver")
	if err := w.answer(h.Approval, bob, Answer{Decision: Approve, Comment: "as agreed", ForSec: 60}); err != nil {
		t.Fatal(err)
	}
	evs := w.events(recorder.ApprovalAnswered)
	if len(evs) != 1 || !bytes.Equal(evs[0].Approval.Key, bob.Key) || evs[0].Principal.Name != "bob" {
		t.Fatalf("the log has %+v", evs)
	}
	if err := VerifyEvent(&evs[0]); err != nil {
		t.Error(err)
	}
	for what, change := range map[string]func(*recorder.Approval){
		"digest":   func(a *recorder.Approval) { a.Digest = strings.Repeat("0", 64) },
		"decision": func(a *recorder.Approval) { a.Decision = Deny },
		"comment":  func(a *recorder.Approval) { a.Comment = "" },
		"time":     func(a *recorder.Approval) { a.ForSec = 61 },
		"id":       func(a *recorder.Approval) { a.ID += "x" },
		"key":      func(a *recorder.Approval) { a.Key = who("eve").Key },
	} {
		ev, a := evs[0], *evs[0].Approval
		change(&a)
		ev.Approval = &a
		if VerifyEvent(&ev) == nil {
			t.Errorf("another %s verifies", what)
		}
	}
}

// FuzzVerify: no answer verifies but the one that was signed.
func FuzzVerify(f *testing.F) {
	pub, key, _ := ed25519.GenerateKey(nil)
	const id, comment = "abcdefghij", "as agreed"
	digest := bytes.Repeat([]byte{7}, 32)
	good := Answer{Decision: Approve, Comment: comment, ForSec: 60, Key: pub}
	good.Signature = ed25519.Sign(key, good.Message(id, digest))
	f.Add(id, digest, Approve, comment, int64(60), []byte(good.Signature))
	f.Add(id, digest, Deny, comment, int64(60), []byte(good.Signature))
	f.Add("", []byte{}, "", "", int64(-1), []byte{})
	f.Fuzz(func(t *testing.T, id2 string, digest2 []byte, decision, comment2 string, lasts int64, signature []byte) {
		a := Answer{Decision: decision, Comment: comment2, ForSec: lasts, Key: pub, Signature: signature}
		same := id2 == id && bytes.Equal(digest2, digest) && decision == Approve && comment2 == comment && lasts == 60 && bytes.Equal(signature, good.Signature)
		if got := a.verify(id2, digest2) == nil; got != same {
			t.Errorf("verify says %v where %v is right", got, same)
		}
	})
}

// FuzzDigest: two requests with one digest are the same request. Moving bytes
// from one field to the next is another.
func FuzzDigest(f *testing.F) {
	f.Add("ab", "c", "d", "e")
	f.Add("a", "bc", "", "de")
	f.Fuzz(func(t *testing.T, connection, text, object, setting string) {
		a := request(text)
		a.Connection, a.Objects, a.Settings = connection, []string{object}, []string{setting}
		for _, b := range []*Request{
			{Connection: connection + text, Meaning: Meaning{Objects: []string{object}, Settings: []string{setting}}},
			{Connection: connection, Text: text, Meaning: Meaning{Objects: []string{object, setting}}},
			{Connection: connection, Text: text + object, Meaning: Meaning{Objects: []string{""}, Settings: []string{setting}}},
		} {
			b.Kind, b.Session, b.Protocol, b.Principal, b.Chain, b.Verb, b.Rule = a.Kind, a.Session, a.Protocol, a.Principal, a.Chain, a.Verb, a.Rule
			same := a.Connection == b.Connection && a.Text == b.Text && len(b.Objects) == 1 && a.Objects[0] == b.Objects[0]
			if bytes.Equal(a.Digest(), b.Digest()) != same {
				t.Errorf("%+v and %+v", a, b)
			}
		}
	})
}
