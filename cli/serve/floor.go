package serve

import "runtime"

// heapFloor is the size of heap below which garbage is not worth a collection,
// in bytes.
const heapFloor = 64 << 20

// holdFloor has collections begin as they would if heapFloor more were in use:
// a broker that carries bulk data makes a lot of garbage beside a heap of a few
// MiB, and would collect a hundred times a GB. The memory is never touched, so
// that the system gives none for it.
func holdFloor() (release func()) {
	floor := make([]byte, heapFloor)
	return func() { runtime.KeepAlive(floor) }
}
