// Package enginetest holds the promises that every engine keeps, as one suite
// that each engine runs against its own real target.
//
// # Scope
//
// It knows no protocol: a World brings a target that tells what it executed, a
// client, and the words of a few actions. Around the engine under test stand a
// real broker, a real audit log, real approvals and real policies; what breaks
// is broken on purpose, at the edges of the engine: its recorder, its policy,
// its credential, its client and its target. It does not test what is special
// to one protocol, nor the tunnel.
package enginetest

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"testing"
	"time"

	"hoop/broker"
)

// A World is what one protocol brings to the suite.
type World struct {
	Protocol string // as connections name it: postgres, ssh
	Target   Target
	// Engine makes the engine under test.
	Engine  func(Options) broker.Engine
	Client  Connector
	Actions Actions
	// Parallel says that a client may have several actions under way at once.
	Parallel bool
	// Records says that what actions show is recorded.
	Records bool
	// DumbAtRest says that the protocol has no way to tell a client something
	// while it has no action under way.
	DumbAtRest bool
	// Garbage holds what a hostile client may say first, beside what the suite
	// makes of a genuine client's words.
	Garbage []string
}

// Options are what the suite decides on an engine.
type Options struct {
	Logger *slog.Logger
	// Handshake bounds how long a client may take to say what it wants.
	Handshake time.Duration
}

// A Target is a real server behind the engine. It runs until the test ends.
type Target struct {
	Where  broker.Target
	Secret broker.Secret // what it lets in
	Wrong  broker.Secret // what it refuses
	// Hidden are the parts of both that nobody outside may see.
	Hidden []string
	Log    Log
}

// A Log tells what a target executed.
type Log interface {
	// Ran gives the texts that hold a mark, in the order in which the target
	// began with them. A text is there before the first of its effects is.
	Ran(mark string) ([]string, error)
}

// A Connector makes clients of the protocol: real ones, unmodified.
type Connector interface {
	// Connect goes as far as a client must to make its first action. A denial
	// that it reads in the protocol's frame is a *RefusedError.
	Connect(ctx context.Context, w *Way) (Client, error)
}

// A Way leads a client to the broker.
type Way struct {
	Dial func(ctx context.Context) (net.Conn, error)
	// Told takes what the client is told beside answers: notices, banners.
	Told func(text string)
}

// A Client is one connection of one client. Its methods are called by one
// goroutine, but for Do where World.Parallel says otherwise.
type Client interface {
	// Do makes one action and gives all that the client sees of its answer. A
	// denial that it reads in the protocol's frame is a *RefusedError. Where ctx
	// ends first, the action is given up as by Ctrl-C.
	Do(ctx context.Context, text string) (string, error)
	// Ended waits until the broker ends the connection, and gives what the
	// client reads about it in the protocol's frame.
	Ended(ctx context.Context) error
	Close() error
}

// A RefusedError is what a client read in the protocol's own frame for a
// refusal: message, hint and whatever else a person sees.
type RefusedError struct{ Text string }

func (e *RefusedError) Error() string { return e.Text }

// Actions words actions in the protocol. A mark is of letters, digits and
// hyphens, and stands in the text as it is.
type Actions interface {
	// Print has the target answer with the mark.
	Print(mark string) string
	// Wait has the target do nothing for ten minutes.
	Wait(mark string) string
	// Flood has the target answer without end.
	Flood(mark string) string
}

// A Puzzler words an action that nobody can understand. It is an optional
// ability of Actions.
type Puzzler interface {
	Puzzle(mark string) string
}

// Run runs the suite, or the cases of it that only names: for further clients
// of a protocol.
func Run(t *testing.T, world World, only ...string) {
	t.Helper()
	w := &suite{World: world, grace: time.Second}
	for _, c := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"order", testOrder},
		{"denial", testDenial},
		{"masking", testMasking},
		{"broken recorder", testBrokenRecorder},
		{"broken parts", testBrokenParts},
		{"approval", testApproval},
		{"approval to open", testApprovalToOpen},
		{"revocation", testRevocation},
		{"hostile client", testHostileClient},
		{"hostile target", testHostileTarget},
		{"bounds", testBounds},
		{"refuse", testRefuse},
		{"nothing is left", testNothingIsLeft},
		{"nothing forbidden ran", testNothingForbiddenRan},
	} {
		if len(only) == 0 || slices.Contains(only, c.name) {
			t.Run(c.name, func(t *testing.T) { c.run(t, w) })
		}
	}
}

// suite is a world and what the cases leave to its end.
type suite struct {
	World
	// grace is how long an engine that forwards what it must not gets for it
	// to show at the target: several times what an allowed action takes.
	grace     time.Duration
	forbidden []action
}

// action is one that must never run.
type action struct{ text, mark string }

// testNothingForbiddenRan: of all that was refused in any case, nothing came to
// the target later either.
func testNothingForbiddenRan(t *testing.T, w *suite) {
	time.Sleep(w.grace)
	for _, a := range w.forbidden {
		if texts, err := w.Target.Log.Ran(a.mark); err != nil || len(texts) > 0 {
			t.Errorf("the target ran %q, %v", texts, err)
		}
	}
}
