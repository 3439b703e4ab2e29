package enginetest

import (
	"io"
	"math/rand/v2"
	"testing"
	"time"
)

// mutations is how many spoiled copies of a genuine conversation are tried.
const mutations = 40

// testHostileClient: whatever a client says, it harms its own session only.
func testHostileClient(t *testing.T, w *suite) {
	s := newHurriedStage(t, w, rules(), 2*time.Second)
	witness := s.sit()
	witness.works()
	genuine := []byte(witness.first.said.String())
	t.Run("spoiled", func(t *testing.T) {
		s.t = t
		for i := range mutations {
			s.says(spoil(genuine, uint64(i)))
		}
		witness.works()
	})
	t.Run("garbage", func(t *testing.T) {
		s.t = t
		noise := make([]byte, 64<<10)
		_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
		for _, g := range append(w.Garbage, "", "\x00", "GET / HTTP/1.1\r\n\r\n", string(noise)) {
			s.says([]byte(g))
		}
		for _, n := range []int{1, 7, len(genuine) / 2, len(genuine) - 1} {
			s.says(genuine[:n])
		}
		witness.works()
	})
	t.Run("in a session", func(t *testing.T) {
		s.t = t
		k := s.sit()
		k.works()
		noise := make([]byte, 4<<10)
		_, _ = rand.NewChaCha8([32]byte{2}).Read(noise)
		_, _ = k.first.Conn.Write(noise)
		_ = k.first.CloseWrite()
		_ = k.left()
		witness.works()
	})
	t.Run("slow", func(t *testing.T) { s.t = t; s.trickles(genuine); witness.works() })
	s.t = t
}

// says sends bytes to the broker as a client, and wants its session to end.
func (s *stage) says(b []byte) {
	s.t.Helper()
	l, err := s.dial(alice())
	if err != nil {
		s.t.Fatal(err)
	}
	defer l.Close()
	go func() { _, _ = l.Conn.Write(b); _ = l.CloseWrite() }()
	_ = l.SetReadDeadline(time.Now().Add(patience))
	_, _ = io.Copy(io.Discard, l)
	if _, ok := l.wait(); !ok {
		s.t.Fatalf("a session goes on after %d bytes of nonsense and their end", len(b))
	}
}

// trickles says what a genuine client says, a byte at a time and never all of
// it: the handshake's deadline ends that, however busy it looks.
func (s *stage) trickles(genuine []byte) {
	s.t.Helper()
	l, err := s.dial(alice())
	if err != nil {
		s.t.Fatal(err)
	}
	defer l.Close()
	end := time.After(patience)
	for i := 0; ; i++ {
		if i < len(genuine)-1 {
			_, _ = l.Conn.Write(genuine[i : i+1])
		}
		select {
		case err := <-l.served:
			l.served <- err
			return
		case <-end:
			s.t.Fatal("a client that never finishes its handshake is waited for")
		case <-time.After(max(20*time.Millisecond, 4*time.Second/time.Duration(len(genuine)))):
		}
	}
}

// spoil changes a few bytes: some are replaced, dropped, doubled, or all that
// follow are cut off.
func spoil(b []byte, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // to be the same each time
	out := append([]byte(nil), b...)
	for range 1 + r.IntN(3) {
		if len(out) == 0 {
			break
		}
		at := r.IntN(len(out))
		switch r.IntN(4) {
		case 0:
			out[at] = byte(r.Uint32())
		case 1:
			out = append(out[:at], out[at+1:]...)
		case 2:
			out = append(out[:at:at], append([]byte{out[at], out[at], 0xff}, out[at:]...)...)
		case 3:
			out = out[:at]
		}
	}
	return out
}

// testHostileTarget: whatever a target says, it harms its own session only.
func testHostileTarget(t *testing.T, w *suite) {
	s := newHurriedStage(t, w, rules(), 2*time.Second)
	witness := s.sit()
	witness.works() // its target is reached before the wire spoils anything
	for i := range mutations {
		s.spoiled(func(at int64, b []byte) []byte {
			if r := rand.New(rand.NewPCG(uint64(i), uint64(at))); r.IntN(4) > 0 && at > 0 { //nolint:gosec // to be the same each time
				return b
			}
			return spoil(b, uint64(i)<<20|uint64(at))
		})
	}
	for _, g := range []string{"", "\x00\x00\x00\x00", "\xff\xff\xff\xff\xff\xff\xff\xff", "HTTP/1.1 400 Bad Request\r\n\r\n"} {
		s.spoiled(func(int64, []byte) []byte { return []byte(g) })
	}
	witness.works()
	t.Run("in a session", func(t *testing.T) {
		s.t = t
		k := s.sit()
		k.works()
		s.garbles(k)
	})
	t.Run("gone", func(t *testing.T) { s.t = t; s.targetGone() })
	s.t = t
}

// spoiled connects and makes an action while the wire spoils what the target
// says. Nothing that comes of it is wrong, but for a session without an end.
func (s *stage) spoiled(f func(at int64, b []byte) []byte) {
	s.t.Helper()
	s.wire.spoil.Store(&f)
	defer s.wire.spoil.Store(nil)
	ctx, cancel := contextFor(200 * time.Millisecond)
	defer cancel()
	k, err := s.connect(ctx, alice())
	if err == nil {
		_, _ = k.doUntil(ctx, s.world.Actions.Print(newMark("fine")))
		_ = k.client.Close()
	}
	if k == nil {
		s.t.Fatal(err)
	}
	_ = k.first.Close()
	_ = k.left()
}

// garbles has the target answer an action with noise: the client gets an end,
// not the noise.
func (s *stage) garbles(k *seat) {
	s.t.Helper()
	noise := make([]byte, 8<<10)
	_, _ = rand.NewChaCha8([32]byte{3}).Read(noise)
	f := func(int64, []byte) []byte { return noise }
	s.wire.spoil.Store(&f)
	defer s.wire.spoil.Store(nil)
	mark := newMark("fine")
	if out, err := k.do(s.world.Actions.Print(mark)); err == nil || contains(out, string(noise[:64])) {
		s.t.Errorf("noise of the target gave %q, %v", out, err)
	}
	_ = k.left()
}

// targetGone: the target dies while it works.
func (s *stage) targetGone() {
	s.t.Helper()
	k := s.sit()
	mark := newMark("fine")
	ended := k.begun(s.t.Context(), s.world.Actions.Wait(mark), mark)
	s.wire.cut()
	if err := <-ended; err == nil {
		s.t.Error("the action came to an end of its own")
	}
	_ = k.left()
	s.sit().works()
}
