package postgres

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// pieces is a connection from which bytes come in pieces of given sizes.
type pieces struct {
	net.Conn
	data  []byte
	sizes []byte
	next  int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := len(p.data)
	if len(p.sizes) > 0 {
		n = 1 + int(p.sizes[p.next%len(p.sizes)])
		p.next++
	}
	n = copy(b, p.data[:min(n, len(p.data))])
	p.data = p.data[n:]
	return n, nil
}

func (*pieces) SetReadDeadline(time.Time) error { return nil }

// sink is a connection that keeps what is written to it.
type sink struct {
	net.Conn
	got    bytes.Buffer
	writes int
}

func (s *sink) Write(b []byte) (int, error) { s.writes++; return s.got.Write(b) }

func testFlow(data, sizes []byte, size int) (*flow, *sink) {
	out := &sink{}
	return &flow{src: &pieces{data: data, sizes: sizes}, dst: out, lender: &buffers{}, size: size, idle: time.Second, stopped: &atomic.Bool{}}, out
}

// split runs a flow over data: frames of type D are streamed, x are dropped, r
// are replaced, all others looked at and passed. It gives the frames looked at.
func split(f *flow, limit int) (seen []string, err error) {
	for {
		if err := f.fill(); err != nil {
			if errors.Is(err, io.EOF) && f.pos == f.end && f.skip == 0 {
				return seen, nil
			}
			return seen, err
		}
		for f.pos < f.end {
			if f.skip > 0 {
				f.skipped()
				continue
			}
			kind, size, complete, err := f.next()
			if err != nil {
				return seen, err
			}
			if size == 0 {
				break
			}
			if kind == 'D' || kind == 'x' {
				f.stream(size, kind == 'x')
				continue
			}
			if !complete {
				if err := f.incomplete(size, limit); err != nil {
					return seen, err
				}
				break
			}
			f.need = 0
			seen = append(seen, string(f.buf[f.pos:f.pos+size]))
			if kind == 'r' {
				f.replace(size, []byte("replaced"))
			} else {
				f.pass(size)
			}
		}
		if err := f.flush(); err != nil {
			return seen, err
		}
	}
}

// Any way of cutting a stream into reads gives the same frames and the same
// bytes out, and what is not looked at comes out as it went in.
func FuzzFrameSplitter(f *testing.F) {
	f.Add(string(frame('Q', "select 1\x00"))+string(frame('D', "abc"))+string(frame('x', "gone"))+string(frame('r', "old")), []byte{0, 3, 1})
	f.Add(string(frame('D', string(make([]byte, 500)))), []byte{200})
	f.Add(string(frame('Q', string(make([]byte, 3000))))+string(frame('Q')), []byte{250, 1})
	f.Add("Q\x00\x00\x00\x03", []byte{})
	f.Add("D\x7f\xff\xff\xffabc", []byte{1})
	f.Fuzz(func(t *testing.T, data string, sizes []byte) {
		const limit = 4096
		whole, out1 := testFlow([]byte(data), nil, 64)
		seen1, err1 := split(whole, limit)
		cut, out2 := testFlow([]byte(data), sizes, 64)
		seen2, err2 := split(cut, limit)
		if !slices.Equal(seen1, seen2) {
			t.Fatalf("%q, but cut: %q", seen1, seen2)
		}
		if (err1 == nil) != (err2 == nil) {
			t.Fatalf("%v, but cut: %v", err1, err2)
		}
		if err1 != nil {
			return
		}
		if !bytes.Equal(out1.got.Bytes(), out2.got.Bytes()) {
			t.Fatalf("%q, but cut: %q", out1.got.Bytes(), out2.got.Bytes())
		}
		if want := expected([]byte(data)); !bytes.Equal(want, out1.got.Bytes()) {
			t.Fatalf("%q came out of %q", out1.got.Bytes(), data)
		}
	})
}

// expected is what split should give, by the plainest way there is.
func expected(data []byte) (out []byte) {
	for len(data) > 0 {
		kind, size, _ := frameSize(data)
		switch kind {
		case 'x':
		case 'r':
			out = append(out, "replaced"...)
		default:
			out = append(out, data[:size]...)
		}
		data = data[size:]
	}
	return out
}

// A header alone makes nothing large ready.
func TestClaimedLengthIsNotAllocated(t *testing.T) {
	f, _ := testFlow([]byte("Q\x10\x00\x00\x00few"), nil, 64)
	if _, err := split(f, 1<<30); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if cap(f.buf) > 1024 {
		t.Errorf("%d bytes were made ready", cap(f.buf))
	}
	f, _ = testFlow([]byte("Q\x10\x00\x00\x00few"), nil, 64)
	if _, err := split(f, 1<<20); !errors.Is(err, errProtocol) {
		t.Errorf("a frame over the limit gave %v", err)
	}
}

func TestUntouchedFramesAreOneWrite(t *testing.T) {
	var data []byte
	for range 50 {
		data = append(data, frame('D', "row")...)
	}
	data = append(data, frame('C', "SELECT 50\x00")...)
	f, out := testFlow(data, nil, 4096)
	f.src.(*pieces).data = data
	if _, err := split(f, 4096); err != nil {
		t.Fatal(err)
	}
	if out.writes > 2 { // the first read, of an idle flow, is a short one
		t.Errorf("%d writes", out.writes)
	}
}
