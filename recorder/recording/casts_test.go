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
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

var update = flag.Bool("update", false, "record the casts anew")

// casts is where recordings of real programs are kept, and tapes what real
// shells and their users said.
const (
	casts = "../../testdata/casts"
	tapes = "../../testdata/casts/tapes"
)

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
	shell      bool // commands are derived from it
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
			keys("", "i"), typed("A new first line\r"), keys("\x1b", "5j", "dd", "p", "\x06", "\x06", "\x02", "/seven", "\r", "n"),
			resized(100, 30), keys(":vsplit\r", ":set number\r", "G", "gg", "o"), typed("漢字 and 👩‍🚀 here"),
			keys("\x1b"), resized(60, 20), keys("u", ":%s/line/LINE/g\r", ":wq\r", ":q\r"))},
		{name: "htop", run: "sleep 60 & sleep 60 & yes >/dev/null & exec htop -d 5", cols: 100, rows: 30, acts: join(
			keys("", "", "\x1b[B", "\x1b[B", "", "t", "", "I"), resized(80, 24), keys("", "\x1b[15~", "", "/", "sleep", "\r", "", "q"))},
		{name: "top", run: "sleep 60 & yes >/dev/null & exec top -d 0.5", cols: 80, rows: 24, acts: keys("", "", "1", "", "c", "", "q")},
		{name: "less", run: "exec less -S notes.txt", cols: 80, rows: 24, acts: join(
			keys("", " ", " ", "b", "j", "j", "k", "/nine", "\r", "n", "N"), resized(70, 18), keys("G", "g", "-S\r", "\x1b[C", "q"))},
		{name: "bash", run: "exec bash --norc --noprofile -i", cols: 80, rows: 24, shell: true, acts: join(
			keys(""), typed("echo hello wrold"), keys("\x7f", "\x7f", "\x7f", "\x7f", "\x7f"), typed("world"), keys("\r"),
			typed("echo 漢字かな交じり文 한국어 👩‍👩‍👧‍👦 🏳️‍🌈 é"), keys("\r"), typed("ls -a"), keys("\r"),
			keys("cat notes.txt\r"), typed("read -s -p 'Password: ' x; echo"), keys("\r"), typed("hunter2"), keys("\r"),
			keys("\x1b[A", "\x1b[A", "\x1b[A", "\r"), keys("\x12", "wor", "\x12", "\r"), typed("cat no"), keys("\t", "\r"),
			keys("printf '\\033[38;2;255;100;0mtrue\\033[0m \\033[7mcolour\\033[0m\\n'\r"),
			typed("for i in 1 2 3; do"), keys("\r"), typed("echo line $i; done"), keys("\r"),
			typed("echo a command that is longer than the terminal is wide, so that it goes on in the next row of it"), keys("\r"),
			typed("echo middle"), keys("\x1b[D", "\x1b[D", "\x1b[D"), typed("XY"), keys("\x01", "\x1b[C"), typed("Z"), keys("\x7f", "\r"),
			typed("mkdir no1 no2"), keys("\r"), typed("ls no"), keys("\t\t", "1", "\r"), // the list moves the prompt
			resized(60, 15), typed("seq 1 30"), keys("\r"), keys("less notes.txt\r", " ", "q"), typed("sleep 9"), keys("\r", "\x03"),
			typed("sleep 1"), keys("\recho ahead\r", "", ""), keys("\x1b[200~echo one\necho two\x1b[201~", "\r"),
			typed("wrong"), keys("\x15"), typed("clear"), keys("\r"), typed("exit 7"), keys("\r"))},
		{name: "zsh", run: "PS1='web-1 %# ' exec zsh -f -i", cols: 80, rows: 24, shell: true, acts: join(
			keys(""), typed("PS1='web-1 %# '"), keys("\r"), typed("echo hello"), keys("\r"), typed("ls no"), keys("\t", "\r"),
			keys("\x1b[A", "\x1b[A", "\r"), typed("read -s x"), keys("\r"), typed("hunter2"), keys("\r"), typed("for i in 1 2; do"), keys("\r"),
			typed("echo $i; done"), keys("\r"), typed("echo 漢字 a command that is longer than the terminal is wide, so that it goes on in the next row"), keys("\r"),
			typed("exit"), keys("\r"))},
		{name: "fish", run: "XDG_CONFIG_HOME=$PWD/.c XDG_DATA_HOME=$PWD/.d exec fish --no-config -i -C 'function fish_prompt; echo -n \"web-1> \"; end; function fish_title; end'", cols: 80, rows: 24, shell: true, acts: join(
			keys("", "", ""), typed("echo hello"), keys("\r"), typed("cat no"), keys("\t", "\r"), typed("echo hel"), keys("\x1b[C", "\r"),
			typed("read -s x"), keys("\r"), typed("hunter2"), keys("\r"), typed("exit"), keys("\r"))},
		{name: "marks", run: "exec bash --rcfile marks.sh -i", cols: 80, rows: 24, shell: true, acts: join(
			keys(""), typed("echo hello"), keys("\r"), typed("false"), keys("\r"), keys("\r"), typed("for i in 1 2; do"), keys("\r"), typed("echo $i"), keys("\r"), typed("done"), keys("\r"),
			typed("cat"), keys("\r"), typed("a line for cat"), keys("\r", "\x04"), typed("sh -c 'exit 3'"), keys("\r"), typed("exit"), keys("\r"))},
	}
}

