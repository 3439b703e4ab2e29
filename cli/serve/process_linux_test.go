package serve

import (
	"net"
	"testing"
)

func TestProcessIsMeasured(t *testing.T) {
	if n, ok := residentMemory(); !ok || n < 1<<20 || n > 1<<40 {
		t.Errorf("%d bytes are resident, %v", n, ok)
	}
	before, ok := openFiles()
	if !ok || before < 3 {
		t.Fatalf("%d files are open, %v", before, ok)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if after, _ := openFiles(); after <= before {
		t.Errorf("%d files are open after one more, %d before", after, before)
	}
}
