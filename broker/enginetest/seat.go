package enginetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"hoop/broker"
	"hoop/policy"
)

// seat is one client in front of the broker.
type seat struct {
	stage  *stage
	client Client
	lines  chan *line // one for each connection it made
	first  *line
	told   transcript
}

// line is one network connection of a client, as the client holds it.
type line struct {
	net.Conn
	served chan error // what Serve gave, once it ended
	said   transcript // by the client
	heard  *transcript
	stall  sync.RWMutex // held to keep the client from reading
}

func (l *line) Read(b []byte) (int, error) {
	l.stall.RLock()
	defer l.stall.RUnlock()
	n, err := l.Conn.Read(b)
	_, _ = l.heard.Write(b[:n])
	return n, err
}

func (l *line) Write(b []byte) (int, error) {
	_, _ = l.said.Write(b)
	return l.Conn.Write(b)
}

// CloseWrite says that the client has nothing more to say.
func (l *line) CloseWrite() error { return l.Conn.(*net.TCPConn).CloseWrite() }

// wait gives what Serve gave.
func (l *line) wait() (error, bool) {
	select {
	case err := <-l.served:
		l.served <- err
		return err, true
	case <-time.After(patience):
		return nil, false
	}
}

// alice is a person who acts through an agent that acts through a workload.
func alice() *broker.Caller {
	return &broker.Caller{
		Principal: &policy.Principal{ID: "test|alice", Name: "alice", Email: "alice@example.com", Kind: policy.Person, Groups: []string{"approver"}},
		Chain: policy.Chain{{ID: "test|alice", Name: "alice", Kind: policy.Person}, {ID: "test|claude", Name: "claude", Kind: policy.Agent},
			{ID: "test|migrator", Name: "migrator", Kind: policy.Workload}},
		Client: "192.0.2.7:4711", Binding: "exporter",
	}
}

// dial opens a line to the broker, served as who.
func (s *stage) dial(who *broker.Caller) (*line, error) {
	near, far, err := tcpPair()
	if err != nil {
		return nil, err
	}
	l := &line{Conn: near, served: make(chan error, 1), heard: &s.seen}
	s.serves.Go(func() { l.served <- s.broker.Serve(context.Background(), far, who, s.conn) })
	return l, nil
}

// connect makes a client, as who; the seat is there also where that failed.
func (s *stage) connect(ctx context.Context, who *broker.Caller) (*seat, error) {
	k := &seat{stage: s, lines: make(chan *line, 64)}
	var err error
	k.client, err = s.world.Client.Connect(ctx, &Way{Dial: func(context.Context) (net.Conn, error) {
		l, err := s.dial(who)
		if err != nil {
			return nil, err
		}
		k.lines <- l
		return l, nil
	}, Told: k.hear})
	select {
	case k.first = <-k.lines:
	default:
		return nil, fmt.Errorf("the client never dialled: %w", err)
	}
	if err != nil {
		k.hear(err.Error())
		return k, err
	}
	s.t.Cleanup(func() { _ = k.client.Close() }) // before the stage's own: cleanups run backwards
	return k, nil
}

// sit connects alice, who must get in.
func (s *stage) sit() *seat {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	k, err := s.connect(ctx, alice())
	if err != nil {
		s.t.Fatalf("connect: %v", err)
	}
	return k
}

// refused connects alice, who must read a refusal.
func (s *stage) refused() (*seat, string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	k, err := s.connect(ctx, alice())
	var refusal *RefusedError
	if !errors.As(err, &refusal) {
		s.t.Fatalf("connecting gave %v, want a refusal in the protocol's frame", err)
	}
	if _, ok := k.first.wait(); !ok {
		s.t.Error("the session goes on after its refusal")
	}
	return k, refusal.Text
}

func (k *seat) hear(text string) {
	_, _ = k.told.Write([]byte(text + "\n"))
	_, _ = k.stage.seen.Write([]byte(text + "\n"))
}

// do makes an action, within patience.
func (k *seat) do(text string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return k.doUntil(ctx, text)
}

func (k *seat) doUntil(ctx context.Context, text string) (string, error) {
	out, err := k.client.Do(ctx, text)
	_, _ = k.stage.seen.Write([]byte(out))
	if err != nil {
		k.hear(err.Error())
	}
	return out, err
}

// begun makes an action, and returns once the target has begun with it. The
// channel gives its end.
func (k *seat) begun(ctx context.Context, text, mark string) <-chan error {
	k.stage.t.Helper()
	ended := make(chan error, 1)
	go func() { _, err := k.doUntil(ctx, text); ended <- err }()
	k.stage.until("the target began with "+text, func() bool { return len(k.stage.ran(mark)) > 0 })
	return ended
}

// works makes an action that must work.
func (k *seat) works() {
	k.stage.t.Helper()
	mark := newMark("fine")
	if out, err := k.do(k.stage.world.Actions.Print(mark)); err != nil || !contains(out, mark) {
		k.stage.t.Errorf("an allowed action gave %q, %v", out, err)
	}
}

// left waits for the end of the session and gives what Serve gave.
func (k *seat) left() error {
	k.stage.t.Helper()
	err, ok := k.first.wait()
	if !ok {
		k.stage.t.Fatal("the session does not end")
	}
	return err
}
