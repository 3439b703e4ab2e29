package enginetest

import (
	"context"
	"testing"
	"time"
)

// mostHeld is how much of an answer may be under way between a target that
// sends without end and a client that does not read: what the engine holds,
// and what four sockets do, which is most of it.
const mostHeld = 64 << 20

// floods has the target answer without end and the client not read, and
// returns once nothing moves any more. The caller lets the client go on.
func (k *seat) floods() {
	k.stage.t.Helper()
	mark := newMark("fine")
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan struct{})
	k.stage.t.Cleanup(func() { cancel(); _ = k.first.Close(); <-gone })
	before := k.stage.wire.toBroker.Load()
	go func() { defer close(gone); _, _ = k.client.Do(ctx, k.stage.world.Actions.Flood(mark)) }()
	k.stage.until("the target floods", func() bool { return k.stage.wire.toBroker.Load() > before+1<<20 })
	k.first.stall.Lock()
	last := int64(-1)
	for range 400 {
		now := k.stage.wire.toBroker.Load()
		if now == last {
			break
		}
		if last = now; now > before+mostHeld {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if got := k.stage.wire.toBroker.Load() - before; got > mostHeld {
		k.stage.t.Errorf("the engine took %d bytes that nobody reads", got)
	}
}

// testBounds: what nobody reads is not taken from the target, and holds up no
// other session.
func testBounds(t *testing.T, w *suite) {
	s := newStage(t, w, rules())
	k := s.sit()
	k.floods()
	s.sit().works()
	k.first.stall.Unlock()
}
