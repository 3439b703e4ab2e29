package main

import (
	"runtime"
	"slices"
	"syscall"
	"time"
)

// chunk is how much a broker looks at in one go, in bytes.
const chunk = 32 << 10

// find looks through one chunk.
type find func(text []byte)

// rate gives the megabytes that find does in a second of processor time.
func rate(text []byte, f find) float64 {
	start, done := cpuTime(), 0
	for done < len(text) || cpuTime()-start < 40*time.Millisecond {
		at := done % len(text)
		end := min(at+chunk, len(text))
		f(text[at:end])
		done += end - at
	}
	return float64(done) / 1e6 / (cpuTime() - start).Seconds()
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// cell gives the processor time of one call, in nanoseconds, and how often it
// allocates.
func cell(text []byte, f find) (ns, allocs float64) {
	const calls, rounds = 100_000, 5
	var before, after runtime.MemStats
	var times []float64
	runtime.ReadMemStats(&before)
	for range rounds {
		start := cpuTime()
		for range calls {
			f(text)
		}
		times = append(times, float64(cpuTime()-start)/calls)
	}
	runtime.ReadMemStats(&after)
	return median(times), float64((after.Mallocs - before.Mallocs) / (rounds * calls))
}

// cpuTime is what this process has spent, user and system (getrusage).
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for itself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
