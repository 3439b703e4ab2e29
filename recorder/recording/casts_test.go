package recording

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

var update = flag.Bool("update", false, "record the casts anew")

// casts is where the recordings of real programs are kept.
const casts = "../../testdata/casts"

// act is what the user of a terminal does: type, or give it another size.
type act struct {
	keys       string
	cols, rows uint16
}

// script is a program and what is done with it.
type script struct {
	name       string
	run        string // by a shell, in a process namespace of its own
	cols, rows uint16
	acts       []act
}

func keys(all ...string) []act {
	out := make([]act, len(all))
	for i, k := range all {
		out[i] = act{keys: k}
	}
	return out
}

// typed is one act a key.
func typed(text string) []act { return keys(strings.Split(text, "")...) }

func scripts() []script {
	return []script{
		{name: "vim", run: "exec vim -u NONE -i NONE -n -c 'syntax on' notes.txt", cols: 80, rows: 24, acts: join(
			keys("i"), typed("A new first line\r"), keys("\x1b", "5j", "dd", "p", "\x06", "\x06", "\x02", "/seven", "\r", "n"),
			[]act{{cols: 100, rows: 30}}, keys(":vsplit\r", ":set number\r", "G", "gg", "o"), typed("漢字 and 👩‍🚀 here"),
			[]act{{keys: "\x1b"}, {cols: 60, rows: 20}}, keys("u", ":%s/line/LINE/g\r", ":wq\r", ":q\r"))},
		{name: "htop", run: "sleep 60 & sleep 60 & yes >/dev/null & exec htop -d 5", cols: 100, rows: 30, acts: join(
			keys("", "", "\x1b[B", "\x1b[B", "", "t", "", "I"), []act{{cols: 80, rows: 24}}, keys("", "\x1b[15~", "", "/", "sleep", "\r", "", "q"))},
		{name: "top", run: "sleep 60 & yes >/dev/null & exec top -d 0.5", cols: 80, rows: 24, acts: keys("", "", "1", "", "c", "", "q")},
		{name: "less", run: "exec less -S notes.txt", cols: 80, rows: 24, acts: join(
			keys(" ", " ", "b", "j", "j", "k", "/nine", "\r", "n", "N"), []act{{cols: 70, rows: 18}}, keys("G", "g", "-S\r", "\x1b[C", "q"))},
		{name: "bash", run: "exec bash --norc --noprofile -i", cols: 80, rows: 24, acts: join(
			keys(""), typed("echo hello wrold"), keys("\x7f", "\x7f", "\x7f", "\x7f", "\x7f"), typed("world"), keys("\r"),
			typed("echo 漢字かな交じり文 한국어 👩‍👩‍👧‍👦 🏳️‍🌈 é"), keys("\r"), typed("ls -la"), keys("\r"),
			keys("cat notes.txt\r"), typed("read -s -p 'Password: ' x"), keys("\r"), typed("hunter2"), keys("\r"),
			keys("\x1b[A", "\x1b[A", "\x1b[A", "\r"), keys("\x12", "wor", "\r"), typed("cat no"), keys("\t", "\r"),
			keys("printf '\\033[38;2;255;100;0mtrue\\033[0m \\033[7mcolour\\033[0m\\n'\r"),
			typed("for i in 1 2 3; do"), keys("\r"), typed("echo line $i; done"), keys("\r"),
			typed("echo a command that is longer than the terminal is wide, so that it goes on in the next row of it"), keys("\r"),
			[]act{{cols: 60, rows: 15}}, typed("seq 1 30"), keys("\r"), keys("less notes.txt\r", " ", "q"), typed("sleep 9"), keys("\r", "\x03"),
			typed("wrong"), keys("\x15"), typed("exit 7"), keys("\r"))},
	}
}

func join(parts ...[]act) []act {
	var out []act
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// notes is the file that the programs show.
func notes() string {
	var b strings.Builder
	numbers := []string{"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}
	for i := range 120 {
		fmt.Fprintf(&b, "line %3d: %s %s 漢字 %s\n", i+1, numbers[i%10], numbers[i/10%10], strings.Repeat("long ", i%25))
	}
	return b.String()
}

// TestRecordCasts records the programs anew where that is asked for. Then the
// casts are all that changes.
func TestRecordCasts(t *testing.T) {
	if !*update {
		return
	}
	for _, sc := range scripts() {
		t.Run(sc.name, func(t *testing.T) { record(t, sc) })
	}
}

func record(t *testing.T, sc script) {
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "notes.txt"), []byte(notes()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", sc.run)
	cmd.Dir = home
	cmd.Env = []string{"PATH=/usr/bin:/bin", "TERM=xterm-256color", "LANG=C.UTF-8", "PS1=web-1 \\$ ", "HISTFILE=/dev/null", "HOME=/"}
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: sc.cols, Rows: sc.rows})
	if err != nil {
		t.Fatal(err)
	}
	s := open(t)
	w, err := s.Create(Meta{Session: sc.name, Action: 1, Connection: "web-1", Protocol: "ssh", Principal: "alice", Verb: "ssh.shell",
		PTY: true, Term: "xterm-256color", Cols: int(sc.cols), Rows: int(sc.rows)}, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	shown := make(chan struct{}, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for buf := make([]byte, 4096); ; {
			n, err := tty.Read(buf)
			if err != nil {
				return
			}
			if err := w.Output(buf[:n]); err != nil {
				t.Error(err)
			}
			signal(shown)
		}
	}()
	for _, a := range sc.acts {
		perform(t, w, tty, a)
		calm(shown)
	}
	<-ended
	status := 0
	if err := cmd.Wait(); err != nil {
		status = cmd.ProcessState.ExitCode()
	}
	if err := w.Exit(status); err != nil {
		t.Error(err)
	}
	if _, err := w.Close("closed by the client"); err != nil {
		t.Fatal(err)
	}
	keep(t, s, sc.name)
}

func perform(t *testing.T, w *Writer, tty *os.File, a act) {
	if a.cols > 0 {
		err := pty.Setsize(tty, &pty.Winsize{Cols: a.cols, Rows: a.rows})
		if err := errors.Join(err, w.Resize(int(a.cols), int(a.rows))); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := w.Input([]byte(a.keys)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(tty, a.keys); err != nil {
		t.Fatal(err)
	}
}

// calm waits until a program shows nothing new.
func calm(shown <-chan struct{}) {
	for wait := 600 * time.Millisecond; ; wait = 80 * time.Millisecond {
		select {
		case <-shown:
		case <-time.After(wait):
			return
		}
	}
}

// keep writes the recording compressed, without a time that changes.
func keep(t *testing.T, s *Store, name string) {
	data, err := os.ReadFile(s.path(name, 1))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(casts, name+suffix+".gz"), out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// cast gives a recording of a real program.
func cast(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join(casts, name+suffix+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
