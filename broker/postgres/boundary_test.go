package postgres

import (
	"bytes"
	"testing"
)

// TestBoundaryKnowsWhereMessagesEnd feeds a server's bytes in pieces of every
// size: a last word goes out between messages and nowhere else.
func TestBoundaryKnowsWhereMessagesEnd(t *testing.T) {
	sent := []byte("NN" + "R\x00\x00\x00\x08\x00\x00\x00\x00" + "N\x00\x00\x00\x05\x00" + "Z\x00\x00\x00\x05I")
	ends := map[int]bool{0: true, 1: true, 2: true, 11: true, 17: true, 23: true}
	for size := 1; size <= len(sent); size++ {
		for cut := 0; cut <= len(sent); cut++ {
			var out bytes.Buffer
			b := NewBoundary(&out)
			for rest := sent[:cut]; len(rest) > 0; rest = rest[min(size, len(rest)):] {
				if _, err := b.Write(rest[:min(size, len(rest))]); err != nil {
					t.Fatal(err)
				}
			}
			if got := b.End("57P01", "over", ""); got != ends[cut] {
				t.Errorf("pieces of %d, cut at %d: a last word: %v, want %v", size, cut, got, ends[cut])
			}
			if want := append([]byte(nil), sent[:cut]...); !bytes.HasPrefix(out.Bytes(), want) || (out.Len() > cut) != ends[cut] {
				t.Errorf("pieces of %d, cut at %d: %d bytes passed on", size, cut, out.Len())
			}
		}
	}
}
