package cli

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"hoop/broker/api"
	"hoop/recorder/replay"
)

func castFile(t *testing.T, name string) (string, *replay.Player) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "testdata", "casts", name+".cast.gz"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := openCast(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return path, p
}

// shownAt is what a recording showed at a time, row by row.
func shownAt(p *replay.Player, at time.Duration) []string {
	p.SeekTo(at)
	_, n := p.Screen().Size()
	rows := make([]string, n)
	for y := range rows {
		rows[y] = p.Screen().Text(y)
	}
	return rows
}

// showsRows waits until the rows stand at the top of the terminal.
func (x *terminal) showsRows(rows []string) {
	x.t.Helper()
	x.until(fmt.Sprintf("what was recorded:\n%s\n", strings.Join(rows, "\n")), func(now string) bool {
		for i, l := range strings.Split(now, "\n")[:len(rows)] {
			if strings.TrimRight(l, " ") != rows[i] {
				return false
			}
		}
		return true
	})
}

// A recording is shown on a real terminal as it was, goes where keys say, and
// leaves the terminal as it was.
func TestReplayOnATerminal(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"replay-vim", "replay-htop", "replay-cjk"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, p := castFile(t, name)
			rec := p.Recording()
			half := rec.Length / 2
			x := onTerminalOf(t, hoopCommand(t, clientEnv(t.TempDir()), "sessions", "replay", "--file", path, "--speed", "0.1", "--idle", "0", "--from", half.String()),
				uint16(rec.Cols), uint16(rec.Rows+1))
			x.shows("▶")
			x.type_(" ")
			x.shows("⏸")
			x.type_("5")
			x.showsRows(shownAt(p, half))
			x.type_("9")
			x.showsRows(shownAt(p, rec.Length*9/10))
			x.type_("2")
			x.showsRows(shownAt(p, rec.Length*2/10))
			x.type_("z")
			x.shows("$ hoop sessions replay --file ")
			if err := pty.Setsize(x.file, &pty.Winsize{Rows: 10, Cols: 40}); err != nil {
				t.Fatal(err)
			}
			x.mu.Lock()
			x.vt.resize(40, 10)
			x.mu.Unlock()
			x.type_("?")
			x.shows("Keys that are valid here")
			x.type_("?zq")
			x.left(0)
		})
	}
}

// left checks that a program ended with a code and left the terminal as it was.
func (x *terminal) left(code int) {
	x.t.Helper()
	if got := x.end(); got != code {
		x.t.Errorf("it ended with %d, want %d:\n%s", got, code, x.now())
	}
	if x.vt.altScreen || x.vt.cursorHidden || len(x.vt.unknown) > 0 {
		x.t.Errorf("the terminal is left behind: alternate screen %v, cursor hidden %v; not understood: %q", x.vt.altScreen, x.vt.cursorHidden, x.vt.unknown)
	}
}

func TestReplayIsStopped(t *testing.T) {
	t.Parallel()
	path, _ := castFile(t, "replay-htop")
	for name, c := range map[string]struct {
		stop func(*terminal)
		code int
	}{
		"by ctrl-c":  {func(x *terminal) { x.type_("\x03") }, 0},
		"by SIGTERM": {func(x *terminal) { _ = x.cmd.Process.Signal(syscall.SIGTERM) }, 143},
		"by SIGINT":  {func(x *terminal) { _ = x.cmd.Process.Signal(syscall.SIGINT) }, 130},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := onTerminalOf(t, hoopCommand(t, clientEnv(t.TempDir()), "sessions", "replay", "--file", path, "--tui"), 100, 30)
			x.shows("hoop · replay of")
			c.stop(x)
			x.left(c.code)
		})
	}
}

