package cli

import (
	"context"
	"crypto/ed25519"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hoop/broker/api"
	"hoop/recorder"
)

// client is a person's own, as the command line makes it, with another signer.
func apiClient(t *testing.T, env []string, sign func(own func(context.Context, []byte) ([]byte, error), message []byte) ([]byte, error)) *api.Client {
	t.Helper()
	a := &App{Getenv: func(name string) string {
		for _, e := range env {
			if value, ok := strings.CutPrefix(e, name+"="); ok {
				return value
			}
		}
		return ""
	}}
	c, err := a.client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	own := c.Sign
	c.Sign = func(_ context.Context, message []byte) ([]byte, error) { return sign(own, message) }
	return c
}

// swap makes the table orders another one while a DELETE from it waits.
const swap = "BEGIN; ALTER TABLE orders RENAME TO gone; CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 10); ALTER TABLE orders OWNER TO app; COMMIT"

// Everything that ann, who asks, and bob and carol, who may answer, can try to
// have something run that nobody approved, or approved by who may not: each is
// refused, told why, and on record; the honest way works in between.
func TestAttacksOnApprovals(t *testing.T) {
	t.Parallel()
	s := newShopWithOrders(t, "5m")
	hoopIn(t, clientEnv(s.dir), bobsPassword, "issuer", "user", "add", "carol", "--group", "approver", "--email", "carol@example.com", "--config", s.config()).must(t, 0)
	carol := filepath.Join(t.TempDir(), "carol")
	signInTo(t, carol, s.url(), s.ca(), "carol", bobsPassword)
	deny := func(p *process, id string) {
		t.Helper()
		hoop(t, s.bobEnv, "deny", id, "--reason", "no").must(t, 0)
		p.wait()
	}
	refused := func(what string, r ran, says string) {
		t.Helper()
		if r.code == 0 || !strings.Contains(r.stderr, says) {
			t.Errorf("%s: %d %s", what, r.code, r.stderr)
		}
	}

	// Ann answers for herself, as she is and as an administrator: her group is
	// one of those that may answer.
	p, id := s.psql(), s.waiting()
	refused("ann for herself", hoop(t, s.annEnv, "approve", id), "you are in the chain that asks")
	s.policy("groups: [approver, engineer]")
	refused("ann as an administrator", hoop(t, s.annEnv, "approve", id), "you are in the chain that asks")
	s.policy("groups: [approver]")

	// Answers that bob's own key did not sign, or signed for something else.
	for what, sign := range map[string]func(func(context.Context, []byte) ([]byte, error), []byte) ([]byte, error){
		"unsigned": func(func(context.Context, []byte) ([]byte, error), []byte) ([]byte, error) { return nil, nil },
		"forged": func(_ func(context.Context, []byte) ([]byte, error), m []byte) ([]byte, error) {
			_, key, _ := ed25519.GenerateKey(nil)
			return ed25519.Sign(key, m), nil
		},
		"for something else": func(own func(context.Context, []byte) ([]byte, error), m []byte) ([]byte, error) {
			return own(t.Context(), append(m, 'x'))
		},
	} {
		c := apiClient(t, s.bobEnv, sign)
		x, err := c.Approval(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Answer(t.Context(), x, "approve", "", 0); err == nil || !strings.Contains(err.Error(), "the signature does not fit") {
			t.Errorf("%s: %v", what, err)
		}
		// And a broker that shows one thing and has another signed.
		x.Text += " "
		if _, err := c.Answer(t.Context(), x, "approve", "", 0); err == nil || !strings.Contains(err.Error(), "is not what it asks to sign") {
			t.Errorf("%s, shown something else: %v", what, err)
		}
	}
	refused("another hash", hoop(t, s.bobEnv, "approve", id, "--if-hash", strings.Repeat("0", 64)), "not the one given")

	// Bob's groups are taken out of the rule between his look and his answer.
	hoop(t, s.bobEnv, "approvals", "show", id).must(t, 0)
	s.policy("groups: [dba]")
	if r := hoop(t, s.bobEnv, "approve", id); r.code == 0 {
		t.Errorf("bob, whose group was removed: %+v", r)
	}
	s.policy("groups: [approver]")
	s.expects("nothing was approved", 10, 0)

	// He denies it for now; and his signature for one approval is worth nothing
	// for the next one of the very same statement.
	var kept []byte
	c := apiClient(t, s.bobEnv, func(own func(context.Context, []byte) ([]byte, error), m []byte) (_ []byte, err error) {
		if kept == nil {
			kept, err = own(t.Context(), m)
		}
		return kept, err
	})
	answer := func(decision string) error {
		x, err := c.Approval(t.Context(), id)
		if err == nil {
			_, err = c.Answer(t.Context(), x, decision, "no", 0)
		}
		return err
	}
	if err := answer("deny"); err != nil {
		t.Fatal(err)
	}
	p.wait()
	p, id = s.psql(), s.waiting()
	if err := answer("deny"); err == nil || !strings.Contains(err.Error(), "the signature does not fit") {
		t.Errorf("a replayed answer: %v", err)
	}
	deny(p, id)

	// Approve A, run B: the table is swapped by rename while it waits.
	p, id = s.psql(), s.waiting()
	s.superuser(s.database, swap)
	hoop(t, s.bobEnv, "approve", id).must(t, 0)
	if code := p.wait(); code != 1 || !strings.Contains(p.err.String(), "what was approved is not what would run now") {
		t.Errorf("swapped: %d %s", code, p.err.String())
	}
	if n := s.superuser(s.database, "SELECT count(*) FROM orders"); n != "10" {
		t.Errorf("swapped: %s orders are left", n)
	}
	s.superuser(s.database, "DROP TABLE orders; ALTER TABLE gone RENAME TO orders")

	// A grant for one statement, and then one with another byte.
	p = s.client("psql", "-X", "-c", "DELETE FROM orders WHERE id = 100")
	hoop(t, s.bobEnv, "approve", s.waiting(), "--for", "10m").must(t, 0)
	p.wait()
	for _, other := range []string{"DELETE FROM orders WHERE id = 10", "DELETE  FROM orders WHERE id = 100", "SET search_path = public, pg_temp; DELETE FROM orders WHERE id = 100"} {
		p = s.client("psql", "-X", "-c", other)
		deny(p, s.waiting())
		if !strings.Contains(p.err.String(), "denied approval") {
			t.Errorf("%s ran under the grant for another: %s", other, p.err.String())
		}
	}

	// Escape sequences and direction characters in the statement.
	p = s.client("psql", "-X", "-c", "DELETE FROM orders WHERE id = 7 /* \x1b[2J\x1b]0;x\x07\u202e\u2066 */")
	id = s.waiting()
	for _, args := range [][]string{{"approvals", "show", id}, {"approvals", "list"}} {
		if out := hoop(t, s.bobEnv, args...).must(t, 0).stdout; strings.ContainsAny(out, "\x1b\x07\u202e\u2066") || !strings.Contains(out, `\u202e`) {
			t.Errorf("%v shows %q", args, out)
		}
	}
	deny(p, id)
	s.expects("only what was granted ran, once", 10, 1)

	// Bob approves while carol denies: one of them settles it.
	for range 5 {
		s.race(clientEnv(carol))
	}
	hoop(t, s.annEnv, "audit", "verify", "--config", s.config()).must(t, 0)
}

// policy says who may answer.
func (s *shopWithOrders) policy(who string) {
	s.t.Helper()
	s.writeShop(s.t, strings.Replace(s.shop, "groups: [approver], expires", who+", expires", 1))
	s.reload(s.t, "configuration reloaded")
}

// race lets two approvers answer at once.
func (s *shopWithOrders) race(carol []string) {
	s.t.Helper()
	s.refill()
	p, id := s.psql(), s.waiting()
	var yes, no ran
	var both sync.WaitGroup
	both.Go(func() { yes = hoop(s.t, s.bobEnv, "approve", id) })
	both.Go(func() { no = hoop(s.t, carol, "deny", id, "--reason", "no") })
	both.Wait()
	code := p.wait()
	late := yes
	if yes.code == 0 {
		late = no
	}
	if (yes.code == 0) == (no.code == 0) || !strings.Contains(late.stderr, "already") || (yes.code == 0) != (code == 0) {
		s.t.Errorf("bob got %+v, carol %+v, ann %d", yes, no, code)
	}
	if code == 0 {
		s.expects("bob was first", 0, 1)
	} else {
		s.expects("carol was first", 10, 0)
	}
	ends := 0
	err := recorder.Scan(filepath.Join(s.dir, "data/audit"), 0, func(ev *recorder.Event) error {
		if ev.Type == recorder.ApprovalEnded && ev.Approval.ID == id {
			ends++
		}
		return nil
	})
	if err != nil || ends != 1 {
		s.t.Errorf("it ended %d times: %v", ends, err)
	}
}
