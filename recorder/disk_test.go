package recorder

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// What is written quickly, in large pieces, and after a slow write lies in the
// file where it was to be.
func TestDiskWritesWhereItIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	opened, err := openDisk(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	d := opened.(*osDisk)
	want := make([]byte, 3*quickBytes)
	for i, size := range []int{1, 0, 100, quickBytes, 2 * quickBytes, 7} {
		if i == 5 {
			d.patient.Store(2)
		}
		for _, at := range []int{i, 1000 * i, len(want) - size} {
			p := bytes.Repeat([]byte{byte('a' + i)}, size)
			if at+size > len(want) {
				continue
			}
			copy(want[at:], p)
			if n, err := d.WriteAt(p, int64(at)); n != size || err != nil {
				t.Fatalf("wrote %d of %d: %v", n, size, err)
			}
		}
	}
	if d.patient.Load() != 0 {
		t.Error("a slow write is never forgotten")
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want[:len(got)]) || len(got) != len(want) {
		t.Errorf("%d bytes of %d are right: %v", len(got), len(want), err)
	}
	if err := errors.Join(d.Datasync(), d.Close()); err != nil {
		t.Error(err)
	}
	if _, err := d.WriteAt([]byte("x"), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a closed disk says %v", err)
	}
}
