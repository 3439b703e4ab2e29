package sftp

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// chopped gives what a reader has in pieces of the sizes that cuts says.
type chopped struct {
	r    io.Reader
	cuts []byte
	n    int
}

func (c *chopped) Read(p []byte) (int, error) {
	if len(c.cuts) > 0 {
		p = p[:min(len(p), 1+int(c.cuts[c.n%len(c.cuts)]))]
		c.n++
	}
	return c.r.Read(p)
}

// conversation is what a client may send without waiting, among it what rules
// deny, what is unknown and what is malformed.
func conversation() []byte {
	return slices.Concat(
		build(fxpOpen, 1, "app/a", uint32(flagRead), uint32(0)),
		build(fxpOpen, 2, "denied/secret", uint32(flagRead), uint32(0)),
		build(fxpRead, 3, "\x00\x00\x00\x00", uint64(0), uint32(3)),
		build(fxpExtended, 4, "unknown@example.com"),
		build(fxpLstat, 5, "app/link"),
		build(fxpStat, 6, "app/link"),
		build(fxpMkdir, 7, "denied/sub", uint32(0)),
		build(fxpRealpath, 8, "."),
		build(fxpStat, 9, "cut\x00off"),
		build(fxpReaddir, 10, "\x00\x00\x00\x00"),
		build(fxpExtended, 11, "limits@openssh.com"),
		build(fxpRename, 12, "app/a", "app/out/a"),
	)
}

// outcome is what one conversation came to.
type outcome struct {
	Answers map[uint32]string // by id
	Server  []string          // kinds and bodies, without our own questions
	Decided []string
}

// converse runs a conversation over a real server, cut as cuts says.
func converse(t testing.TB, dir string, cuts []byte) outcome {
	j := &judge{}
	c := dial(t, j, "-d", dir)
	out := outcome{Answers: map[uint32]string{}}
	// The client waits for its first answer, since it needs the handle.
	text := conversation()
	first := int(binary.BigEndian.Uint32(text)) + headerLen
	feed := func(b []byte, answers int) {
		go io.Copy(c.to, &chopped{r: bytes.NewReader(b), cuts: cuts})
		for range answers {
			f := c.receive()
			out.Answers[f.id()] = string(f)
		}
	}
	feed(text[:first], 1)
	feed(text[first:], 11)
	c.finished()
	for _, f := range c.spy.frames(t) {
		if f.id() < 0xffffff00 {
			out.Server = append(out.Server, string(f))
		}
	}
	for _, e := range j.list() {
		out.Decided = append(out.Decided, e.Op.Verb+" "+e.Op.Text())
	}
	return out
}

// FuzzSplit cuts the same conversation in different places: nothing may depend
// on where a packet ends in a read.
func FuzzSplit(f *testing.F) {
	dir := home(f)
	want := converse(f, dir, nil)
	if len(want.Server) != 6 {
		f.Fatalf("%d packets reached the server, want the start and five", len(want.Server))
	}
	for _, cuts := range []string{"", "\x00", "\x03", "\x08\x00", "\xff\x01\x07"} {
		f.Add([]byte(cuts))
	}
	f.Fuzz(func(t *testing.T, cuts []byte) {
		if diff := cmp.Diff(want, converse(t, dir, cuts)); diff != "" {
			t.Error(diff)
		}
	})
}

// obliging is a server in memory that opens whatever it is asked to and says
// that everything is fine, so that only the inspector stands in the way.
type obliging struct {
	mu     sync.Mutex
	got    []byte
	replyW *io.PipeWriter
}

