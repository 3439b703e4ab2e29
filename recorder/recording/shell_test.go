package recording

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// derivedFrom plays a tape and gives the commands, with how they ended.
func derivedFrom(t testing.TB, name string) (commands []string, input string) {
	t.Helper()
	_, evs := events(t, bytes.NewReader(play(t, name, loadTape(t, name))))
	for i, ev := range evs {
		if ev.Code == CodeInput {
			input += ev.Data
		}
		if ev.Code != CodeNote {
			continue
		}
		n, err := ev.Note()
		switch {
		case err != nil:
			t.Fatal(err)
		case n.Command != nil:
			if !n.Command.Derived || evs[i-1].Code != CodeMark || evs[i-1].Data != n.Command.Text {
				t.Errorf("%+v follows %+v", n.Command, evs[i-1])
			}
			commands = append(commands, n.Command.Text)
		case n.Result != nil:
			commands[len(commands)-1] += fmt.Sprintf(" → %d", n.Result.Exit)
		}
	}
	return commands, input
}

// TestDerive: the commands of people at real shells, with history, editing,
// completion, wide runes, wrapped lines, pastes and passwords.
func TestDerive(t *testing.T) {
	for name, want := range map[string][]string{
		"bash": {
			"echo hello world", "echo 漢字かな交じり文 한국어 👩‍👩‍👧‍👦 🏳️‍🌈 é", "ls -a", "cat notes.txt", "read -s -p 'Password: ' x; echo",
			"ls -a", "echo hello world", "cat notes.txt", `printf '\033[38;2;255;100;0mtrue\033[0m \033[7mcolour\033[0m\n'`,
			"for i in 1 2 3; do", "echo line $i; done",
			"echo a command that is longer than the terminal is wide, so that it goes on in the next row of it",
			"echo midXYdle", "mkdir no1 no2", "ls no1", "seq 1 30", "less notes.txt", "sleep 9", "sleep 1", "echo ahead",
			"echo one\necho two", "clear", "exit 7",
		},
		"zsh": {
			"PS1='web-1 %# '", "echo hello", "ls notes.txt", "echo hello", "read -s x", "for i in 1 2; do", "echo $i; done",
			"echo 漢字 a command that is longer than the terminal is wide, so that it goes on in the next row", "exit",
		},
		// fish shows a dot for each character of a password.
		"fish": {"echo hello", "cat notes.txt", "echo hello", "read -s x", "●●●●●●●", "exit"},
		"marks": {
			"echo hello → 0", "false → 1", "for i in 1 2; do\necho $i\ndone → 0", "cat", "a line for cat → 0", "sh -c 'exit 3' → 3", "exit",
		},
	} {
		got, input := derivedFrom(t, name)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if strings.Contains(input, "hunter2") || strings.Contains(input, "hunt") {
			t.Errorf("%s: the password was recorded", name)
		}
		if name == "bash" && !strings.Contains(input, "echo hello wrold\x7f\x7f\x7f\x7f\x7fworld\r") {
			t.Errorf("what was typed and shown is not recorded: %q", input)
		}
	}
}

// typing is a terminal in which a test types.
type typing struct {
	*shell
	at  time.Duration
	got string
}

func newTyping() *typing { return &typing{shell: newShell(40, 5)} }

func (s *typing) wait(d time.Duration) { s.at += d }

func (s *typing) keys(k string) {
	s.input([]byte(k), s.at)
	s.got += string(s.typed())
}

func (s *typing) shows(p string) {
	s.output([]byte(p), s.at)
	s.got += string(s.typed())
}

