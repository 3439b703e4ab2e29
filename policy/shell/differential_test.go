package shell

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestMain makes the test a printargs of its own: run under that name it prints
// its arguments.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "printargs" {
		_, err := os.Stdout.WriteString(printed(os.Args[1:]))
		if err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func printed(args []string) string { return "<" + strings.Join(args, "\x00") + ">\n" }

// loginShells are those that are installed; the first three must be.
func loginShells(t testing.TB) []string {
	t.Helper()
	var found []string
	for i, name := range []string{"dash", "bash", "zsh", "fish", "tcsh", "csh", "ksh", "mksh", "busybox"} {
		path, err := exec.LookPath(name)
		switch {
		case err == nil:
			found = append(found, path)
		case i < 3:
			t.Fatalf("%s is needed (.ci/setup test installs it): %v", name, err)
		}
	}
	return found
}

// room is a folder with printargs in it, and nothing else.
func room(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(dir, "printargs")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run gives a command to a shell as sshd does, and returns what it printed.
func run(t testing.TB, dir, shell, command string) string {
	t.Helper()
	args := []string{shell, "-c", command}
	if filepath.Base(shell) == "busybox" {
		args = []string{shell, "ash", "-c", command}
	}
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, []string{"PATH=" + dir, "HOME=" + dir, "LC_ALL=C.UTF-8"}, time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", shell, err)
	}
	return out.String()
}

// same checks what a simple command promises: every shell runs one program with
// exactly the words.
func same(t testing.TB, dir string, shells []string, command string) bool {
	t.Helper()
	f := Parse(command)
	if !f.Simple || f.Words[0] != "printargs" {
		return false
	}
	for _, shell := range shells {
		if got, want := run(t, dir, shell, command), printed(f.Words[1:]); got != want {
			t.Errorf("%s runs %q as %q, not %q", filepath.Base(shell), command, got, want)
		}
	}
	return true
}

// Every printable character and pair, in every way to write it.
func TestEveryShellReadsTheSameCharacters(t *testing.T) {
	dir, shells := room(t), loginShells(t)
	var words []string
	for c := byte(' '); c < 0x7f; c++ {
		for _, w := range []string{string(c), "a" + string(c), string(c) + "a", "a=" + string(c) + "a", "'" + string(c) + "'", `"` + string(c) + "a\"", "x'a" + string(c) + "'"} {
			if same := Parse("printargs " + w); same.Simple && len(same.Words) == 2 {
				words = append(words, w)
			}
		}
	}
	if len(words) < 200 {
		t.Fatalf("only %d words are plain", len(words))
	}
	for len(words) > 0 { // few starts of shells, and one word's doing is told from another's
		n := min(20, len(words))
		if !same(t, dir, shells, "printargs "+strings.Join(words[:n], " ")) {
			t.Errorf("together not simple: %q", words[:n])
		}
		words = words[n:]
	}
}

// pieces are what shells read in special ways, and what they do not.
var pieces = []string{"a", "b7", "-x", "--", "--o=", "=", "==", ":", "%", "%1", "%F", "+", "@", ",", "/", "/*", ".", "..", "~", "~root", "_", " ", " ", " ", "  ",
	"'", "\"", "'a b'", "\"a b\"", "''", "\"\"", "$", "$HOME", "${a}", "$(a)", "`a`", "\\", "\\n", "!", "!!", "#", "#a", "*", "?", "[a]", "{a,b}", "{1..3}", "(", ")", "<", ">", "|", "&",
	";", "^", "^a^b", "\n", "\t", "\r", "\x00", "\x01", "\x7f", "ä", "\xff", "‘", " ", "0", "1", "2>&1", "=ls", "a=b", "a:b", "a=:b", "in", "do", "}", "{", "]", "''a", "a''"}

func TestEveryShellReadsTheSameWords(t *testing.T) {
	dir, shells := room(t), loginShells(t)
	simple := 0
	rapid.Check(t, func(r *rapid.T) {
		command := "printargs " + strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 6).Draw(r, "pieces"), "")
		if same(t, dir, shells, command) {
			simple++
		}
		if t.Failed() {
			r.FailNow()
		}
	})
	if simple < 3 {
		t.Errorf("only %d commands were simple", simple)
	}
}

func FuzzSimple(f *testing.F) {
	for _, p := range pieces {
		f.Add("a " + p)
	}
	dir, shells := room(f), loginShells(f)
	f.Fuzz(func(t *testing.T, text string) {
		Parse(text)
		if len(text) < 400 {
			same(t, dir, shells, "printargs "+text)
		}
	})
}
