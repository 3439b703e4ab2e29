package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
)

const (
	defaultSegmentBytes = 64 << 20
	// laterFor is how long an event given to Later may stay in memory.
	laterFor = 50 * time.Millisecond
	// A checkpoint is signed at the earlier of the two; what is cut off after
	// the last one that somebody else keeps cannot be noticed.
	checkpointEvery  = time.Second
	checkpointEvents = 1000
)

// Options says how a log is kept. The zero value is good.
type Options struct {
	// Origin names the log in its checkpoints, for ever, such as
	// "hoop.example/audit/broker-1": no spaces, no plus. hoop/<host> where
	// empty and the log is new.
	Origin string
	// Key is the file of the Ed25519 key that signs checkpoints, in the form of
	// golang.org/x/mod/sumdb/note; made where missing. log.key in the log's
	// folder where empty.
	Key string
	// SegmentBytes is when a new segment begins; 64 MiB where zero.
	SegmentBytes int64
	Logger       *slog.Logger     // discards where nil
	Now          func() time.Time // time.Now where nil
}

// Log is an audit log open for writing. Its methods may be called from any
// number of goroutines.
type Log struct {
	dir     string
	origin  string
	limit   int64 // bytes per segment
	logger  *slog.Logger
	now     func() time.Time
	open    func(path string, flag int) (disk, error)
	signer  note.Signer
	public  string // the key that checks what signer signs
	digests *digester
	locked  *os.File
	buffers sync.Pool // of *[]byte, event tails

	mu      sync.Mutex // guards what an event gets before it is written
	next    uint64     // index of the next event
	pending *batch
	spare   *batch
	salts   salts
	armed   bool // flushTimer runs
	closed  bool
	active  sync.WaitGroup // calls that were let in before closed

	writing sync.Mutex // held by the one who writes; taken before mu
	tree    *tree
	flushed uint64 // leaves whose hashes are in the file

	swapping sync.RWMutex // held to replace seg, shared to sync it
	seg      *segment

	syncMu  sync.Mutex
	round   *syncRound
	written atomic.Uint64 // events given to the operating system
	synced  atomic.Uint64 // events on the disk

	broken atomic.Pointer[error] // the first failure: nothing is accepted after it
	full   atomic.Pointer[error] // no room: only Later is accepted, until there is

	signing     sync.Mutex // held while a checkpoint is made
	hashes      hashFile
	checkpoints *os.File
	keptBytes   int64  // where in the file the next checkpoint goes
	kept        uint64 // size of the last checkpoint in it
	signed      uint64 // size of the last checkpoint
	every       uint64 // events from one kept checkpoint to the next

	flushTimer *time.Timer
	due        chan struct{} // a thousand events came together
	stop       context.CancelFunc
	keepers    sync.WaitGroup
}

// Open opens the log in dir, makes it where there is none, and puts right what
// a crash left: a torn last frame is cut. It refuses, with a *DamageError
// where a place can be named, a log that is not what was signed.
// The caller closes it.
func Open(dir string, opts Options) (*Log, error) {
	return openLog(dir, opts, openDisk)
}

func openLog(dir string, opts Options, open func(string, int) (disk, error)) (_ *Log, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the log's folder: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a folder needs its x
		return nil, fmt.Errorf("keep the log's folder to its owner: %w", err)
	}
	l := newLog(dir, opts, open)
	defer func() {
		if err != nil {
			err = errors.Join(err, l.release())
		}
	}()
	if l.locked, err = lock(dir); err != nil {
		return nil, err
	}
	if l.signer, l.public, err = openSigner(dir, opts.Key, opts.Origin); err != nil {
		return nil, err
	}
	l.origin = l.signer.Name()
	if l.digests, err = openDigester(dir); err != nil {
		return nil, err
	}
	if err := l.recover(); err != nil {
		return nil, fmt.Errorf("open the audit log in %s: %w", dir, err)
	}
	l.start()
	return l, nil
}

func newLog(dir string, opts Options, open func(string, int) (disk, error)) *Log {
	l := &Log{
		dir: dir, limit: opts.SegmentBytes, logger: opts.Logger, now: opts.Now, open: open,
		due: make(chan struct{}, 1), every: checkpointEvents,
	}
	l.buffers.New = func() any { b := make([]byte, 0, 2048); return &b }
	if l.limit <= 0 {
		l.limit = defaultSegmentBytes
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	if l.now == nil {
		l.now = time.Now
	}
	return l
}

// start runs the two goroutines that Close waits for.
func (l *Log) start() {
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.flushTimer = time.NewTimer(time.Hour)
	l.keepers.Go(func() { l.keepFlushing(ctx) })
	l.keepers.Go(func() { l.keepSigning(ctx) })
}

// Dir is the folder of the log.
func (l *Log) Dir() string { return l.dir }

// Origin is the name of the log in its checkpoints.
func (l *Log) Origin() string { return l.origin }

// Len is how many events were accepted so far, written or about to be.
func (l *Log) Len() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

// Health is nil while the log accepts events, else why it does not.
func (l *Log) Health() error {
	if err := l.broken.Load(); err != nil {
		return *err
	}
	if err := l.full.Load(); err != nil {
		return *err
	}
	return nil
}

// fail breaks the log for ever and returns the first reason.
func (l *Log) fail(err error) error {
	err = fmt.Errorf("the audit log in %s is broken and refuses everything: %w", l.dir, err)
	if l.broken.CompareAndSwap(nil, &err) {
		l.logger.Error("audit log broken", "dir", l.dir, "error", err)
	}
	return *l.broken.Load()
}

var errClosed = errors.New("the audit log is closed")

// Close writes what is pending, syncs, signs the last checkpoint and ends. A
// second Close does nothing.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	l.active.Wait()
	l.stop()
	l.keepers.Wait()
	err := l.flush()
	if err == nil && l.broken.Load() == nil {
		err = l.checkpoint()
	}
	if b := l.broken.Load(); b != nil {
		err = *b
	}
	return errors.Join(err, l.release())
}

// release closes the files, whatever of them is open.
func (l *Log) release() error {
	l.swapping.Lock()
	defer l.swapping.Unlock()
	var errs []error
	if l.seg != nil {
		if l.broken.Load() == nil {
			errs = append(errs, l.seg.close())
		} else {
			errs = append(errs, l.seg.disk.Close())
		}
	}
	for _, f := range []*os.File{l.hashes.f, l.checkpoints, l.locked} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

func (l *Log) path(name string) string { return filepath.Join(l.dir, name) }
