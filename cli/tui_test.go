package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/creack/pty"

	"hoop/broker/api"
)

// walk is bob's TUI on a terminal, which after each step shows nothing that it
// does not understand and nothing beyond its edges.
type walk struct {
	*terminal
	width, height int
}

func (w *walk) step(keys, shows string) string {
	w.t.Helper()
	w.type_(keys)
	now := w.shows(shows)
	for _, l := range strings.Split(now, "\n") {
		if ansi.StringWidth(l) > w.width {
			w.t.Errorf("a line is wider than the terminal: %q", l)
		}
	}
	return now
}

// All of the TUI, by keys, in both sizes: approvals are filtered, read,
// approved, approved for a time and denied; sessions are listed, filtered,
// followed, exported and ended; the broker goes and comes back; the terminal is
// resized, and left as it was found.
func TestTheWholeTUI(t *testing.T) {
	t.Parallel()
	for _, size := range []struct {
		name          string
		width, height int
		env           []string
	}{{"80x24 without colour", 80, 24, []string{"NO_COLOR=1"}}, {"140x45", 140, 45, nil}} {
		t.Run(size.name, func(t *testing.T) {
			t.Parallel()
			s := newShopWithOrders(t, "5m")
			dir := t.TempDir()
			c := hoopCommand(t, append(s.bobEnv, size.env...), "tui")
			c.Dir = dir
			w := &walk{onTerminalOf(t, c, uint16(size.width), uint16(size.height)), size.width, size.height}
			w.approvals(s)
			w.sessions(s, dir)
			w.survives(s)
			if colour := strings.Contains(w.text(), "\x1b[32m"); colour != (size.env == nil) {
				t.Errorf("colours were used: %v", colour)
			}
		})
	}
}

func (w *walk) approvals(s *shopWithOrders) {
	w.shows("Nothing waits for an answer.")
	w.step("?", "Keys that are valid here")
	w.step("x", "Nothing waits for an answer.")

	// Denied, with a reason, which must not be empty.
	p := s.psql()
	w.shows("approvals (1 pending)")
	w.shows("DELETE FROM orders")
	w.readAll()
	w.step("d", "because:")
	w.step("\r", "because:")
	w.step("not now\r", "denied ")
	w.shows("--reason 'not now'")
	if code := p.wait(); code != 1 || !strings.Contains(p.err.String(), "not now") {
		w.t.Errorf("psql ended with %d: %s", code, p.err.String())
	}

	// Approved, after esc has left the question once.
	w.hides("(1 pending)")
	p = s.psql()
	w.shows("approvals (1 pending)")
	w.step("g", "pending  shop (postgres)")
	w.readAll()
	w.step("a", "comment (enter for none):")
	w.step("\x1b", "not done")
	w.step("a", "comment (enter for none):")
	w.step("fine\r", "approved ")
	w.shows("--comment 'fine'")
	if err := exits0(p.wait(), p, "DELETE 10"); err != nil {
		w.t.Error(err)
	}

	// Approved for a time: the same again runs without asking.
	w.hides("(1 pending)")
	p = s.client("psql", "-X", "-c", "DELETE FROM orders WHERE id = 99")
	w.shows("approvals (1 pending)")
	w.step("g", "pending  shop (postgres)")
	w.readAll()
	w.step("t", "and its like for:")
	w.step("\x15soon\r", "soon is no time such as 30m")
	w.step("t", "and its like for:")
	w.step("\r", "--for 30m0s")
	p.wait()
	p = s.client("psql", "-X", "-c", "DELETE FROM orders WHERE id = 99")
	if err := exits0(p.wait(), p, "DELETE 0"); err != nil {
		w.t.Error(err)
	}

	w.step("/", "filter:")
	w.step("= 99\r", "/= 99")
	w.hides("▸ denied")
	w.step("/", "filter:")
	w.step("\x15\r", "denied")
}

// readAll scrolls to the end of what is chosen.
func (w *walk) readAll() {
	w.t.Helper()
	for range 10 {
		if !strings.Contains(w.now(), "more lines: pgdn") {
			return
		}
		before := w.now()
		w.type_(" ")
		w.until("the next part", func(now string) bool { return now != before })
	}
}

func (w *walk) sessions(s *shopWithOrders, dir string) {
	live := s.client("psql", "-X", "-c", "SELECT 'first'", "-c", "SELECT pg_sleep(100)")
	w.step("\t", "sessions (")
	w.step("r", "live")
	w.step("/", "filter:")
	w.step("live\r", "sessions (1)")
	w.step("\r", "SELECT 'first'")
	w.shows("SELECT pg_sleep(100)")
	w.step("f", "following")
	w.step("s", "? keys")
	exported := w.step("e", "exported to ")
	files, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	if len(files) != 1 {
		w.t.Fatalf("%d files were exported:\n%s", len(files), exported)
	}
	text, err := os.ReadFile(files[0])
	var got api.SessionDetail
	if err != nil || json.Unmarshal(text, &got) != nil || len(got.ActionList) != 2 {
		w.t.Errorf("exported: %v\n%s", err, text)
	}
	w.step("\x1b", "sessions (1)")
	w.step("x", "first 4 letters:")
	w.step("zzzz\r", "that was not its ID")
	w.step("x", "first 4 letters:")
	w.step(got.ID[:4]+"\r", "ended session "+got.ID)
	if code := live.wait(); code == 0 || !strings.Contains(live.err.String(), "bob@example.com ended it") {
		w.t.Errorf("psql ended with %d: %s", code, live.err.String())
	}
	w.step("/", "filter:")
	w.step("\x15\r", "closed")

	// The replay of the session in which bob approved: whose answer, and how long
	// it took.
	w.step("/", "filter:")
	w.step("nobody has this name\r", "No sessions that you may see.")
	w.step("/", "filter:")
	w.step("\x15\r", "closed")
	for range 8 {
		w.step("\r", "event ")
		if strings.Contains(w.now(), "approved by bob@example.com") {
			break
		}
		w.step("\x1b", "sessions (")
		w.type_("j")
	}
	w.shows("approved by bob@example.com")
	w.step("\x1b", "sessions (")
	w.step("\t", "approvals (")
}

func (w *walk) survives(s *shopWithOrders) {
	_ = s.cmd.Process.Kill()
	s.brokerProcess.wait()
	w.shows("reconnecting")
	s.run(w.t)
	w.hides("reconnecting")

	w.mu.Lock()
	w.width, w.height = 100, 30
	w.vt.resize(100, 30)
	w.mu.Unlock()
	if err := pty.Setsize(w.file, &pty.Winsize{Rows: 30, Cols: 100}); err != nil {
		w.t.Fatal(err)
	}
	if rows := strings.Split(w.step("r", "q leave"), "\n"); len(rows) != 30 {
		w.t.Errorf("the screen has %d rows after it was resized to 30", len(rows))
	}
	w.type_("q")
	if code := w.end(); code != 0 {
		w.t.Errorf("it ended with %d", code)
	}
	if w.vt.altScreen || w.vt.cursorHidden || len(w.vt.unknown) > 0 {
		w.t.Errorf("the terminal is left behind: alternate screen %v, cursor hidden %v; not understood: %q", w.vt.altScreen, w.vt.cursorHidden, w.vt.unknown)
	}
}
