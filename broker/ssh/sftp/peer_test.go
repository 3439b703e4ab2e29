package sftp

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// proxyEnv makes the test binary stand between a client on its standard input
// and a real server, with what it decides written to the file that it names.
const proxyEnv = "HOOP_SFTP_PROXY_LOG"

func TestMain(m *testing.M) {
	if log := os.Getenv(proxyEnv); log != "" {
		if err := runProxy(log); err != nil {
			fmt.Fprintln(os.Stderr, "proxy:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// serverProgram is OpenSSH's server.
func serverProgram(t testing.TB) string {
	for _, p := range []string{"/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server"} {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	t.Fatal("OpenSSH's sftp-server is needed: apt-get install openssh-sftp-server")
	return ""
}

// entry is what judge noted of one operation.
type entry struct {
	Op     Operation
	Denied bool
	Ended  int
	Result Result
}

// judge denies what leads below a folder called denied and notes everything.
type judge struct {
	mu      sync.Mutex
	entries []*entry
	before  func(*Operation)
}

func (j *judge) decide(_ context.Context, op *Operation) (func(Result), error) {
	if j.before != nil {
		j.before(op)
	}
	e := &entry{Op: *op}
	for _, p := range []string{op.Path, op.NewPath, op.Named, op.NewNamed} {
		if strings.Contains(p+"/", "/denied/") {
			e.Denied = true
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, e)
	if e.Denied {
		return nil, errors.New("denied by policy: keep out")
	}
	return func(r Result) {
		j.mu.Lock()
		defer j.mu.Unlock()
		e.Ended++
		e.Result = r
	}, nil
}

func (j *judge) list() []entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]entry, len(j.entries))
	for n, e := range j.entries {
		out[n] = *e
	}
	return out
}

// runProxy inspects standard input and output against a real server.
func runProxy(log string) error {
	cmd := exec.Command(os.Getenv("HOOP_SFTP_SERVER"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	j := &judge{}
	i := New(os.Stdout, in, j.decide)
	requests := make(chan error, 1)
	go func() {
		err := i.Requests(context.Background(), os.Stdin)
		requests <- errors.Join(err, in.Close())
	}()
	err = errors.Join(i.Replies(context.Background(), out), <-requests, cmd.Wait())
	i.Close()
	text, jerr := json.Marshal(j.list())
	return errors.Join(err, jerr, os.WriteFile(log, text, 0o600))
}

// client is a bare peer that sends what it is told to.
type client struct {
	t        testing.TB
	to       io.WriteCloser
	from     *stream
	id       uint32
	judge    *judge
	spy      *spy
	finished func()
	requests chan error
	replies  chan error
}

// spy notes what reaches the server.
type spy struct {
	mu   sync.Mutex
	w    io.WriteCloser
	seen []byte
}

func (s *spy) Write(b []byte) (int, error) {
	s.mu.Lock()
	s.seen = append(s.seen, b...)
	s.mu.Unlock()
	return s.w.Write(b)
}

// frames are the kinds and bodies that the server got.
func (s *spy) frames(t testing.TB) []frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	return split(t, s.seen)
}

func split(t testing.TB, b []byte) (out []frame) {
	for len(b) > 0 {
		n := int(binary.BigEndian.Uint32(b)) + headerLen
		if n > len(b) {
			t.Fatalf("a torn frame: %d bytes of %d", len(b), n)
		}
		out, b = append(out, b[:n]), b[n:]
	}
	return out
}

// dial starts a real server with an inspector in front, in a folder of its own.
func dial(t testing.TB, j *judge, arg ...string) *client {
	t.Helper()
	c := dialRaw(t, j, arg...)
	c.send(finish(begin(fxpInit, version)))
	if f := c.receive(); f.kind() != fxpVersion {
		t.Fatalf("got packet %d instead of a version", f.kind())
	}
	return c
}

func dialRaw(t testing.TB, j *judge, arg ...string) *client {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.Command(serverProgram(t), arg...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fromClient, toInspector := io.Pipe()
	fromInspector, toClient := io.Pipe()
	c := &client{t: t, to: toInspector, from: newStream(fromInspector, "inspector"), judge: j, spy: &spy{w: in},
		requests: make(chan error, 1), replies: make(chan error, 1)}
	i := New(toClient, c.spy, j.decide)
	var wg sync.WaitGroup
	wg.Go(func() {
		err := i.Requests(ctx, fromClient)
		in.Close()
		fromClient.CloseWithError(io.ErrClosedPipe)
		c.requests <- err
	})
	wg.Go(func() {
		err := i.Replies(ctx, out)
		toClient.Close()
		c.replies <- err
	})
	var once sync.Once
	c.finished = func() {
		once.Do(func() {
			toInspector.Close()
			go io.Copy(io.Discard, fromInspector)
			wg.Wait()
			cancel()
			cmd.Wait()
			i.Close()
		})
	}
	t.Cleanup(c.finished)
	return c
}

func (c *client) send(f frame) {
	c.t.Helper()
	if _, err := c.to.Write(f); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

func (c *client) receive() frame {
	c.t.Helper()
	f, err := c.from.first()
	if err != nil {
		c.t.Fatalf("receive: %v", err)
	}
	out := append(frame{}, f...)
	c.from.drop(f)
	return out
}

// ask sends one request whose fields are strings, uint32, uint64 or raw bytes,
// and gives the answer.
func (c *client) ask(kind byte, fields ...any) frame {
	c.t.Helper()
	c.id++
	c.send(build(kind, c.id, fields...))
	f := c.receive()
	if f.id() != c.id {
		c.t.Fatalf("an answer with id %d, not %d", f.id(), c.id)
	}
	return f
}

func build(kind byte, id uint32, fields ...any) frame {
	b := begin(kind, id)
	for _, f := range fields {
		switch v := f.(type) {
		case string:
			b = appendString(b, v)
		case uint32:
			b = binary.BigEndian.AppendUint32(b, v)
		case uint64:
			b = binary.BigEndian.AppendUint64(b, v)
		case []byte:
			b = append(b, v...)
		default:
			panic("what is this field?")
		}
	}
	return finish(b)
}

// status asks and wants a status.
func (c *client) status(kind byte, fields ...any) (uint32, string) {
	c.t.Helper()
	f := c.ask(kind, fields...)
	if f.kind() != fxpStatus {
		c.t.Fatalf("got packet %d instead of a status", f.kind())
	}
	d := &decoder{b: f.body()}
	return d.uint32(), string(d.bytes())
}

// open asks for a handle.
func (c *client) open(path string, flags uint32) string {
	c.t.Helper()
	f := c.ask(fxpOpen, path, flags, uint32(0))
	if f.kind() != fxpHandle {
		c.t.Fatalf("open %s: packet %d %q", path, f.kind(), f.body())
	}
	d := &decoder{b: f.body()}
	return string(d.bytes())
}

// home is a folder with files, links and a place that rules deny.
func home(t testing.TB) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"app", "denied"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string]string{"app/a": "alpha", "denied/secret": "topsecret"}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"app/link": "../denied/secret", "app/out": "../denied", "app/new": "../denied/new", "app/rel": "a"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// eventually waits for what another goroutine is about to do.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 2000 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s did not happen", what)
}