// marks has bash write OSC 133 marks.
const marks = `PS1='\[\e]133;A\a\]web-1 \$ \[\e]133;B\a\]'
PS0='\[\e]133;C\a\]'
PROMPT_COMMAND='printf "\033]133;D;%s\a" $?'
`

func resized(cols, rows uint16) []act { return []act{{cols: cols, rows: rows}} }

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

// tape is all that passed between a program and its user, in order, with every
// key: what a Writer is given, not what it writes.
type tape struct {
	mu     sync.Mutex
	start  time.Time
	header Header
	events []Event
}

func (p *tape) add(code byte, data string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, Event{Time: time.Since(p.start), Code: code, Data: data})
}

func record(t *testing.T, sc script) {
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "notes.txt"), []byte(notes()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "marks.sh"), []byte(marks), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", sc.run)
	cmd.Dir = home
	cmd.Env = []string{"PATH=/usr/bin:/bin", "TERM=xterm-256color", "LANG=C.UTF-8", "PS1=web-1 \\$ ", "HISTFILE=/dev/null", "HOME=/nowhere"}
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: sc.cols, Rows: sc.rows})
	if err != nil {
		t.Fatal(err)
	}
	p := &tape{start: time.Now(), header: Header{Cols: int(sc.cols), Rows: int(sc.rows)}}
	shown := make(chan struct{}, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var whole runes // a tape is UTF-8 too
		for buf := make([]byte, 4096); ; {
			n, err := tty.Read(buf)
			if err != nil {
				return
			}
			joint, rest := whole.split(buf[:n])
			p.add(CodeOutput, string(joint)+string(rest))
			signal(shown)
		}
	}()
	for _, a := range sc.acts {
		perform(t, p, tty, a)
		calm(shown)
	}
	<-ended
	if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() < 0 {
		t.Fatal(err)
	}
	p.add(CodeExit, fmt.Sprint(cmd.ProcessState.ExitCode()))
	if sc.shell {
		p.keep(t, sc.name)
	}
	compress(t, filepath.Join(casts, sc.name+suffix+".gz"), play(t, sc.name, p))
}

func perform(t *testing.T, p *tape, tty *os.File, a act) {
	if a.cols > 0 {
		p.add(CodeResize, fmt.Sprintf("%dx%d", a.cols, a.rows))
		if err := pty.Setsize(tty, &pty.Winsize{Cols: a.cols, Rows: a.rows}); err != nil {
			t.Fatal(err)
		}
		return
	}
	p.add(CodeInput, a.keys)
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

// keep writes the tape in the form of a recording.
func (p *tape) keep(t *testing.T, name string) {
	lines, err := encodeHeader(&Meta{Session: name, Cols: p.header.Cols, Rows: p.header.Rows, Start: p.start})
	if err != nil {
		t.Fatal(err)
	}
	var last time.Duration
	for _, ev := range p.events {
		at := ev.Time.Truncate(time.Microsecond)
		lines = appendEvent(lines, at-last, ev.Code, []byte(ev.Data))
		last = at
	}
	compress(t, filepath.Join(tapes, name+suffix+".gz"), lines)
}

// play gives the recording that a Writer makes of a tape.
func play(t testing.TB, name string, p *tape) []byte {
	t.Helper()
	now := p.start
	s, err := Open(t.TempDir(), Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Create(Meta{Session: name, Action: 1, Connection: "web-1", Protocol: "ssh", Principal: "alice", Verb: "ssh.shell",
		PTY: true, Term: "xterm-256color", Cols: p.header.Cols, Rows: p.header.Rows}, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range p.events {
		w.mu.Lock() // the flusher looks at the clock too
		now = p.start.Add(ev.Time)
		w.mu.Unlock()
		if err := feed(w, ev); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close("closed by the client"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(s.path(name, 1))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func feed(w *Writer, ev Event) error {
	switch ev.Code {
	case CodeOutput:
		return w.Output([]byte(ev.Data))
	case CodeInput:
		return w.Input([]byte(ev.Data))
	case CodeResize:
		cols, rows, err := ev.Size()
		return errors.Join(err, w.Resize(cols, rows))
	}
	status, err := strconv.Atoi(ev.Data)
	return errors.Join(err, w.Exit(status))
}

func compress(t *testing.T, path string, data []byte) {
	t.Helper()
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// loadTape reads what passed between a shell and its user.
func loadTape(t testing.TB, name string) *tape {
	t.Helper()
	h, evs := events(t, bytes.NewReader(decompress(t, filepath.Join(tapes, name+suffix+".gz"))))
	return &tape{start: h.Start, header: h, events: evs}
}

// cast gives a recording of a real program.
func cast(t testing.TB, name string) []byte {
	t.Helper()
	return decompress(t, filepath.Join(casts, name+suffix+".gz"))
}

func decompress(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
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
