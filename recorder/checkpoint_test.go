package recorder

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCheckpointsAreFoundFromTheEnd(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir, Options{})
	l.signing.Lock()
	l.writing.Lock()
	l.every = 1 // keep each one
	l.writing.Unlock()
	l.signing.Unlock()
	const n = 300
	for range n {
		appendN(t, l, "s", 1)
		if err := l.checkpoint(); err != nil {
			t.Fatal(err)
		}
	}
	closeTest(t, l)
	path := filepath.Join(dir, checkpointsFile)
	info, err := os.Stat(path)
	if err != nil || info.Size() < 40<<10 {
		t.Fatalf("%d bytes of checkpoints are too few to test with, %v", info.Size(), err)
	}
	for _, torn := range []string{"", "hoop.example/audit/test\n301\nAAAA"} {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(torn); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		signed, err := LastCheckpoint(dir)
		if err != nil {
			t.Fatal(err)
		}
		key, err := PublicKey(dir)
		if err != nil {
			t.Fatal(err)
		}
		if cp, err := OpenCheckpoint(signed, key); err != nil || cp.Size != n {
			t.Errorf("the last checkpoint is %+v, %v", cp, err)
		}
		closeTest(t, openTest(t, dir, Options{}))
	}
	if after, err := os.Stat(path); err != nil || after.Size() != info.Size() {
		t.Errorf("the torn checkpoint was not cut: %d bytes, want %d, %v", after.Size(), info.Size(), err)
	}
	mustVerify(t, dir, n)
}
