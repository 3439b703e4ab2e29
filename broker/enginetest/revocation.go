package enginetest

import (
	"context"
	"errors"
	"testing"

	"hoop/broker"
)

// testRevocation: what ends a session ends it at once, whatever it is doing,
// and its client reads why.
func testRevocation(t *testing.T, w *suite) {
	for _, how := range []struct {
		name, words string
		end         func(s *stage, login context.CancelCauseFunc)
	}{
		{"ended", "go home, alice", func(s *stage, _ context.CancelCauseFunc) { s.broker.End(s.broker.Live()[0].ID, "go home, alice") }},
		{"login ended", "your login was revoked", func(_ *stage, login context.CancelCauseFunc) { login(errors.New("your login was revoked")) }},
		{"connection removed", "no longer registered", func(s *stage, _ context.CancelCauseFunc) { s.broker.Reload(&broker.State{Policy: s.broker.Policy()}) }},
		{"drained", "shutting down", func(s *stage, _ context.CancelCauseFunc) {
			over, cancel := context.WithCancel(context.Background())
			cancel()
			s.broker.Drain(over)
		}},
	} {
		t.Run(how.name, func(t *testing.T) {
			s := newStage(t, w, rules())
			k, login := s.sitFor()
			k.works()
			how.end(s, login)
			k.ends(how.words)
		})
		t.Run(how.name+" at work", func(t *testing.T) {
			s := newStage(t, w, rules())
			k, login := s.sitFor()
			mark := newMark("fine")
			ended := k.begun(context.Background(), w.Actions.Wait(mark), mark)
			how.end(s, login)
			k.interrupted(ended, how.words)
		})
	}
	t.Run("others live", func(t *testing.T) { testOthersLive(t, w) })
	t.Run("while the client does not read", func(t *testing.T) { testRevokedUnread(t, w) })
	t.Run("no new ones while draining", func(t *testing.T) {
		s := newStage(t, w, rules())
		s.broker.Drain(t.Context())
		if _, text := s.refused(); !contains(text, "shutting down") {
			t.Errorf("the client read %q", text)
		}
	})
}

// sitFor connects alice for as long as a login lasts.
func (s *stage) sitFor() (*seat, context.CancelCauseFunc) {
	s.t.Helper()
	login, end := context.WithCancelCause(context.Background())
	s.t.Cleanup(func() { end(nil) })
	who := alice()
	who.Ended = login
	k, err := s.connect(s.t.Context(), who)
	if err != nil {
		s.t.Fatal(err)
	}
	return k, end
}

// ends wants the session to be over, and its client to read why.
func (k *seat) ends(words string) {
	k.stage.t.Helper()
	_ = k.left()
	ctx, cancel := contextFor(patience)
	defer cancel()
	if err := k.client.Ended(ctx); err == nil || !k.stage.world.DumbAtRest && !contains(err.Error(), words) {
		k.stage.t.Errorf("the client read %v, want %q in it", err, words)
	}
}

// interrupted wants the session to be over, and who waits for the answer of an
// action to read why it will not come.
func (k *seat) interrupted(ended <-chan error, words string) {
	k.stage.t.Helper()
	_ = k.left()
	if err := <-ended; err == nil {
		k.stage.t.Error("the action came to an end of its own")
	}
	if contains(k.told.String(), words) {
		return
	}
	ctx, cancel := contextFor(patience)
	defer cancel()
	if err := k.client.Ended(ctx); err == nil || !contains(err.Error(), words) {
		k.stage.t.Errorf("the client read %q, then %v: want %q in it", k.told.String(), err, words)
	}
}

// testOthersLive: what ends one session ends no other.
func testOthersLive(t *testing.T, w *suite) {
	s := newStage(t, w, rules())
	k := s.sit()
	id := s.broker.Live()[0].ID
	other := s.sit()
	mark := newMark("fine")
	ended := k.begun(context.Background(), w.Actions.Wait(mark), mark)
	s.broker.End(id, "go home, alice")
	k.interrupted(ended, "go home, alice")
	other.works()
}

// testRevokedUnread: a client that reads nothing cannot keep its session.
func testRevokedUnread(t *testing.T, w *suite) {
	s := newStage(t, w, rules())
	k := s.sit()
	k.floods()
	s.broker.End(s.broker.Live()[0].ID, "go home, alice")
	_ = k.left()
	k.first.stall.Unlock()
}
