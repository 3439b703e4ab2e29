package recorder

import (
	"io"
	"os"
	"sync/atomic"
	"time"
)

// disk is what the log needs of an open segment file.
type disk interface {
	io.WriterAt
	Datasync() error
	Truncate(size int64) error
	Close() error
}

const (
	// quickBytes is the largest write that is made quickly: a few events.
	quickBytes = 64 << 10
	// quickTime is how long such a write may take. While it lasts, a processor
	// of this program does nothing else.
	quickTime = time.Millisecond
	// patience is how many writes are made the ordinary way after one that took
	// longer.
	patience = 1000
)

// osDisk is a file. Its space is allocated before events are written, so that a
// write is a copy into the page cache and takes microseconds; one that does
// not, as when the disk is behind, turns quick writing off for a while.
type osDisk struct {
	*os.File
	patient atomic.Int32 // ordinary writes still to come
}

func openDisk(path string, flag int) (disk, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return &osDisk{File: f}, nil
}

// WriteAt writes all of p.
func (d *osDisk) WriteAt(p []byte, offset int64) (int, error) {
	if left := d.patient.Load(); left > 0 || len(p) > quickBytes || len(p) == 0 {
		d.patient.Store(max(0, left-1))
		return d.File.WriteAt(p, offset)
	}
	start := time.Now()
	n, err := writeQuick(d.File, p, offset)
	if time.Since(start) > quickTime {
		d.patient.Store(patience)
	}
	return n, err
}

// Datasync waits until what was written is on the disk.
func (d *osDisk) Datasync() error { return datasync(d.File) }
