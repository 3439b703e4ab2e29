package ssh

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"
)

// pair is a TCP connection to oneself, the first end under a bulkConn.
func pair(t testing.TB) (*bulkConn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return new(bulkBuffers).newConn(a), b
}

// FuzzBulkConn sends and receives in pieces of any size: every byte arrives,
// once and in order, and a write is never kept for one that does not come.
func FuzzBulkConn(f *testing.F) {
	f.Add(uint64(1), []byte{0, 1, 2, 3})
	f.Add(uint64(2), []byte{3, 7, 3, 0, 6, 5, 4})
	f.Fuzz(func(t *testing.T, seed uint64, shape []byte) {
		a, b := pair(t)
		random := rand.New(rand.NewPCG(seed, 0))
		sizes := func(s byte) int {
			return []int{random.IntN(100) + 1, cryptoBuffer, cryptoBuffer + random.IntN(40<<10), bulkBuffer + random.IntN(cryptoBuffer)}[s%4]
		}
		shape = shape[:min(len(shape), 30)]
		go func() { // what comes back is what was sent
			_, _ = io.Copy(b, b)
			b.Close()
		}()
		for _, s := range shape {
			sent := make([]byte, sizes(s))
			for n := range sent {
				sent[n] = byte(random.Uint32())
			}
			done := make(chan error, 1)
			half := random.IntN(len(sent) + 1)
			go func() { // the end of a corked write may be there before it is uncorked
				if s&4 != 0 {
					a.cork()
					defer a.uncork()
				}
				_, err := a.Write(sent[:half])
				if err == nil {
					_, err = a.Write(sent[half:])
				}
				done <- err
			}()
			got := make([]byte, len(sent))
			for n := 0; n < len(got); {
				m, err := a.Read(got[n:min(len(got), n+sizes(byte(random.Uint32())))])
				if err != nil {
					t.Fatal(err)
				}
				n += m
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(sent, got) {
				t.Fatalf("%d bytes came back changed", len(sent))
			}
		}
	})
}

// TestBulkConnCloses sends the last bytes, and ends a write that nobody reads.
func TestBulkConnCloses(t *testing.T) {
	a, b := pair(t)
	if _, err := a.Write(make([]byte, cryptoBuffer)); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(b); err != nil || len(got) != cryptoBuffer {
		t.Errorf("%d bytes, %v", len(got), err)
	}

	a, _ = pair(t)
	done := make(chan error, 1)
	go func() {
		for {
			if _, err := a.Write(make([]byte, 1<<20)); err != nil {
				done <- err
				return
			}
		}
	}()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the write ended with %v", err)
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the read ended with %v", err)
	}
}
