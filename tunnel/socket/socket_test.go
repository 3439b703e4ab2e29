package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pair gives both ends of a connection, the first of them wrapped.
func pair(t *testing.T, network string) (net.Conn, net.Conn) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	far := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		far <- c
	}()
	near, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a, b := New(near), <-far
	t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
	return a, b
}

func TestBytesArriveInOrderAndWhole(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			a, b := pair(t, network)
			want := bytes.Repeat([]byte("0123456789abcdef"), 1<<17) // more than any socket holds
			var both sync.WaitGroup
			both.Go(func() {
				if n, err := a.Write(want); n != len(want) || err != nil {
					t.Errorf("wrote %d: %v", n, err)
				}
				if err := a.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
					t.Error(err)
				}
			})
			both.Go(func() {
				time.Sleep(20 * time.Millisecond) // until the writer has to wait
				if _, err := io.Copy(b, b); err != nil {
					t.Error(err)
				}
				_ = b.Close()
			})
			got, err := io.ReadAll(a)
			both.Wait()
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes came back of %d: %v", len(got), len(want), err)
			}
		})
	}
}

func TestDeadlinesEndReadAndWrite(t *testing.T) {
	a, _ := pair(t, "tcp")
	_ = a.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if n, err := a.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d: %v", n, err)
	}
	_ = a.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	n, err := a.Write(make([]byte, 64<<20))
	if n == 0 || n == 64<<20 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("wrote %d: %v", n, err)
	}
}

func TestErrorsAreThoseOfNet(t *testing.T) {
	a, b := pair(t, "tcp")
	if err := b.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	_, err := a.Read(make([]byte, 1))
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after a reset: %v", err)
	}
	if _, err := a.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("write after a reset: %v", err)
	}
	_ = a.Close()
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
	if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after Close: %v", err)
	}
}

// Close ends a Read that waits.
func TestCloseWakesRead(t *testing.T) {
	a, _ := pair(t, "unix")
	done := make(chan error)
	go func() {
		_, err := a.Read(make([]byte, 1))
		done <- err
	}()
	time.Sleep(10 * time.Millisecond)
	_ = a.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestWhatIsNoSocketStaysAsItIs(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	if New(a) != a {
		t.Error("a pipe was wrapped")
	}
	c, _ := pair(t, "tcp")
	if New(c) != c {
		t.Error("a conn was wrapped twice")
	}
}
