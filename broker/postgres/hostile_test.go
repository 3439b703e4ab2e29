package postgres

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"net"
	"strings"
	"testing"
	"time"

	"hoop/broker"
)

// frame makes a message.
func frame(kind byte, parts ...any) []byte {
	b := []byte{kind, 0, 0, 0, 0}
	for _, p := range parts {
		switch p := p.(type) {
		case uint32:
			b = binary.BigEndian.AppendUint32(b, p)
		case string:
			b = append(b, p...)
		}
	}
	binary.BigEndian.PutUint32(b[1:], uint32(len(b)-1))
	return b
}

// A target that no PostgreSQL would be is given up, with bounded effort.
func TestHostileTarget(t *testing.T) {
	ok := string(frame('R', uint32(authOK)))
	sasl := string(frame('R', uint32(authSASL), "SCRAM-SHA-256\x00\x00"))
	salt := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef"))
	first := func(iterations string) func(string) string {
		return func(nonce string) string {
			return string(frame('R', uint32(authSASLContinue), "r="+nonce+"x,s="+salt+",i="+iterations))
		}
	}
	for _, tt := range []struct {
		name  string
		steps []any // string to send, or func(nonce) string
		want  string
	}{
		{"a message of 1 GiB", []any{"R\x40\x00\x00\x00"}, "did not finish"},
		{"a length below four", []any{"R\x00\x00\x00\x03"}, "did not finish"},
		{"ready without a login", []any{string(frame('Z', "I"))}, "breaks the protocol"},
		{"accepted before SCRAM ends", []any{sasl, ok}, "breaks the protocol"},
		{"accepted after the first step", []any{sasl, first("4096"), ok}, "breaks the protocol"},
		{"SCRAM ends before it begins", []any{string(frame('R', uint32(authSASLFinal), "v=x"))}, "breaks the protocol"},
		{"SCRAM twice", []any{sasl, sasl}, "breaks the protocol"},
		{"SCRAM without an end of its list", []any{string(frame('R', uint32(authSASL), "SCRAM-SHA-256"))}, "breaks the protocol"},
		{"only unknown mechanisms", []any{string(frame('R', uint32(authSASL), "X\x00\x00"))}, "offers no way"},
		{"iterations for an hour", []any{sasl, first("2147483648")}, "login at the target failed"},
		{"too few iterations", []any{sasl, first("1")}, "login at the target failed"},
		{"no proof of the password", []any{sasl, first("4096"), string(frame('R', uint32(authSASLFinal), "v="+salt))}, "login at the target failed"},
		{"cleartext", []any{string(frame('R', uint32(authCleartext)))}, "not verified TLS"},
		{"Kerberos", []any{string(frame('R', uint32(7)))}, "method 7"},
		{"notices without end", []any{strings.Repeat(string(frame('N', "\x00")), maxLoginMessages+1)}, "did not finish"},
		{"another reading of strings", []any{ok + string(frame('S', "client_encoding\x00UTF8\x00")) +
			string(frame('S', "standard_conforming_strings\x00off\x00")) + string(frame('Z', "I"))}, "standard_conforming_strings=off"},
		{"another encoding", []any{ok + string(frame('S', "client_encoding\x00SJIS\x00")) +
			string(frame('S', "standard_conforming_strings\x00on\x00")) + string(frame('Z', "I"))}, "client_encoding=SJIS"},
		{"already in a transaction", []any{ok + string(frame('Z', "T"))}, "breaks the protocol"},
		{"an error that quotes the password", []any{string(frame('E', "C57P03\x00Mno "+rolePassword+" yet\x00\x00"))}, "no *** yet"},
		{"rows", []any{ok + string(frame('D', "\x00\x00"))}, "breaks the protocol"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.target.TLS.Mode = "disable"
			w.playTarget(t, tt.steps)
			up, err := w.login(t)
			if err == nil || up != nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// playTarget makes the world's target one that says what steps say, each after
// a message of the broker.
func (w *world) playTarget(t *testing.T, steps []any) {
	broker, target := tcpPair(t)
	w.deps.Dial = dialTo(broker)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer target.Close()
		buf := make([]byte, 4096)
		for _, step := range steps {
			n, err := target.Read(buf)
			if err != nil {
				return
			}
			text, ok := step.(string)
			if !ok {
				_, nonce, _ := strings.Cut(string(buf[:n]), "r=")
				text = step.(func(string) string)(nonce)
			}
			if _, err := target.Write([]byte(text)); err != nil {
				return
			}
		}
		_, _ = target.Read(buf) // until the broker gives up
	}()
	t.Cleanup(func() { broker.Close(); <-done })
}

// tcpPair gives both ends of a TCP connection.
func tcpPair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

func dialTo(c net.Conn) func(context.Context, *broker.Target) (net.Conn, error) {
	return func(context.Context, *broker.Target) (net.Conn, error) { return c, nil }
}

// A target that says nothing is given up after the handshake timeout, and one
// that refuses TLS at once.
func TestSilentTarget(t *testing.T) {
	for _, mode := range []string{"disable", "verify-full"} {
		w := newWorld(t)
		w.target.TLS.Mode = mode
		w.engine.handshake = 20 * time.Millisecond
		near, far := tcpPair(t)
		defer far.Close()
		w.deps.Dial = dialTo(near)
		if _, err := w.login(t); err == nil {
			t.Errorf("%s: a login without an answer", mode)
		}
	}
	w := newWorld(t)
	w.playTarget(t, []any{"N"})
	if _, err := w.login(t); err == nil || !strings.Contains(err.Error(), "does not offer TLS") {
		t.Errorf("a target without TLS: %v", err)
	}
}

// What PostgreSQL sends right behind ReadyForQuery is not lost.
func TestBytesAfterTheLogin(t *testing.T) {
	w := newWorld(t)
	w.target.TLS.Mode = "disable"
	notice := string(frame('N', "SNOTICE\x00\x00"))
	w.playTarget(t, []any{string(frame('R', uint32(authOK))) + string(frame('S', "client_encoding\x00UTF8\x00")) +
		string(frame('S', "standard_conforming_strings\x00on\x00")) + string(frame('Z', "I")) + notice})
	up, err := w.login(t)
	if err != nil {
		t.Fatal(err)
	}
	kind, body, err := readMessage(up.conn)
	if err != nil || kind != 'N' || string(body) != "SNOTICE\x00\x00" {
		t.Errorf("got %q %q %v", kind, body, err)
	}
}

// deaf is a target that has said all that it will say.
type deaf struct {
	net.Conn
	said *bytes.Reader
}

func (d deaf) Read(b []byte) (int, error)  { return d.said.Read(b) }
func (d deaf) Write(b []byte) (int, error) { return len(b), nil }
func (d deaf) RemoteAddr() net.Addr        { return &net.TCPAddr{} }

// FuzzLogin: whatever a target says, it is not taken for one that accepted the
// broker unless it said so, and never while it owes the proof of SCRAM.
func FuzzLogin(f *testing.F) {
	ok, ready := string(frame('R', uint32(authOK))), string(frame('Z', "I"))
	params := string(frame('S', "client_encoding\x00UTF8\x00")) + string(frame('S', "standard_conforming_strings\x00on\x00"))
	sasl := string(frame('R', uint32(authSASL), "SCRAM-SHA-256\x00\x00"))
	for _, s := range []string{ok + params + string(frame('K', "\x00\x00\x00\x01keys")) + ready, params + ready, sasl + ok + params + ready,
		string(frame('E', "C28P01\x00Mno\x00\x00")), string(frame('R', uint32(authMD5), "salt")) + ok + ready} {
		f.Add([]byte(s))
	}
	e := New(Options{})
	f.Fuzz(func(t *testing.T, said []byte) {
		secret := &broker.Secret{User: "u", Password: "p"}
		up, err := e.login(deaf{said: bytes.NewReader(said)}, &broker.Target{}, secret, "d", nil)
		if (up == nil) == (err == nil) {
			t.Fatalf("got %v and %v", up, err)
		}
		if up != nil && (!bytes.Contains(said, []byte(ok)) || bytes.Contains(said, []byte(sasl))) {
			t.Fatalf("%q was taken for a login", said)
		}
	})
}
