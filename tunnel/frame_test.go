package tunnel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pieces is a conn that gives its bytes in pieces of given sizes, with a
// timeout between any two.
type pieces struct {
	net.Conn
	data  []byte
	sizes []byte
	calls int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	size := 1
	if len(p.sizes) > 0 {
		size = int(p.sizes[p.calls%len(p.sizes)])
	}
	p.calls++
	if size == 0 {
		return 0, wouldBlock{}
	}
	n := copy(b, p.data[:min(size, len(p.data))])
	p.data = p.data[n:]
	return n, nil
}

func (p *pieces) Close() error                    { return nil }
func (p *pieces) SetReadDeadline(time.Time) error { return nil }

// parsed is the meaning of a run of frames.
type parsed struct {
	Data, Ctl []byte
	Ended     []frameType
	Ack       uint64
	Pings     int
	Failed    bool
}

// reference reads frames the obvious way.
func reference(data []byte) (out parsed) {
	for len(data) >= headerSize {
		t, n, ack, err := parseHeader(data)
		if err != nil {
			out.Failed = true
			return out
		}
		out.Ack = max(out.Ack, ack)
		data = data[headerSize:]
		if t == framePing {
			out.Pings++
		}
		take := min(n, len(data))
		if t == frameData {
			out.Data = append(out.Data, data[:take]...)
		} else {
			out.Ctl = append(out.Ctl, data[:take]...)
		}
		if data = data[take:]; take < n {
			return out
		}
		if t == frameFin || t == frameClose {
			out.Ended = append(out.Ended, t)
		}
	}
	return out
}

func readLink(l *link, bufSize int) (out parsed) {
	buf, ctl := make([]byte, bufSize), make([]byte, maxClose)
	for {
		b, err := l.fill(buf, ctl)
		out.Data = append(out.Data, buf[:b.n]...)
		out.Ctl = append(out.Ctl, ctl[:b.ctl]...)
		out.Ack = max(out.Ack, b.ack)
		if b.ping {
			out.Pings = 1
		}
		if b.ended != 0 {
			out.Ended = append(out.Ended, b.ended)
		}
		var breach *protocolError
		switch {
		case errors.As(err, &breach):
			out.Failed = true
			return out
		case err == io.EOF:
			return out
		}
	}
}

// FuzzFrames: however the bytes are cut, and whatever they are, the link finds
// in them what the plain reader finds.
func FuzzFrames(f *testing.F) {
	var good []byte
	frame := func(t frameType, p string, ack uint64) {
		h := make([]byte, headerSize)
		putHeader(h, t, len(p), ack)
		good = append(append(good, h...), p...)
	}
	frame(frameData, "hello", 7)
	frame(framePing, "", 9)
	frame(frameData, "world", 8)
	frame(frameFin, "\x00", 9)
	frame(frameAck, "", 1<<40)
	frame(frameClose, "\x00\x01revoked", 10)
	f.Add(good, []byte{1}, uint8(3), uint8(0))
	f.Add(good, []byte{255, 0, 3}, uint8(100), uint8(20))
	f.Add([]byte{1, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0}, []byte{5}, uint8(9), uint8(1))
	f.Fuzz(func(t *testing.T, data, sizes []byte, bufSize, prefix uint8) {
		if len(sizes) > 0 && bytes.Count(sizes, []byte{0}) == len(sizes) {
			sizes = nil
		}
		want := reference(data)
		want.Pings = min(want.Pings, 1)
		cut := min(int(prefix), len(data))
		var pre []byte
		if cut > 0 {
			pre = bytes.Clone(data[:cut])
		}
		l := newLink(&pieces{data: bytes.Clone(data[cut:]), sizes: sizes}, pre, &buffers{})
		got := readLink(l, 1+int(bufSize))
		if want.Failed { // the acknowledgement of the burst that failed is lost with it
			got.Ack, want.Ack, got.Pings, want.Pings = 0, 0, 0, 0
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// FuzzOutbox: after any sequence of sends and acknowledgements a peer that
// stopped anywhere gets exactly the rest.
func FuzzOutbox(f *testing.F) {
	f.Add([]byte{10, 200, 3, 255, 0, 9}, uint16(7), uint16(100))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, uint16(600), uint16(9000))
	f.Fuzz(func(t *testing.T, sizes []byte, ack, from uint16) {
		o := outbox{pool: &buffers{}}
		var sent []byte
		for i, size := range sizes {
			n := 1 + int(size)*int(size) // up to 64 KiB
			p := bytes.Repeat([]byte{byte(i + 1)}, n)
			if sent = append(sent, p...); len(sent) > 1<<20 {
				sent = sent[:len(sent)-n]
				break
			}
			o.add(frameData, p, uint64(i))
		}
		acked := min(uint64(ack), o.sent)
		if !o.ack(acked) {
			t.Fatalf("acknowledging %d of %d failed", acked, o.sent)
		}
		for _, back := range []uint64{acked + (o.sent-acked)*uint64(from)/(1<<16), o.sent - (o.sent-acked)/3} {
			back = max(back, o.acked)
			if o.head != nil {
				back = max(back, o.head.start) // received never shrinks
			}
			if !o.rewind(back, 5) {
				t.Fatalf("rewinding to %d of %d failed", back, o.sent)
			}
			var wire []byte
			for c := o.head; c != nil; c = c.next {
				wire = append(wire, c.bytes()...)
			}
			if o.held != len(wire) {
				t.Errorf("held %d bytes, counted %d", len(wire), o.held)
			}
			if got := reference(wire); !bytes.Equal(got.Data, sent[back:]) || got.Failed {
				t.Errorf("sent again from %d: %d bytes, want %d", back, len(got.Data), len(sent[back:]))
			}
		}
		if o.ack(o.sent + 1) {
			t.Error("what was never sent was acknowledged")
		}
		if o.ack(o.sent); o.head != nil || o.held != 0 {
			t.Errorf("%d bytes held after everything was acknowledged", o.held)
		}
	})
}

func TestParseHeaderLimits(t *testing.T) {
	for _, word := range []uint32{0, 7 << 24, 1 << 24, 1<<24 | (maxPayload + 1), 2<<24 | 2, 3<<24 | (maxClose + 1), 4<<24 | 1, 255 << 24} {
		b := binary.BigEndian.AppendUint32(nil, word)
		if _, _, _, err := parseHeader(append(b, make([]byte, 8)...)); err == nil {
			t.Errorf("header %08x was accepted", word)
		}
	}
}
