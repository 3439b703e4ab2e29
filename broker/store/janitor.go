package store

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.etcd.io/bbolt"
)

// sweepBatch bounds how many entries one transaction removes, so that others
// wait for the disk no longer than a moment.
const sweepBatch = 1000

// Janitor removes entries past their end, at once and then every interval,
// until ctx is done. Entries past their end are never seen, removed or not: it
// keeps the file small. A failed sweep is logged and tried again.
func (s *Store) Janitor(ctx context.Context, every time.Duration, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if n, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			log.Error("removing ended state", "error", err)
		} else if n > 0 {
			log.Debug("removed ended state", "entries", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Sweep removes all entries past their end and tells how many they were.
func (s *Store) Sweep(ctx context.Context) (int, error) {
	total := 0
	for {
		n := 0
		err := s.update(ctx, func(tx *bbolt.Tx) error {
			return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
				removed, err := s.sweep(b, sweepBatch-n)
				n += removed
				return err
			})
		})
		if err != nil {
			return total, fmt.Errorf("sweeping the broker's state: %w", err)
		}
		total += n
		if n < sweepBatch {
			return total, nil
		}
	}
}

// sweep removes up to limit ended entries of a bucket. Keys are gathered first:
// deleting under a cursor would skip entries.
func (s *Store) sweep(b *bbolt.Bucket, limit int) (int, error) {
	var ended [][]byte
	c := b.Cursor()
	for k, v := c.First(); k != nil && len(ended) < limit; k, v = c.Next() {
		if len(v) < endSize || s.ended(v) {
			ended = append(ended, k)
		}
	}
	for _, k := range ended {
		if err := b.Delete(k); err != nil {
			return 0, err
		}
	}
	return len(ended), nil
}
