package tunnel

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"testing"
)

// relayed connects a local program, over a unix listener and a relay, to the
// broker's end of a stream.
func relayed(t testing.TB, w *world) (program net.Conn, s *Stream, ended chan error) {
	t.Helper()
	ln, err := ListenUnix(t.TempDir(), "s")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	program, err = net.Dial("unix", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	local, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c, s := w.open(t)
	ended = make(chan error, 1)
	go func() { ended <- Relay(local, c) }()
	t.Cleanup(func() { _ = program.Close() })
	return program, s, ended
}

func TestRelayCarriesBothWaysAndHalfCloses(t *testing.T) {
	w := newWorld(t, quick, Options{})
	program, s, ended := relayed(t, w)
	sent := make([]byte, 5<<20)
	_, _ = rand.Read(sent)
	echoed := make(chan error, 1)
	go func() {
		_, err := io.Copy(s, struct{ io.Reader }{s})
		echoed <- errors.Join(err, s.CloseWrite())
	}()
	go func() {
		_, _ = program.Write(sent)
		_ = program.(*net.UnixConn).CloseWrite()
	}()
	got, err := io.ReadAll(program)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("read %d bytes, want the %d sent: %v", len(got), len(sent), err)
	}
	if err := <-echoed; err != nil {
		t.Errorf("echo: %v", err)
	}
	go func() { _, _ = io.Copy(io.Discard, s) }() // an engine reads until the end
	if err := <-ended; err != nil {
		t.Errorf("relay: %v", err)
	}
}

func TestRelayTellsTheReason(t *testing.T) {
	w := newWorld(t, quick, Options{})
	program, s, ended := relayed(t, w)
	go func() { _, _ = s.Write([]byte("bye")); _ = s.CloseBecause(CloseRevoked, "revoked") }()
	if got, err := io.ReadAll(program); string(got) != "bye" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	var ce *CloseError
	if err := <-ended; !errors.As(err, &ce) || ce.Code != CloseRevoked {
		t.Errorf("relay ended with %v", err)
	}
}

// The program dies: the broker's end reads an ordinary end.
func TestRelayEndsWithTheProgram(t *testing.T) {
	w := newWorld(t, quick, Options{})
	program, s, ended := relayed(t, w)
	_, _ = s.Write([]byte("never read"))
	_ = program.Close()
	if _, err := io.Copy(io.Discard, s); err != nil {
		t.Errorf("broker read: %v", err)
	}
	_ = s.Close()
	if err := <-ended; err != nil {
		t.Errorf("relay: %v", err)
	}
}
