package recording

import (
	"bytes"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// shell reads off the screen what was typed into a shell.
type shell struct {
	screen screen
	keys   keyReader
	echo   echo
	at     time.Duration // of what is being looked at
	notes  []Note

	// The line that is being typed.
	typing bool
	anchor place  // where the first key was pressed
	known  bool   // anchor holds
	before []byte // what stood before it
	prompt []byte // the last that was not blank; stays for lines typed ahead
	enters []time.Duration
	ahead  bool // keys were pressed after the last Enter

	pasting bool // between the brackets of a paste
	several bool // the paste has several lines

	// What a shell with OSC 133 marks says.
	prompting bool     // between its prompt and its command
	lines     []string // of the command so far
	entered   time.Duration
	running   bool // a command whose end will be told
}

func newShell(cols, rows int) *shell {
	s := &shell{screen: newScreen(cols, rows)}
	s.screen.returning, s.screen.leaving, s.screen.left, s.screen.mark = s.returning, s.leaving, s.left, s.mark
	return s
}

func (s *shell) resize(cols, rows int) { s.screen.resize(cols, rows) }

// output follows what is shown.
func (s *shell) output(p []byte, at time.Duration) {
	s.at = at
	s.screen.feed(p)
	s.returning()
}

// input follows what is typed.
func (s *shell) input(p []byte, at time.Duration) {
	s.at = at
	s.keys.read(p, func(k key) {
		s.echo.press(k, s.screen.grid.cursor(), at)
		if !s.screen.alternate() {
			s.press(k)
		}
	})
}

// typed gives the keys that are to be recorded, once.
func (s *shell) typed() []byte {
	out := s.echo.decided
	s.echo.decided = nil
	return out
}

// learnt gives the commands that were derived, once.
func (s *shell) learnt() []Note {
	out := s.notes
	s.notes = nil
	return out
}

// press follows one key of a line.
func (s *shell) press(k key) {
	if s.paste(k.bytes) {
		return
	}
	s.expire(enterWithin)
	switch c := k.bytes[0]; {
	case len(k.bytes) == 1 && (c == 0x03 || c == 0x1a): // ^C, ^Z
		s.typing, s.ahead, s.enters = false, false, nil
	case len(k.bytes) == 1 && (c == '\r' || c == '\n'):
		s.begin()
		s.enters = append(s.enters, s.at)
		s.ahead = false
		if len(s.enters) > maxEnters {
			s.enters = s.enters[1:]
		}
	case len(s.enters) > 0:
		s.ahead = true
	default:
		s.begin()
	}
}

// paste follows a bracketed paste (xterm, "Bracketed Paste Mode"): Enter within
// it ends no line of a shell. It reports whether the key was part of one.
func (s *shell) paste(k []byte) bool {
	switch {
	case string(k) == "\x1b[200~":
		s.pasting = true
		s.begin()
	case string(k) == "\x1b[201~":
		s.pasting = false
	case s.pasting && (k[0] == '\r' || k[0] == '\n'):
		s.several = true
	default:
		return s.pasting
	}
	return true
}

// A line must end this soon after Enter, else the program that read it shows
// nothing: enterWithin where more is typed, aheadWithin where it may have been
// typed ahead of a command that takes its time.
const (
	enterWithin = time.Second
	aheadWithin = 10 * time.Second
)

// maxEnters bounds how many lines are typed ahead.
const maxEnters = 1000

// expire forgets Enters that ended no line.
func (s *shell) expire(within time.Duration) {
	for len(s.enters) > 0 && s.at-s.enters[0] > within {
		if s.enters = s.enters[1:]; len(s.enters) == 0 && !s.ahead {
			s.typing = false
		}
	}
}

// begin remembers where a line begins.
func (s *shell) begin() {
	if s.typing {
		return
	}
	g := s.screen.grid
	s.typing, s.known, s.several, s.anchor = true, true, false, g.cursorEnd()
	from, _ := g.line(g.y)
	s.before = g.text(place{g.top + from, 0}, s.anchor)
	if len(bytes.TrimSpace(s.before)) > 0 {
		s.prompt = s.before
	}
}

// returning looks before the cursor says less.
func (s *shell) returning() {
	if len(s.echo.runs) > 0 {
		s.echo.look(s.screen.grid, s.at)
	}
}

// leaving reads the line that Enter ended.
func (s *shell) leaving() {
	if len(s.echo.runs) > 0 {
		s.echo.leave(s.screen.grid, s.at)
	}
	if len(s.enters) == 0 || s.screen.alternate() {
		return
	}
	if s.expire(aheadWithin); len(s.enters) == 0 || s.redrawn() {
		return
	}
	text := strings.TrimSpace(s.line())
	entered := s.enters[0]
	s.enters = s.enters[1:]
	if len(s.enters) == 0 {
		s.typing = s.ahead
	}
	s.known, s.ahead, s.several = false, false, false
	switch {
	case text == "":
	case s.prompting:
		if len(s.lines) == 0 {
			s.entered = entered
		}
		if len(s.lines) < maxLines {
			s.lines = append(s.lines, text)
		}
	default:
		s.derive(Command{Time: entered, Text: text})
	}
}

// redrawn tells a step down within a command of several lines, which a shell
// draws again on Enter, from the end of it.
func (s *shell) redrawn() bool {
	g := s.screen.grid
	_, to := g.line(g.y)
	return s.several && s.known && to+1 < len(g.rows) && len(bytes.TrimSpace(g.rows[to+1].appendText(nil, 0, len(g.rows[to+1].cells)))) > 0
}

// maxLines bounds the lines of one command.
const maxLines = 1000

// left begins anew where the next keys are expected.
func (s *shell) left() {
	if len(s.echo.runs) > 0 {
		s.echo.start = s.screen.grid.cursor()
	}
}

func (s *shell) derive(c Command) {
	c.Derived = true
	s.notes = append(s.notes, Note{Command: &c})
}

// line gives the line under the cursor without the prompt.
func (s *shell) line() string {
	g := s.screen.grid
	from, to := g.line(g.y)
	if first := s.anchor.line - g.top; s.several && s.known && first >= 0 && first < from {
		from, _ = g.line(first)
	}
	begin, end := place{g.top + from, 0}, place{g.top + to, g.cols}
	whole := g.text(begin, end)
	anchored := s.known && s.anchor.line >= begin.line && s.anchor.line <= end.line &&
		bytes.Equal(g.text(begin, s.anchor), s.before) // whoever redrew the line left the prompt as it was
	blank := len(bytes.TrimSpace(s.before)) == 0
	if anchored && !blank {
		return string(g.text(s.anchor, end))
	}
	// Keys were pressed before the prompt came, or it moved.
	if _, rest, ok := bytes.Cut(whole, s.prompt); ok && len(s.prompt) > 0 {
		return string(rest)
	}
	if anchored {
		return string(g.text(s.anchor, end))
	}
	return afterPrompt(string(whole))
}

// afterPrompt guesses where a prompt ends that nobody saw alone.
func afterPrompt(line string) string {
	at := len(line)
	found := ""
	for _, end := range []string{"$ ", "# ", "% ", "> ", "❯ ", "➜ "} {
		if i := strings.Index(line, end); i >= 0 && i < at {
			at, found = i, end
		}
	}
	if found == "" {
		return line
	}
	return line[at+len(found):]
}

// mark is one of a shell's marks: A and B stand around its prompt, C where the
// command begins to run, D where it ended
// (https://gitlab.freedesktop.org/Per_Bothner/specifications, semantic prompts).
func (s *shell) mark(text []byte) {
	fields := strings.Split(string(text), ";")
	switch fields[0] {
	case "A", "B":
		if !s.prompting {
			s.prompting, s.lines = true, nil
		}
		if fields[0] == "B" && len(s.enters) == 0 {
			s.typing = false
			s.begin()
		}
	case "C":
		s.runs(fields[1:])
	case "D":
		if s.running {
			s.running = false
			if exit, err := strconv.Atoi(strings.Join(fields[1:min(2, len(fields))], "")); err == nil {
				s.notes = append(s.notes, Note{Result: &Result{Exit: exit}})
			}
		}
		s.prompting = false
	}
}

// runs is mark C. Some shells tell the command with it.
func (s *shell) runs(fields []string) {
	text := strings.Join(s.lines, "\n")
	entered := s.entered
	if len(s.lines) == 0 {
		entered = s.at
	}
	for _, f := range fields {
		if line, ok := strings.CutPrefix(f, "cmdline_url="); ok {
			if told, err := url.PathUnescape(line); err == nil {
				text = strings.ToValidUTF8(told, "\uFFFD")
			}
		}
	}
	s.prompting, s.lines = false, nil
	if text = strings.TrimSpace(text); text != "" {
		s.running = true
		s.derive(Command{Time: entered, Text: text, Marks: true})
	}
}
