package recording

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// crashDir tells the test binary to be the broker that is killed.
const crashDir = "RECORDING_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		recordUntilKilled(dir)
	}
	os.Exit(m.Run())
}

// busy is how many recordings are written when the kill comes.
const busy = 8

// recordUntilKilled writes numbered lines to many recordings, and prints how
// far each came a little more than a second ago.
func recordUntilKilled(dir string) {
	s, err := Open(dir, Options{})
	if err != nil {
		panic(err)
	}
	var all [busy]*Writer
	for i := range all {
		if all[i], err = s.Create(Meta{Session: fmt.Sprint("s", i), Action: 1, PTY: true}, Hooks{}); err != nil {
			panic(err)
		}
	}
	tick := time.Tick(5 * time.Millisecond)
	for n := 0; ; n++ {
		for _, w := range all {
			if err := w.Output(fmt.Appendf(nil, "line %d 漢字\r\n", n)); err != nil {
				panic(err)
			}
		}
		const second = 300 // lines, with something to spare
		if n >= second {
			fmt.Println(n - second)
		}
		<-tick
	}
}

// TestKill: after kill -9 every recording holds what was shown until a second
// before, in order, and opening the folder gives it an end.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	told := 0
	for told < 100 {
		if _, err := fmt.Fscanln(out, &told); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for { // what it still said
		n := 0
		if _, err := fmt.Fscanln(out, &n); err != nil {
			break
		}
		told = n
	}
	_ = cmd.Wait()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.Lost()); n != busy {
		t.Errorf("%d recordings were lost, not %d", n, busy)
	}
	for i := range busy {
		_, evs := recorded(t, s, fmt.Sprint("s", i))
		lines := 0
		for _, ev := range evs {
			if ev.Code == CodeOutput {
				if want := fmt.Sprintf("line %d 漢字\r\n", lines); ev.Data != want {
					t.Fatalf("%q is recorded instead of %q", ev.Data, want)
				}
				lines++
			}
		}
		if lines <= told {
			t.Errorf("%d lines are recorded; line %d was shown a second before the end", lines, told)
		}
		end, err := evs[len(evs)-1].Note()
		if err != nil || end.End == nil || !end.End.Lost || evs[len(evs)-2].Code != CodeMark {
			t.Errorf("it ends with %+v, %v", end, err)
		}
	}
	again, err := Open(dir, Options{})
	if err != nil || len(again.Lost()) != 0 {
		t.Errorf("opened once more: %v, %v", again.Lost(), err)
	}
}

// TestTorn: wherever a recording is cut off, opening the folder keeps all
// whole lines, adds the end, and the file is read to it.
func TestTorn(t *testing.T) {
	s := open(t)
	w, err := s.Create(Meta{Session: "abc", Action: 1}, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"one\n", "漢字\n", strings.Repeat("long", 3000), "\x1b[0m"} {
		if err := w.Output([]byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close("done"); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(s.path("abc", 1))
	if err != nil {
		t.Fatal(err)
	}
	head := bytes.IndexByte(whole, '\n') + 1
	for size := len(whole); size >= 0; size -= 1 + size%97 {
		checkTorn(t, whole[:size], head)
	}
}

func checkTorn(t *testing.T, part []byte, head int) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, fileName("abc", 1))
	if err := os.WriteFile(path, part, 0o600); err != nil {
		t.Fatal(err)
	}
	mark := filepath.Join(dir, liveDir, fileName("abc", 1))
	if err := errors.Join(os.Mkdir(filepath.Dir(mark), 0o700), os.WriteFile(mark, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(mark); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("cut at %d: it is still marked as live: %v", len(part), err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	kept := part[:bytes.LastIndexByte(part, '\n')+1]
	if !bytes.HasPrefix(got, kept) {
		t.Fatalf("cut at %d: whole lines are gone", len(part))
	}
	header, evs := events(t, bytes.NewReader(got))
	if header.Hoop == nil || header.Hoop.Session != "abc" || header.Hoop.Action != 1 || len(part) < head && len(evs) != 2 {
		t.Errorf("cut at %d: its first line is %+v, and %d events follow", len(part), header, len(evs))
	}
	n, err := evs[len(evs)-1].Note()
	if err != nil || n.End == nil || n.End.Lost == (n.End.Reason == "done") || n.End.Cut != int64(len(part)-len(kept)) {
		t.Errorf("cut at %d: it ends with %+v, %v", len(part), n.End, err)
	}
	if lost := s.Lost(); len(lost) > 0 && lost[0].Bytes != int64(len(got)) {
		t.Errorf("cut at %d: told of %+v", len(part), lost)
	}
}

// TestMark: what is being written is marked as such, whoever else asks for the
// same name, and what has ended is not.
func TestMark(t *testing.T) {
	s := open(t)
	m := Meta{Session: "abc", Action: 1}
	w, err := s.Create(m, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	mark := filepath.Join(s.dir, liveDir, m.Name())
	if _, err := s.Create(m, Hooks{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second recording of the same name: %v", err)
	}
	if _, err := os.Stat(mark); err != nil {
		t.Error(err)
	}
	if _, err := w.Close(""); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(mark); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the end is still awaited: %v", err)
	}
	if _, err := s.Create(m, Hooks{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second recording of the same name: %v", err)
	}
	if found, err := s.List(); err != nil || len(found) != 1 {
		t.Errorf("there are %v, %v", found, err)
	}
}
