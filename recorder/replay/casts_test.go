package replay

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
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
	"unicode/utf8"

	"github.com/creack/pty"
)

var update = flag.Bool("update", false, "record the casts of this package anew (needs vim, htop, less, bash)")

// casts is where recordings of real programs are kept.
const casts = "../../testdata/casts"

// program is one that is recorded, and what is typed into it.
type program struct {
	name       string
	version    int // of asciicast
	run        string
	cols, rows uint16
	keys       []string
}

func programs() []program {
	return []program{
		{"replay-vim", 3, "exec vim -u NONE -i NONE -N -c 'syntax on' -c 'set number hlsearch ruler' config.go", 80, 24, []string{
			"", "\x06", "\x06", "\x02", "/return\r", "n", "n", ":vsplit\r", "G", "\x17l", "gg", "o", "// 漢字 and é\x1b", "5j", "dd", "p", "u",
			":split\r", "\x17j", "\x04", "\x15", ":%s/func/FUNC/g\r", "V5jd", ":set list\r", ":sp | term\r", "ls -la\r", "exit\r", ":qa!\r"}},
		{"replay-htop", 3, "sleep 90 & sleep 80 & yes >/dev/null & exec htop -d 4", 100, 30, []string{
			"", "\x1b[B", "\x1b[B", "", "t", "", "I", "\x1b[15~", "", "/", "slee", "\r", "H", "", "\x1b[17~", "\x1b[B", "\r", "?", " ", "", "q"}},
		{"replay-less", 2, "exec less -RS config.go", 80, 24, []string{
			"", " ", " ", "b", "j", "k", "k", "/return\r", "n", "N", "G", "g", "\x1b[C", "\x1b[D", "-S\r", " ", "u", "h", "\r", "q", "&func\r", "q"}},
		{"replay-cjk", 3, "exec bash --norc --noprofile -i", 80, 24, []string{
			"", "echo 漢字かな交じり文 한국어 中文 é ñ\r", "echo '👍 🎉 ⚡ 日本🗾語 ❯ → ✓ ░▒▓'\r", "ls --color=always -la\r",
			"printf '\\e[38;2;255;120;0mtruecolor\\e[0m \\e[48;5;24m256\\e[0m \\e[7m反転\\e[0m \\e[4;1m太字\\e[0m\\n'\r",
			"for i in $(seq 30); do echo \"行 $i 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字x\"; done\r",
			"漢字を\x7f\x7f消す", "\x15", "echo 日本語の長い行はここで折り返されて次の行に続くのでカーソルの位置が大切になる長い長い行です\x01\x05\r",
			"clear\r", "seq -s ' 列 ' 200\r", "less config.go\r", " ", "q", "echo e\u0301 a\u0308 終わり\r", "exit\r"}},
	}
}

// TestRecordCasts records the programs anew where that is asked for.
func TestRecordCasts(t *testing.T) {
	if !*update {
		return
	}
	for _, p := range programs() {
		t.Run(p.name, func(t *testing.T) { record(t, p) })
	}
}

func record(t *testing.T, p program) {
	home := t.TempDir()
	source, err := os.ReadFile("player.go")
	if err := errors.Join(err, os.WriteFile(filepath.Join(home, "config.go"), source, 0o600)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", p.run)
	cmd.Dir = home
	cmd.Env = []string{"PATH=/usr/bin:/bin", "TERM=xterm-256color", "LC_ALL=C.UTF-8", "PS1=web-1:~$ ", "HISTFILE=/dev/null", "HOME=" + home}
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: p.cols, Rows: p.rows})
	if err != nil {
		t.Fatal(err)
	}
	shown := make(chan []byte)
	go func() {
		defer close(shown)
		for buf := make([]byte, 4096); ; {
			n, err := tty.Read(buf)
			if err != nil {
				return
			}
			shown <- bytes.Clone(buf[:n])
		}
	}()
	c := newCast(p)
	for _, k := range p.keys {
		if _, err := io.WriteString(tty, k); err != nil {
			t.Fatal(err)
		}
		c.until(shown, 350*time.Millisecond)
	}
	c.until(shown, 3*time.Second)
	_ = cmd.Wait()
	keep(t, p.name, c.text.Bytes())
}

// cast writes an asciicast.
type cast struct {
	text        bytes.Buffer
	version     int
	start, last time.Time
	partly      []byte // of a character
}

func newCast(p program) *cast {
	c := &cast{version: p.version, start: time.Now()}
	c.last = c.start
	if p.version == 2 {
		fmt.Fprintf(&c.text, "{\"version\":2,\"width\":%d,\"height\":%d,\"title\":%q}\n", p.cols, p.rows, p.name)
	} else {
		fmt.Fprintf(&c.text, "{\"version\":3,\"term\":{\"cols\":%d,\"rows\":%d},\"title\":%q}\n", p.cols, p.rows, p.name)
	}
	return c
}

// until writes what comes, until nothing has for a while or it was enough.
func (c *cast) until(shown <-chan []byte, quiet time.Duration) {
	enough := time.After(2 * quiet)
	for {
		select {
		case b, ok := <-shown:
			if !ok {
				return
			}
			c.output(b)
		case <-time.After(quiet):
			return
		case <-enough:
			return
		}
	}
}

func (c *cast) output(b []byte) {
	b = append(c.partly, b...)
	n := len(b)
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if utf8.RuneStart(b[len(b)-i]) && !utf8.FullRune(b[len(b)-i:]) {
			n = len(b) - i
		}
	}
	c.partly = bytes.Clone(b[n:])
	now := time.Now()
	seconds := now.Sub(c.last).Seconds()
	if c.version == 2 {
		seconds = now.Sub(c.start).Seconds()
	}
	c.last = now
	text, _ := json.Marshal(string(b[:n]))
	fmt.Fprintf(&c.text, "[%.6f, \"o\", %s]\n", seconds, text)
}

func keep(t *testing.T, name string, text []byte) {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	_, err := z.Write(text)
	if err := errors.Join(err, z.Close(), os.WriteFile(filepath.Join(casts, name+".cast.gz"), out.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// load reads a recording of a real program.
func load(t testing.TB, name string) *Recording {
	t.Helper()
	f, err := os.Open(filepath.Join(casts, name+".cast.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := Read(z)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func player(t testing.TB, rec *Recording) *Player {
	t.Helper()
	p, err := NewPlayer(t.Context(), rec)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rows is what stands on the screen.
func rows(p *Player) []string {
	_, n := p.Screen().Size()
	out := make([]string, n)
	for y := range out {
		out[y] = p.Screen().Text(y)
	}
	return out
}

// parse reads a recording that a test wrote.
func parse(t testing.TB, lines ...string) *Recording {
	t.Helper()
	rec, err := Read(strings.NewReader(strings.Join(lines, "\n") + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return rec
}
