package enginetest

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"hoop/broker"
)

// testRefuse: who is turned away at the door reads why in the protocol, and a
// client that says nothing keeps nobody.
func testRefuse(t *testing.T, w *suite) {
	s := newHurriedStage(t, w, rules(), 2*time.Second)
	silent, done := s.turnAway(&broker.Denial{Message: "you are not expected"})
	defer silent.Close()
	for _, d := range []*broker.Denial{
		{Code: broker.CodeDenied, Rule: "door", Message: "the door is kept", Hint: "ring the bell"},
		{Code: broker.CodeNotFound, Message: `no such connection: "nowhere"`, Hint: "see what there is"},
		{Code: broker.CodeUnauthenticated, Message: "the login has expired", Hint: "run hoop login"},
		{Code: broker.CodeUnavailable, Message: "the broker is shutting down", Hint: "connect again in a moment"},
	} {
		client, ended := s.turnAway(d)
		ctx, cancel := contextFor(patience)
		_, err := w.Client.Connect(ctx, &Way{Dial: func(context.Context) (net.Conn, error) { return client, nil }, Told: func(string) {}})
		cancel()
		var refusal *RefusedError
		if !errors.As(err, &refusal) || !contains(refusal.Text, d.Error(), d.Hint) {
			t.Errorf("%s: the client read %v", d.Code, err)
		}
		s.returns(ended, d.Code)
		_ = client.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, client); errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: the connection stays open", d.Code)
		}
		_ = client.Close()
	}
	s.returns(done, "a silent client")
	if s.wire.conns.Load() != 0 {
		t.Error("the target was dialled")
	}
}

// turnAway has the engine refuse a client.
func (s *stage) turnAway(d *broker.Denial) (client net.Conn, ended chan error) {
	s.t.Helper()
	near, far, err := tcpPair()
	if err != nil {
		s.t.Fatal(err)
	}
	ended = make(chan error, 1)
	go func() { ended <- s.engine.Refuse(far, d) }()
	return near, ended
}

func (s *stage) returns(ended <-chan error, what string) {
	s.t.Helper()
	select {
	case <-ended:
	case <-time.After(patience):
		s.t.Errorf("%s: the refusal does not end", what)
	}
}

func contextFor(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}
