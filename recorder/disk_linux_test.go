package recorder

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

// Failures of quick writes are told as those of ordinary ones.
func TestDiskTellsWhyAWriteFailed(t *testing.T) {
	d, err := openDisk("/dev/full", os.O_WRONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if n, err := d.WriteAt([]byte("event"), 0); n != 0 || !errors.Is(err, syscall.ENOSPC) || !isFull(err) {
		t.Errorf("%d, %v", n, err)
	}
}
