package recorder

import "fmt"

// syncRound is one fdatasync and those who wait for it.
type syncRound struct {
	done chan struct{}
	err  error
}

// sync returns once the first n events are on the disk. One caller syncs, for
// all whose events were written before it began.
func (l *Log) sync(n uint64) error {
	for l.synced.Load() < n {
		l.syncMu.Lock()
		r := l.round
		lead := r == nil
		if lead {
			r = &syncRound{done: make(chan struct{})}
			l.round = r
		}
		l.syncMu.Unlock()
		if lead {
			l.runRound(r)
		} else {
			<-r.done
		}
		if r.err != nil {
			return r.err
		}
	}
	return nil
}

func (l *Log) runRound(r *syncRound) {
	if r.err = l.datasync(); r.err != nil {
		r.err = l.fail(r.err)
	}
	l.syncMu.Lock()
	l.round = nil
	l.syncMu.Unlock()
	close(r.done)
}

func (l *Log) datasync() error {
	l.swapping.RLock()
	defer l.swapping.RUnlock()
	if b := l.broken.Load(); b != nil { // a page lost once is not written by trying again
		return *b
	}
	target := l.written.Load()
	if err := l.seg.disk.Datasync(); err != nil {
		return fmt.Errorf("sync the audit log: %w", err)
	}
	l.synced.Store(target)
	return nil
}