// TestEcho: what the screen shows where it was typed is recorded, and nothing
// else.
func TestEcho(t *testing.T) {
	tests := map[string]struct {
		do   func(s *typing)
		want string
	}{
		"echoed":                          {func(s *typing) { s.keys("ls"); s.shows("l"); s.shows("s"); s.keys("\r"); s.shows("\r\n") }, "ls\r"},
		"echoed with the end of the line": {func(s *typing) { s.keys("ls\rid\r"); s.shows("ls\r\nid\r\n") }, "ls\rid\r"},
		"a password":                      {func(s *typing) { s.shows("Password: "); s.keys("abc\r"); s.shows("\r\n$ ") }, "\r"},
		"a password, key by key":          {func(s *typing) { s.keys("a"); s.keys("b"); s.shows("\r\n"); s.keys("c") }, ""},
		"stars": {func(s *typing) {
			s.keys("a")
			s.shows("*")
			s.keys("b")
			s.shows("*")
			s.wait(2 * time.Second)
			s.keys("\r")
		}, "\r"},
		"a password and an answer that begins like it": {
			func(s *typing) {
				s.keys("secret\r")
				s.shows("sec")
				s.shows("ond try: ")
				s.wait(2 * time.Second)
				s.keys("\t")
			}, "\r\t"},
		"too late": {func(s *typing) { s.keys("a"); s.wait(1100 * time.Millisecond); s.shows("a") }, ""},
		"slowly": {func(s *typing) {
			s.keys("ab")
			s.wait(900 * time.Millisecond)
			s.shows("a")
			s.wait(900 * time.Millisecond)
			s.shows("b")
		}, "ab"},
		"elsewhere":               {func(s *typing) { s.keys("a"); s.shows("\x1b[3;3Ha"); s.wait(2 * time.Second); s.keys("\r") }, "\r"},
		"in the middle of a line": {func(s *typing) { s.shows("ad\b"); s.keys("bc"); s.shows("bcd\b") }, "bc"},
		"redrawn":                 {func(s *typing) { s.keys("l"); s.shows("l"); s.keys("s"); s.shows("\b\x1b[32mls\x1b[m") }, "ls"},
		"over the edge":           {func(s *typing) { s.shows(strings.Repeat("x", 39)); s.keys("ab"); s.shows("ab") }, "ab"},
		"wide and composed":       {func(s *typing) { s.keys("漢👩‍🚀"); s.shows("漢👩‍🚀") }, "漢👩‍🚀"},
		"cut in pieces":           {func(s *typing) { s.keys("\xe6\xbc"); s.keys("\xa2\x1b["); s.keys("A"); s.shows("漢") }, "漢\x1b[A"},
		"keys that show nothing":  {func(s *typing) { s.keys("\x1b[A\t\x03\x1bOP\x1b") }, "\x1b[A\t\x03\x1bOP\x1b"},
		"a long paste": {func(s *typing) {
			s.keys(strings.Repeat("a", 100))
			s.shows(strings.Repeat("a", 60))
			s.wait(3 * time.Second)
			s.keys("\t")
		}, strings.Repeat("a", 60) + "\t"},
		"an answer of the terminal": {func(s *typing) { s.keys("\x1b]11;rgb:0/0/0\x1b\\\x1b[?62;c") }, "\x1b]11;rgb:0/0/0\x1b\\\x1b[?62;c"},
	}
	for name, test := range tests {
		s := newTyping()
		test.do(s)
		if s.got != test.want {
			t.Errorf("%s: recorded %q, not %q", name, s.got, test.want)
		}
	}
}

// TestSecretIsNeverRecorded: of keys that no program shows nothing printable
// is recorded, however they come.
func TestSecretIsNeverRecorded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newTyping()
		s.shows("Password: ")
		secret := rapid.StringMatching(`[a-z]{1,30}`).Draw(t, "secret")
		for rest := secret + "\r"; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			s.keys(rest[:n])
			rest = rest[n:]
			s.wait(time.Duration(rapid.IntRange(0, 1500).Draw(t, "ms")) * time.Millisecond)
			s.shows(rapid.SampledFrom([]string{"", "*", "\x1b[5n", "\r\n", "SORRY, TRY AGAIN: "}).Draw(t, "shown"))
		}
		s.shows("\r\n")
		if strings.Trim(s.got, "\r") != "" {
			t.Errorf("%q of %q was recorded", s.got, secret)
		}
	})
}

// FuzzShell: whatever programs print and people type, the cursor stays on the
// screen, and what is recorded as typed was typed.
func FuzzShell(f *testing.F) {
	for _, name := range []string{"bash", "zsh", "fish", "marks"} {
		var out, in []byte
		for _, ev := range loadTape(f, name).events {
			switch ev.Code {
			case CodeOutput:
				out = append(out, ev.Data...)
			case CodeInput:
				in = append(in, ev.Data...)
			}
		}
		f.Add(out[:min(len(out), 2000)], in, uint8(20), uint8(5))
	}
	f.Add([]byte("\x1b[1;2r\x1b[9999b\x1b[5L\x1b[?1049h\x1b[2M\x1b[?1049lx\x1b]133;C;cmdline_url=a%20b\a"), []byte("\x1b[200~a\nb\x1b[201~\r"), uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, out, in []byte, cols, rows uint8) {
		s := newShell(int(cols)+1, int(rows)+1)
		var typed []byte
		at := time.Duration(0)
		for i := 0; i < len(out) || i < len(in); i += 7 {
			if i < len(in) {
				s.input(in[i:min(i+7, len(in))], at)
			}
			if i < len(out) {
				s.output(out[i:min(i+7, len(out))], at)
			}
			if i%5 == 0 {
				s.resize(1+(int(cols)+i)%200, 1+(int(rows)+i)%100)
			}
			typed = append(typed, s.typed()...)
			at += 10 * time.Millisecond
			g := s.screen.grid
			if g.x < 0 || g.x >= g.cols || g.y < 0 || g.y >= len(g.rows) || g.to > len(g.rows) {
				t.Fatalf("the cursor is at %d,%d of %dx%d", g.x, g.y, g.cols, len(g.rows))
			}
		}
		if rest := subsequence(typed, in); len(rest) > 0 {
			t.Errorf("%q was recorded as typed, and was not", rest)
		}
		for _, n := range s.learnt() {
			if n.Command != nil && (n.Command.Text == "" || !n.Command.Derived) {
				t.Errorf("derived %+v", n.Command)
			}
		}
	})
}

// subsequence gives what of a does not stand in b in this order.
func subsequence(a, b []byte) []byte {
	for _, c := range b {
		if len(a) > 0 && a[0] == c {
			a = a[1:]
		}
	}
	return a
}
