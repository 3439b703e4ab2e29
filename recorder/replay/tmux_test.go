package replay

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoop/recorder/terminal"
)

// tmux is a real terminal to compare with: a server of its own on a socket of
// its own, without configuration and status line.
type tmux struct {
	t   *testing.T
	dir string
}

func (x *tmux) run(args ...string) string {
	x.t.Helper()
	c := exec.Command("tmux", append([]string{"-u", "-S", filepath.Join(x.dir, "s"), "-f", filepath.Join(x.dir, "conf")}, args...)...)
	c.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TERM=xterm-256color", "TMUX=")
	out, err := c.CombinedOutput()
	if err != nil {
		x.t.Fatalf("tmux %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// tmuxRows is what tmux shows after the bytes in a file, as text and as drawn.
func tmuxRows(t *testing.T, file string, cols, rows int) (plain, styled []string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "tmux") // a short path: it becomes a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	x := &tmux{t, dir}
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte("set -g status off\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// The title comes after everything, so that what it is tells how far tmux
	// has come. Replies of tmux to queries must not be echoed.
	script := fmt.Sprintf("stty raw -echo; cat '%s'; printf '\\033]2;all-shown\\007'; exec sleep 600", file)
	x.run("new-session", "-d", "-x", fmt.Sprint(cols), "-y", fmt.Sprint(rows), script)
	t.Cleanup(func() { x.run("kill-server") })
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if strings.TrimSpace(x.run("display-message", "-p", "#{pane_title}")) == "all-shown" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("tmux did not show everything within 30 s")
		}
	}
	if got, want := strings.TrimSpace(x.run("display-message", "-p", "#{pane_width}x#{pane_height}")), fmt.Sprintf("%dx%d", cols, rows); got != want {
		t.Fatalf("tmux is %s, not %s", got, want)
	}
	plain = strings.Split(strings.TrimSuffix(x.run("capture-pane", "-p"), "\n"), "\n")
	for i := range plain {
		plain[i] = strings.TrimRight(plain[i], " ")
	}
	return plain, drawn(terminalOf(x.run("capture-pane", "-p", "-e"), cols, rows))
}

// terminalOf shows what capture-pane -e printed. Attributes hold on from row to
// row there.
func terminalOf(captured string, cols, rows int) *terminal.Terminal {
	term := terminal.New(cols, rows)
	for y, row := range strings.Split(strings.TrimSuffix(captured, "\n"), "\n") {
		_, _ = fmt.Fprintf(term, "\x1b[%dH%s", y+1, row)
	}
	return term
}

// drawn is every row with its colours and attributes. Blanks at the end are
// left out: capture-pane leaves them out, whatever their background.
func drawn(term *terminal.Terminal) []string {
	cols, rows := term.Size()
	out := make([]string, rows)
	for y := range out {
		row := string(term.AppendRow(nil, y, terminal.View{Cols: cols, Palette: terminal.TrueColor}))
		out[y] = blanks.ReplaceAllString(row, "")
	}
	return out
}

var blanks = regexp.MustCompile(`(\x1b\[[0-9;]*m| )*$`)

// The screens of real programs are those that tmux shows for the same bytes,
// whether the player comes there from before, from behind, or playing.
func TestScreensEqualTmux(t *testing.T) {
	for _, name := range []string{"replay-vim", "replay-htop", "replay-less", "replay-cjk"} {
		rec := load(t, name)
		for _, percent := range []int{10, 20, 30, 40, 50, 60, 70, 80, 90} {
			t.Run(fmt.Sprintf("%s at %d %%", name, percent), func(t *testing.T) {
				at := rec.Length * time.Duration(percent) / 100
				file := filepath.Join(t.TempDir(), "bytes")
				if err := os.WriteFile(file, shownBy(rec, at), 0o600); err != nil {
					t.Fatal(err)
				}
				want, styled := tmuxRows(t, file, rec.Cols, rec.Rows)
				if blank := strings.TrimSpace(strings.Join(want, "")) == ""; blank {
					t.Fatal("tmux shows nothing, so that anything would do")
				}
				p := player(t, rec)
				p.SeekTo(at)
				compare(t, "from the start", want, rows(p))
				compare(t, "colours and attributes", styled, drawn(p.Screen()))
				p.SeekTo(rec.Length)
				p.SeekTo(at)
				compare(t, "from the end", want, rows(p))
				p.SeekTo(0)
				for p.Advance(at); p.At() < at; {
					p.Advance(at - p.At())
				}
				compare(t, "playing", want, rows(p))
			})
		}
	}
}

// Other recordings of real programs are no different, until their terminal takes
// another size: tmux then wraps lines anew. The one of bash is left out: it shows
// emoji whose width newer versions of tmux see otherwise.
func TestOtherScreensEqualTmux(t *testing.T) {
	for _, name := range []string{"top", "vim", "less", "htop", "zsh", "fish", "marks"} {
		rec := load(t, name)
		until := rec.Length
		for _, e := range rec.events {
			if e.cols > 0 {
				until = e.at - 1
				break
			}
		}
		for _, percent := range []int{50, 90} {
			t.Run(fmt.Sprintf("%s at %d %%", name, percent), func(t *testing.T) {
				at := until * time.Duration(percent) / 100
				file := filepath.Join(t.TempDir(), "bytes")
				if err := os.WriteFile(file, shownBy(rec, at), 0o600); err != nil {
					t.Fatal(err)
				}
				want, styled := tmuxRows(t, file, rec.Cols, rec.Rows)
				p := player(t, rec)
				p.SeekTo(at)
				compare(t, "as text", want, rows(p))
				compare(t, "colours and attributes", styled, drawn(p.Screen()))
			})
		}
	}
}

func compare(t *testing.T, how string, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-tmux +player):\n%s", how, diff)
	}
}

// shownBy is what a program had written at a time.
func shownBy(rec *Recording, at time.Duration) []byte {
	var out []byte
	for _, e := range rec.events {
		if e.at <= at {
			out = append(out, rec.output[e.from:e.to]...)
		}
	}
	return out
}
