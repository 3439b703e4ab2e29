package recorder

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkAppend measures what an event costs its caller, beside a bare
// append of as many bytes with fdatasync and beside a bare write.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("written/%d", writers), func(b *testing.B) { benchLog(b, Written, writers) })
	}
	b.Run("written/1-beside-synced/1", benchReadsBesideWrites)
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("synced/%d", writers), func(b *testing.B) { benchLog(b, Synced, writers) })
	}
	b.Run("bare-write/1", func(b *testing.B) { benchBare(b, false) })
	b.Run("bare-fdatasync/1", func(b *testing.B) { benchBare(b, true) })
}

func benchLog(b *testing.B, d Durability, writers int) {
	l, err := Open(b.TempDir(), Options{Origin: "hoop.example/bench"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	spread(b, writers, func() error { return l.Append(sample(), d) })
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}

// benchReadsBesideWrites: what a read waits while another session's write is
// being synced.
func benchReadsBesideWrites(b *testing.B) {
	l, err := Open(b.TempDir(), Options{Origin: "hoop.example/bench"})
	if err != nil {
		b.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := l.Append(sample(), Synced); err != nil {
					b.Error(err)
					return
				}
			}
		}
	})
	spread(b, 1, func() error { return l.Append(sample(), Written) })
	close(stop)
	wg.Wait()
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}

func benchBare(b *testing.B, sync bool) {
	f, err := os.Create(filepath.Join(b.TempDir(), "bare"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // a benchmark's scratch file
	buf := appendEvent(make([]byte, frameHeader), sample())
	spread(b, 1, func() error {
		if _, err := f.Write(buf); err != nil || !sync {
			return err
		}
		return datasync(f)
	})
}

// spread runs op b.N times from some writers and reports the latencies.
func spread(b *testing.B, writers int, op func() error) {
	times := make([][]time.Duration, writers)
	var wg sync.WaitGroup
	b.ResetTimer()
	for w := range writers {
		n := b.N / writers
		if w < b.N%writers {
			n++
		}
		wg.Go(func() {
			times[w] = make([]time.Duration, 0, n)
			for range n {
				start := time.Now()
				if err := op(); err != nil {
					b.Error(err)
					return
				}
				times[w] = append(times[w], time.Since(start))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	all := slices.Concat(times...)
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2])/1e3, "p50-µs")
	b.ReportMetric(float64(all[len(all)*99/100])/1e3, "p99-µs")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
