package recorder

import (
	"context"
	"fmt"
	"time"
)

// keepSigning makes a checkpoint every second in which something was written,
// and after a thousand events.
func (l *Log) keepSigning(ctx context.Context) {
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.due:
		case <-tick.C:
			if l.full.Load() != nil {
				l.retryFull()
			}
		}
		_ = l.checkpoint() // a failure has broken the log, and every call says so
	}
}

// checkpoint makes all that is written durable and signs it. What is signed
// must be on the disk first: after a power cut the log would else look cut.
func (l *Log) checkpoint() error {
	l.signing.Lock()
	defer l.signing.Unlock()
	l.writing.Lock()
	cp := Checkpoint{Origin: l.origin, Size: l.tree.size}
	if cp.Size == l.signed {
		l.writing.Unlock()
		return nil
	}
	cp.Root = l.tree.root()
	fresh, from := l.tree.fresh, l.flushed
	l.tree.fresh, l.flushed = nil, cp.Size
	l.writing.Unlock()
	if err := l.sync(cp.Size); err != nil {
		return err
	}
	err := l.hashes.flush(from, fresh)
	if err == nil {
		err = l.writeCheckpoint(&cp)
	}
	if err == nil {
		l.signed = cp.Size
		return nil
	}
	if !isFull(err) {
		return l.fail(err)
	}
	l.setFull(err)
	l.keepFresh(from, fresh)
	return nil
}

// keepFresh puts hashes back that found no room, for the next checkpoint.
func (l *Log) keepFresh(from uint64, fresh []byte) {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.tree.fresh = append(fresh, l.tree.fresh...)
	l.flushed = from
}

// writeCheckpoint keeps the newest head in a file of its own, and one of every
// thousand events for good: an hour without much to sign costs no space.
func (l *Log) writeCheckpoint(cp *Checkpoint) error {
	signed, err := cp.sign(l.signer)
	if err != nil {
		return fmt.Errorf("sign a checkpoint: %w", err)
	}
	if cp.Size-l.kept < l.every {
		if err := writeFile(l.path(newestFile), signed, 0o600); err != nil {
			return fmt.Errorf("write the newest checkpoint: %w", err)
		}
		return nil
	}
	signed = append(signed, '\n')
	if _, err := l.checkpoints.WriteAt(signed, l.keptBytes); err != nil {
		return fmt.Errorf("write a checkpoint: %w", err)
	}
	if err := datasync(l.checkpoints); err != nil {
		return fmt.Errorf("sync the checkpoints: %w", err)
	}
	l.keptBytes += int64(len(signed))
	l.kept = cp.Size
	return nil
}
