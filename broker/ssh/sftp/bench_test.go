package sftp

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// BenchmarkStat asks a real server for the attributes of a file: with an
// inspector in front, the server is asked where the path leads as well.
func BenchmarkStat(b *testing.B) {
	path := filepath.Join(home(b), "app", "a")
	b.Run("direct", func(b *testing.B) {
		cmd := exec.Command(serverProgram(b))
		in, err := cmd.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		c := &client{t: b, to: in, from: newStream(out, "server")}
		c.send(finish(begin(fxpInit, version)))
		c.receive()
		for b.Loop() {
			c.ask(fxpStat, path)
		}
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("inspected", func(b *testing.B) {
		c := dial(b, &judge{})
		for b.Loop() {
			c.ask(fxpStat, path)
		}
	})
}

// BenchmarkWrites is what the inspector costs a transfer, SHA-256 included.
func BenchmarkWrites(b *testing.B) {
	data := string(make([]byte, 32<<10))
	f := build(fxpWrite, 1, "h", uint64(0), data)
	i := New(writerFunc(func(p []byte) (int, error) { return len(p), nil }), writerFunc(func(p []byte) (int, error) { return len(p), nil }), nil)
	h := &handle{access: canWrite}
	i.table.handles["h"] = h
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		p, refused := i.passing(f)
		if refused != nil {
			b.Fatal(refused.message)
		}
		h.written.next = 0 // each one follows the last
		i.table.slots <- struct{}{}
		if err := i.table.add(1, *p); err != nil {
			b.Fatal(err)
		}
		i.table.answered(1)
	}
}
