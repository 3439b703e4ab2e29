package serve

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"

	"hoop/broker"
)

// calm is how long nothing must have been asked before memory is given back.
const calm = 2 * time.Second

// keepFree is how much the broker may hold beyond what it held when it last gave
// back, in bytes: a few statements are not worth a collection.
const keepFree = 4 << 20

// trim gives memory back to the system once sessions have gone idle: what
// logins and statements left behind would otherwise stay until the next
// collection, which an idle broker has no cause for.
func (i *Instance) trim(ctx context.Context, every time.Duration) {
	defer holdFloor()()
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last broker.Stats
	var held uint64
	asked := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := i.broker.Stats(); now != last {
			last, asked = now, true
			continue
		}
		if !asked {
			continue
		}
		if asked = false; inUse() > held+keepFree {
			runtime.GC() // what pools hold is given up with the second one
			debug.FreeOSMemory()
			held = inUse()
		}
	}
}

// inUse is the memory that the system counts as the broker's heap, in bytes.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapSys - m.HeapReleased + m.StackSys
}
