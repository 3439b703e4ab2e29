package recording

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"
)

func exportOf(t testing.TB, data []byte, export func(*bytes.Buffer, *Reader) error) string {
	t.Helper()
	r, err := NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := export(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func exportV2(out *bytes.Buffer, r *Reader) error { return ExportV2(out, r) }

// TestExportV2: the same events at the same times, and asciinema 2 plays them.
func TestExportV2(t *testing.T) {
	for _, sc := range scripts() {
		data := cast(t, sc.name)
		v2 := exportOf(t, data, exportV2)
		h3, evs := events(t, bytes.NewReader(data))
		h2, got := events(t, strings.NewReader(v2))
		if h2.Version != 2 || h2.Cols != h3.Cols || h2.Rows != h3.Rows || h2.Term != h3.Term || h2.Title != h3.Title {
			t.Errorf("%s: %+v", sc.name, h2)
		}
		var want []Event
		shown := ""
		for _, ev := range evs {
			if ev.Code != CodeNote && ev.Code != CodeExit {
				want = append(want, ev)
			}
			if ev.Code == CodeOutput {
				shown += ev.Data
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", sc.name, diff)
		}
		if asciinema(t, v2) != shown {
			t.Errorf("%s: asciinema shows something else", sc.name)
		}
	}
}

// asciinema gives what its player writes to the terminal, all at once.
func asciinema(t *testing.T, cast string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "v2.cast")
	if err := os.WriteFile(path, []byte(cast), 0o600); err != nil {
		t.Fatal(err)
	}
	terminal, tty, err := pty.Open() // it asks for one, and reads nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = tty.Close(), terminal.Close() }()
	cmd := exec.Command("asciinema", "cat", path)
	cmd.Stdin, cmd.SysProcAttr = tty, &syscall.SysProcAttr{Setsid: true, Setctty: true}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("asciinema: %v", err)
	}
	return string(out)
}

func TestExportText(t *testing.T) {
	text := func(out *bytes.Buffer, r *Reader) error { return ExportText(out, r) }
	got := exportOf(t, cast(t, "bash"), text)
	for _, want := range []string{
		"web-1 # echo hello world\nhello world\nweb-1 # echo 漢字かな交じり文 한국어 👩‍👩‍👧‍👦 🏳️‍🌈 é\n",
		"web-1 # echo a command that is longer than the terminal is wide, so that it goes on in the next row of it\na command that is longer",
		"true colour\nweb-1 # for i in 1 2 3; do\n> echo line $i; done\nline 1\nline 2\nline 3\n",
		strings.ReplaceAll(notes()[:4000], " \n", "\n"), "\n29\n30\n", "web-1 # exit 7\nexit\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.ContainsAny(got, "\x1b\r\b") {
		t.Error("escape sequences are left")
	}
	if vim := exportOf(t, cast(t, "vim"), text); strings.Contains(vim, "line  10") {
		t.Errorf("the screen of an editor is text: %s", vim)
	}
}

// TestExportWithoutTerminal: lines begin at the left, though no carriage return
// was written.
func TestExportWithoutTerminal(t *testing.T) {
	s := open(t)
	w, err := s.Create(Meta{Session: "abc", Action: 1, Command: "seq 3"}, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Output([]byte("1\n2\n3\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(""); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(s.path("abc", 1))
	if err != nil {
		t.Fatal(err)
	}
	if got := exportOf(t, data, func(out *bytes.Buffer, r *Reader) error { return ExportText(out, r) }); got != "1\n2\n3\n" {
		t.Errorf("as text it is %q", got)
	}
	if got := asciinema(t, exportOf(t, data, exportV2)); got != "1\r\n2\r\n3\r\n" {
		t.Errorf("asciinema shows %q", got)
	}
}

func TestExportJSON(t *testing.T) {
	got := exportOf(t, cast(t, "marks"), func(out *bytes.Buffer, r *Reader) error { return ExportJSON(out, r) })
	var in struct {
		Session, Connection, Principal, Verb string
		Cols, Rows                           int
		Events                               []exportedEvent
	}
	if err := json.Unmarshal([]byte(got), &in); err != nil {
		t.Fatal(err)
	}
	if in.Session != "marks" || in.Connection != "web-1" || in.Principal != "alice" || in.Verb != "ssh.shell" || in.Cols != 80 || in.Rows != 24 {
		t.Errorf("it begins with %+v", in)
	}
	var words []string
	var shown strings.Builder
	for _, ev := range in.Events {
		switch ev.Type {
		case "output":
			shown.WriteString(*ev.Data)
		case "command":
			words = append(words, ev.Command.Text)
		case "mark", "signal":
			t.Errorf("there is %+v", ev)
		case "result", "exit":
			words = append(words, ev.Type)
		case "end":
			words = append(words, ev.End.Reason)
		}
	}
	want := []string{
		"echo hello", "result", "false", "result", "for i in 1 2; do\necho $i\ndone", "result", "cat", "a line for cat", "result",
		"sh -c 'exit 3'", "result", "exit", "exit", "closed by the client",
	}
	if diff := cmp.Diff(want, words); diff != "" {
		t.Error(diff)
	}
	_, evs := events(t, bytes.NewReader(cast(t, "marks")))
	for _, ev := range evs {
		if ev.Code == CodeOutput && !strings.Contains(shown.String(), ev.Data) {
			t.Errorf("%q is missing", ev.Data)
		}
	}
}