func (o *obliging) Write(b []byte) (int, error) {
	o.mu.Lock()
	o.got = append(o.got, b...)
	o.mu.Unlock()
	for rest := b; len(rest) >= headerLen; {
		f := frame(rest[:headerLen+binary.BigEndian.Uint32(rest)])
		rest = rest[len(f):]
		if _, err := o.replyW.Write(o.reply(f)); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

func (o *obliging) reply(f frame) frame {
	switch f.kind() {
	case fxpInit:
		return finish(begin(fxpVersion, version))
	case fxpRealpath:
		d := &decoder{b: f.body()}
		name := string(d.bytes())
		return build(fxpName, f.id(), uint32(1), absolute("/home", name), "", uint32(0))
	case fxpOpen, fxpOpendir:
		return build(fxpHandle, f.id(), "h")
	}
	return statusFrame(f.id(), StatusOK, "")
}

// FuzzRequests lets a client send anything. What reaches the server is whole,
// was sent by the client just so, and names nothing that rules deny.
func FuzzRequests(f *testing.F) {
	f.Add(conversation())
	f.Add([]byte(build(fxpOpen, 1, "/home/x", uint32(flagWrite|flagRead), uint32(0))))
	f.Add([]byte(build(fxpWrite, 2, "h", uint64(5), "data")))
	f.Add([]byte(build(fxpExtended, 2, "copy-data", "h", uint64(0), uint64(0), "h", uint64(0))))
	f.Add([]byte(build(fxpSymlink, 2, "../denied/a", "b")))
	f.Fuzz(func(t *testing.T, sent []byte) {
		replyR, replyW := io.Pipe()
		server := &obliging{replyW: replyW}
		var client bytes.Buffer
		j := &judge{}
		i := New(&client, server, j.decide)
		done := make(chan error, 1)
		go func() {
			err := i.Replies(context.Background(), replyR)
			replyR.CloseWithError(io.ErrClosedPipe) // what the server still says nobody reads
			done <- err
		}()
		input := append([]byte(finish(begin(fxpInit, version))), sent...)
		err := i.Requests(context.Background(), bytes.NewReader(input))
		replyW.Close()
		// Opening twice under one name is the obliging server's fault.
		if rerr := <-done; rerr != nil && err == nil && !strings.Contains(rerr.Error(), "open already") {
			t.Error(rerr)
		}
		i.Close()
		split(t, client.Bytes())
		for _, f := range split(t, server.got) {
			checkForwarded(t, input, f)
		}
		for _, e := range j.list() {
			if e.Denied == (e.Ended > 0) || e.Ended > 1 {
				t.Errorf("%s denied %v, ended %d times", e.Op.Text(), e.Denied, e.Ended)
			}
		}
	})
}

func checkForwarded(t *testing.T, input []byte, f frame) {
	t.Helper()
	if f.kind() == fxpRealpath && f.id() > 0xffff0000 {
		return
	}
	if !bytes.Contains(input, f) {
		t.Errorf("the client did not send %q", f)
	}
	switch f.kind() {
	case fxpWrite, fxpRead, fxpClose, fxpReaddir, fxpFstat, fxpFsetstat, fxpExtended, fxpInit:
		return
	}
	d := &decoder{b: f.body()}
	for _, p := range []string{string(d.bytes()), string(d.bytes())} {
		if strings.Contains(absolute("/home", p)+"/", "/denied/") {
			t.Errorf("a denied path reached the server: %q", f)
		}
	}
}

// FuzzReplies lets a server send anything, while two answers of ours are
// written: the client gets whole packets alone.
func FuzzReplies(f *testing.F) {
	versionOnly := finish(begin(fxpVersion, version))
	name := build(fxpName, 0xffffffff, uint32(1), "/home", "", uint32(0))
	f.Add([]byte(slices.Concat(versionOnly, name, build(fxpHandle, 1, "h"), build(fxpData, 3, "abc"))))
	f.Add([]byte(slices.Concat(versionOnly, name, statusFrame(1, 2, "no"))))
	f.Add([]byte(slices.Concat(build(fxpVersion, version, "posix-rename@openssh.com", "1", "x", "y"), name, build(fxpData, 1, "abc"))))
	f.Fuzz(func(t *testing.T, sent []byte) {
		var mu sync.Mutex
		var client bytes.Buffer
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		j := &judge{}
		i := New(writerFunc(func(p []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			return client.Write(p)
		}), io.Discard, j.decide)
		done := make(chan error, 1)
		go func() {
			input := slices.Concat(finish(begin(fxpInit, version)), conversation())
			done <- i.Requests(ctx, bytes.NewReader(input))
		}()
		_ = i.Replies(ctx, bytes.NewReader(sent))
		cancel()
		<-done
		i.Close()
		split(t, client.Bytes())
		for _, e := range j.list() {
			if e.Denied == (e.Ended > 0) || e.Ended > 1 {
				t.Errorf("%s denied %v, ended %d times", e.Op.Text(), e.Denied, e.Ended)
			}
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestPathsAsText cleans paths as the documentation says.
func TestPathsAsText(t *testing.T) {
	for _, c := range [][3]string{
		{"/home/a", "b", "/home/a/b"}, {"/home/a", "../b", "/home/b"}, {"/home/a", "", "/home/a"}, {"/home/a", "/b/../../c//", "/c"},
		{"", "b/../c", "c"}, {"/", "..", "/"},
	} {
		if got := absolute(c[0], c[1]); got != c[2] {
			t.Errorf("absolute(%q, %q) = %q, want %q", c[0], c[1], got, c[2])
		}
	}
	for _, c := range []struct {
		name   string
		follow bool
		want   question
	}{
		{"a/b", true, question{ask: "a/b"}}, {"a/b", false, question{ask: "a/", base: "b"}}, {"b", false, question{base: "b"}},
		{"a/", false, question{ask: "a/"}}, {"a/..", false, question{ask: "a/.."}}, {"/b", false, question{ask: "/", base: "b"}},
	} {
		if got := questionOf(c.name, c.follow); got != c.want {
			t.Errorf("questionOf(%q, %v) = %+v, want %+v", c.name, c.follow, got, c.want)
		}
	}
}