func TestReplayUsage(t *testing.T) {
	t.Parallel()
	path, _ := castFile(t, "replay-less")
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"", 2, "name either a session or a file"},
		{"--file " + path + " abc", 2, "name either a session or a file"},
		{"--file " + path, 2, "on a terminal alone"},
		{"--file /nowhere.cast", 2, "on a terminal alone"},
		{"--file " + path + " --action 1", 2, "--action"},
		{"--file " + path + " --speed 0", 2, "--speed"},
		{"--file " + path + " --speed NaN", 2, "--speed"},
		{"--file " + path + " --idle -1s", 2, "--idle"},
		{"--file " + path + " --from soon", 2, "--from"},
		{"--file " + path + " --from 1:2:3:4", 2, "--from"},
	} {
		r := hoop(t, clientEnv(t.TempDir()), append([]string{"sessions", "replay"}, strings.Fields(c.args)...)...).must(t, c.code)
		if !strings.Contains(r.stderr, c.says) || r.stdout != "" {
			t.Errorf("%s: %q %q", c.args, r.stdout, r.stderr)
		}
	}
	for s, want := range map[string]time.Duration{"2m40s": 160 * time.Second, "2:40": 160 * time.Second, "1:02:40": 3760 * time.Second, "90": 90 * time.Second, "0s": 0, "500ms": 500 * time.Millisecond} {
		if got, err := parseOffset(s); got != want || err != nil {
			t.Errorf("%s is %s, %v", s, got, err)
		}
	}
	x := onTerminal(t, hoopCommand(t, clientEnv(t.TempDir()), "sessions", "replay", "--file", "/dev/null"))
	if code := x.end(); code != 1 || !strings.Contains(x.text(), "it is empty") {
		t.Errorf("no recording: %d %s", code, x.text())
	}
}

// replayedSession runs a statement as alice and gives that session recordings, as
// the broker keeps them.
func replayedSession(t *testing.T, casts ...string) string {
	t.Helper()
	env := asAlice(t)
	marker := fmt.Sprintf("recorded by %s", t.Name())
	hoop(t, env, "connect", "demo-pg", "--reason", marker, "--", "psql", "-XAtc", "select '"+marker+"'").must(t, 0)
	var found []api.Session
	if err := json.Unmarshal([]byte(hoop(t, env, "sessions", "list", "-o", "json").must(t, 0).stdout), &found); err != nil {
		t.Fatal(err)
	}
	for _, s := range found {
		if strings.Contains(hoop(t, env, "sessions", "show", s.ID).must(t, 0).stdout, marker) {
			for i, name := range casts {
				_, p := castFile(t, name)
				keepCast(t, s.ID, uint64(i+1), p)
			}
			return s.ID
		}
	}
	t.Fatal("the session is not listed")
	return ""
}

// keepCast puts a recording beside the audit log of the world.
func keepCast(t *testing.T, session string, action uint64, p *replay.Player) {
	t.Helper()
	path := filepath.Join(world(t).Dir, "data", "recordings", fmt.Sprintf("%s.%d.cast", session, action))
	rec := p.Recording()
	head := fmt.Sprintf(`{"version":3,"term":{"cols":%d,"rows":%d},"hoop":{"session":%q,"action":%d,"pty":true,"start":"2026-11-24T09:00:00Z"}}`, rec.Cols, rec.Rows, session, action)
	body := castBody(t, p.Recording().Title)
	if err := os.WriteFile(path, []byte(head+"\n"+body+`[0, "m", "echo derived"]`+"\n"+`[0, "h", "{\"end\":{\"reason\":\"closed\"}}"]`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// castBody is the event stream of a cast in version 3.
func castBody(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "testdata", "casts", name+".cast.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(text), "\n")
	return body
}

// A session's recording is found by its session, on the command line and in the
// TUI, by those who may read the session.
func TestReplayOfASession(t *testing.T) {
	t.Parallel()
	id := replayedSession(t, "replay-vim")
	_, p := castFile(t, "replay-vim")
	half := shownAt(p, p.Recording().Length/2)

	r := hoop(t, asAlice(t), "sessions", "replay", id).must(t, 2)
	if !strings.Contains(r.stderr, "hoop sessions export "+id+" --format txt") {
		t.Errorf("without a terminal: %s", r.stderr)
	}
	hoop(t, clientEnv(filepath.Join(world(t).Dir, "mallory")), "sessions", "replay", id).must(t, 5)
	hoop(t, asAlice(t), "sessions", "replay", "zzzzzzzz").must(t, 5)

	x := onTerminalOf(t, hoopCommand(t, asAlice(t), "sessions", "replay", id), 80, 25)
	x.shows("▶")
	x.type_(" 5")
	x.showsRows(half)
	x.type_("q")
	x.left(0)

	x = onTerminalOf(t, hoopCommand(t, asAlice(t), "tui", "--start", "sessions"), 140, 40)
	x.shows("sessions (")
	x.type_("/")
	x.shows("filter:")
	x.type_(id + "\r")
	x.shows("sessions (1)")
	x.type_("\r")
	x.shows("replay of " + id)
	x.type_(" 5")
	x.shows("$ hoop sessions replay " + id + " --from ")
	x.shows(half[10])
	x.type_("]")
	x.shows("echo derived")
	x.type_("t")
	x.shows("recorded by TestReplayOfASession")
	x.type_("\r")
	x.shows("replay of " + id)
	x.type_("qq")
	x.left(0)
}

// Where several actions were recorded one is chosen; where none was, the
// statements are shown, on no terminal too.
func TestReplayChooses(t *testing.T) {
	t.Parallel()
	id := replayedSession(t, "replay-htop", "replay-cjk")
	x := onTerminalOf(t, hoopCommand(t, asAlice(t), "sessions", "replay", id), 120, 30)
	if code := x.end(); code != 2 || !strings.Contains(x.now(), "choose one with --action") {
		t.Errorf("several: %d\n%s", code, x.now())
	}
	_, p := castFile(t, "replay-cjk")
	x = onTerminalOf(t, hoopCommand(t, asAlice(t), "sessions", "replay", id, "--action", "2", "--from", (p.Recording().Length/2).String(), "--tui"), 120, 30)
	x.shows("▶")
	x.type_(" 5")
	x.shows("hoop sessions replay " + id + " --action 2 --from ")
	x.shows(shownAt(p, p.Recording().Length/2)[3])
	x.type_("q")
	x.shows("sessions (")
	x.type_("q")
	x.left(0)

	none := replayedSession(t)
	if r := hoop(t, asAlice(t), "sessions", "replay", none).must(t, 0); !strings.Contains(r.stdout, "recorded by TestReplayChooses") {
		t.Errorf("none: %s", r.stdout)
	}
	hoop(t, asAlice(t), "sessions", "replay", none, "--action", "1").must(t, 2)
}

// A shell on a real SSH server, from its first key to its replay: what stood on
// the terminal of its user is found on the viewer's.
func TestReplayOfAShell(t *testing.T) {
	t.Parallel()
	env := asAlice(t)
	live := onTerminalOf(t, hoopCommand(t, env, "ssh", "demo-ssh"), 80, 24)
	live.type_("PS1='shell-of-alice$ '; clear\r")
	live.shows("shell-of-alice$")
	live.type_("echo 漢字 $((40+2))\r")
	live.shows("漢字 42")
	live.type_("clear; echo passing''by; sleep 1; clear\r")
	live.shows("passingby")
	live.hides("passingby")
	live.type_("exit 3\r")
	if code := live.end(); code != 3 {
		t.Errorf("the shell ended with %d:\n%s", code, live.now())
	}

	id := sessionThatShowed(t, env, "demo-ssh", "passingby")
	x := onTerminalOf(t, hoopCommand(t, env, "sessions", "replay", id, "--tui"), 120, 30)
	x.shows("▶")
	x.type_(" G")
	x.shows("exit 3")
	x.type_("/passingby\r")
	x.shows("not found from here on")
	x.type_("N")
	x.shows("passingby")
	x.type_("g/漢字 42\r")
	x.shows("漢字 42")
	x.type_("]")
	x.shows("◆ exit 3")
	x.type_("qq")
	x.left(0)
}

// sessionThatShowed is the newest on a connection whose terminal showed a text.
func sessionThatShowed(t *testing.T, env []string, connection, text string) string {
	t.Helper()
	var found []api.Session
	if err := json.Unmarshal([]byte(hoop(t, env, "sessions", "list", "--connection", connection, "-o", "json").must(t, 0).stdout), &found); err != nil {
		t.Fatal(err)
	}
	for _, s := range found {
		if strings.Contains(hoop(t, env, "sessions", "export", s.ID, "--format", "cast").stdout, text) { // others have no recording, or several
			return s.ID
		}
	}
	t.Fatal("the session is not listed")
	return ""
}
