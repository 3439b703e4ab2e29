package terminal

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
)

// screen is what stands on a terminal, without empty rows at its end.
func screen(t *Terminal) string {
	_, rows := t.Size()
	var out []string
	for y := range rows {
		out = append(out, t.Text(y))
	}
	return strings.TrimRight(strings.Join(out, "\n"), "\n")
}

func write(cols, rows int, s string) *Terminal {
	t := New(cols, rows)
	_, _ = t.Write([]byte(s))
	return t
}

// Each sequence does what the terminals' manuals say.
func TestSequences(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"text and line ends":             {"one\r\ntwo\nthree", "one\ntwo\n   three"},
		"wrap at the margin":             {"0123456789ab", "0123456789\nab"},
		"the last column waits":          {"0123456789\rx", "x123456789"},
		"no wrap":                        {"\x1b[?7l0123456789abc", "012345678c"},
		"backspace":                      {"abc\b\bX", "aXc"},
		"tabs":                           {"\tx\x1b[3g\r\ty", "        xy"},
		"a tab stop of one's own":        {"\x1b[4C\x1bH\r\tx", "    x"},
		"CUP and EL":                     {"0123456789\x1b[1;4H\x1b[K", "012"},
		"EL to the left":                 {"0123456789\x1b[1;4H\x1b[1K", "    456789"},
		"ED below":                       {"aa\r\nbb\r\ncc\x1b[2;2H\x1b[J", "aa\nb"},
		"ED above":                       {"aa\r\nbb\r\ncc\x1b[2;1H\x1b[1J", "\n b\ncc"},
		"ED all":                         {"aa\r\nbb\x1b[2J", ""},
		"ICH and DCH":                    {"abcdef\x1b[1;2H\x1b[2@\x1b[1;6H\x1b[P", "a  bcef"},
		"ECH":                            {"abcdef\x1b[1;2H\x1b[2X", "a  def"},
		"REP":                            {"ab\x1b[3b", "abbbb"},
		"REP stays on its row":           {"ab\x1b[99999999b", "abbbbbbbbb"},
		"insert mode":                    {"abc\r\x1b[4hX\x1b[4lY", "XYbc"},
		"scrolling":                      {"1\r\n2\r\n3\r\n4\r\n5", "2\n3\n4\n5"},
		"a scrolling region":             {"1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[3;1H\nX", "1\n3\nX\n4"},
		"IL and DL":                      {"1\r\n2\r\n3\r\n4\x1b[2;1H\x1b[L\x1b[4;1H\x1b[M", "1\n\n2"},
		"RI at the top":                  {"1\r\n2\x1b[1;1H\x1bMX", "X\n1\n2"},
		"SU and SD":                      {"1\r\n2\r\n3\r\n4\x1b[2S\x1b[T", "\n3\n4"},
		"origin mode":                    {"\x1b[2;3r\x1b[?6h\x1b[9;1Hx\x1b[1;1Hy", "\ny\nx"},
		"save and restore":               {"ab\x1b7\x1b[3;3Hx\x1b8c", "abc\n\n  x"},
		"the alternate screen":           {"shell\x1b[?1049h\x1b[2J\x1b[Hvim\x1b[?1049l$", "shell$"},
		"in the alternate screen":        {"shell\x1b[?1049h\x1b[Hvim", "vim"},
		"line drawing":                   {"\x1b(0lqk\x1b(Bq", "┌─┐q"},
		"line drawing by SO":             {"\x1b)0\x0eqx\x0fq", "─│q"},
		"full alignment test":            {"\x1b#8\x1b[2;1H\x1b[2K\x1b[3J", "EEEEEEEEEE\n\nEEEEEEEEEE\nEEEEEEEEEE"},
		"full reset":                     {"abc\x1b[2;3r\x1bcx", "x"},
		"soft reset":                     {"\x1b[4h\x1b[2;3r\x1b[!pab\rX", "Xb"},
		"wide characters":                {"日本語x", "日本語x"},
		"a wide one that does not fit":   {"012345678日x", "012345678\n日x"},
		"half of a wide one overwritten": {"日本\x1b[1;2HX", " X本"},
		"the other half":                 {"日本\x1b[1;3HX", "日X"},
		"a wide one over two halves":     {"日本語\x1b[1;2H中", " 中 語"},
		"combining marks":                {"e\u0301x", "e\u0301x"},
		"a mark in the last column":      {"012345678e\u0301x", "012345678e\u0301\nx"},
		"joined emoji":                   {"👩\u200d💻x", "👩\u200d💻x"},
		"skin tones":                     {"👍🏽x", "👍🏽x"},
		"flags":                          {"🇩🇪x", "🇩🇪x"},
		"a broken character":             {"a\xe4\xb8b\xffc", "a\ufffdb\ufffdc"},
		"title, clipboard and link are read over": {"a\x1b]0;t\x07b\x1b]52;c;aGk=\x1b\\c\x1b]8;;http://x\x1b\\d\x1b]8;;\x07e", "abcde"},
		"DCS with an ESC inside":                  {"a\x1bPtmux;\x1b\x1b]52;c;x\x07\x1b\\b", "ab"},
		"tmux's own title":                        {"a\x1bktitle\x1b\\b", "ab"},
		"queries":                                 {"a\x1b[c\x1b[6n\x1b[?1$p\x1b[>c\x1b[=c\x1b]11;?\x07b", "ab"},
		"cancelled":                               {"a\x1b[3\x18b\x1b]0;x\x1ac", "abc"},
		"controls inside a sequence":              {"a\x1b[2\rCb", "a b"},
		"directions are left out":                 {"a\u202eb\u200fc\u2066d\ufeff", "abcd"},
		"C1 in UTF-8":                             {"a\u009b2Jb", "a2Jb"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, screen(write(10, 4, c.in))); diff != "" {
				t.Errorf("screen (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStyles(t *testing.T) {
	for in, want := range map[string]Style{
		"\x1b[1;31m":                     {Fg: Indexed(1), Attr: Bold},
		"\x1b[1;2;3;4;5;7;8;9m":          {Attr: Bold | Faint | Italic | Underline | Blink | Reverse | Conceal | Strike},
		"\x1b[1;31;4m\x1b[m":             {},
		"\x1b[1;3;4;7m\x1b[22;23;24;27m": {},
		"\x1b[95;105m":                   {Fg: Indexed(13), Bg: Indexed(13)},
		"\x1b[38;5;200;1m":               {Fg: Indexed(200), Attr: Bold},
		"\x1b[48;2;1;2;3;4m":             {Bg: RGB(1, 2, 3), Attr: Underline},
		"\x1b[38:2::1:2:3;1m":            {Fg: RGB(1, 2, 3), Attr: Bold},
		"\x1b[38:2:1:2:3m":               {Fg: RGB(1, 2, 3)},
		"\x1b[38:5:9m":                   {Fg: Indexed(9)},
		"\x1b[4:3m":                      {Attr: Underline},
		"\x1b[4m\x1b[4:0;1m":             {Attr: Bold},
		"\x1b[58;5;1;3m":                 {Attr: Italic},
		"\x1b[38;5m":                     {},
		"\x1b[38;5;300m":                 {},
		"\x1b[38m\x1b[;1m":               {Attr: Bold},
		"\x1b[>4;2m\x1b[?4m":             {},
		"\x1b[31m\x1b7\x1b[32m\x1b8":     {Fg: Indexed(1)},
		"\x1b[31;42m\x1b[39;49m":         {},
		"\x1b[99999999999999999999;1m":   {Attr: Bold},
	} {
		term := write(10, 4, in)
		if term.cur.pen != want {
			t.Errorf("%q gives %+v, want %+v", in, term.cur.pen, want)
		}
	}
}

func TestResize(t *testing.T) {
	term := write(10, 4, "1\r\n2\r\n3\r\n45678")
	term.Resize(4, 2)
	if got := screen(term); got != "3\n4567" {
		t.Errorf("smaller: %q", got)
	}
	term.Resize(10, 4)
	_, _ = term.Write([]byte("\r\nx\t|"))
	if got := screen(term); got != "3\n4567\nx       |" {
		t.Errorf("larger: %q", got)
	}
	term = write(10, 2, "sh\x1b[?1049h\x1b[Hvi")
	term.Resize(12, 3)
	_, _ = term.Write([]byte("\x1b[3;1Hx\x1b[?1049l$"))
	if got := screen(term); got != "sh$" {
		t.Errorf("the main screen after a resize of the alternate one: %q", got)
	}
}

func TestMatches(t *testing.T) {
	term := write(20, 2, "日本 Foo foo FOO é")
	for text, want := range map[string][]Span{
		"foo": {{5, 8}, {9, 12}, {13, 16}}, "Foo": {{5, 8}}, "本": {{2, 4}}, "É": nil, "é": {{17, 18}}, "": nil, "none": nil,
	} {
		if diff := cmp.Diff(want, term.Matches(0, NewPattern(text))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestPalettes(t *testing.T) {
	term := write(4, 1, "\x1b[38;2;255;0;0;48;5;21mA\x1b[0;1;93mB")
	for palette, want := range map[Palette]string{
		NoColors:  "A\x1b[0;1mB\x1b[m  ",
		Colors16:  "\x1b[0;91;104mA\x1b[0;1;93mB\x1b[0m  ",
		Colors256: "\x1b[0;38;5;196;48;5;21mA\x1b[0;1;93mB\x1b[0m  ",
		TrueColor: "\x1b[0;38;2;255;0;0;48;5;21mA\x1b[0;1;93mB\x1b[0m  ",
	} {
		want = strings.ReplaceAll(want, "\x1b[m  ", "\x1b[0m  ")
		if got := string(term.AppendRow(nil, 0, View{Cols: 4, Palette: palette})); got != want {
			t.Errorf("palette %d: %q, want %q", palette, got, want)
		}
	}
	if got := string(write(4, 1, "日本").AppendRow(nil, 0, View{From: 1, Cols: 2})); got != "  " {
		t.Errorf("halves of wide characters: %q", got)
	}
	if got := string(term.AppendRow(nil, 0, View{Cols: 2, Marked: []Span{{1, 2}}})); got != "A\x1b[0;1;7mB\x1b[m" {
		t.Errorf("marked: %q", got)
	}
}

// onlySGR is what a drawn row may consist of.
var onlySGR = regexp.MustCompile(`^(\x1b\[[0-9;]*m|[^\x00-\x1f\x7f-\x{9f}\x{202a}-\x{202e}\x{2066}-\x{2069}])*$`)

// check tells what is wrong with the insides of a terminal.
func check(t *Terminal) error {
	if t.cur.x < 0 || t.cur.x >= t.cols || t.cur.y < 0 || t.cur.y >= t.rows || t.top < 0 || t.below > t.rows || t.top >= t.below {
		return fmt.Errorf("cursor %d,%d, region %d to %d on %dx%d", t.cur.x, t.cur.y, t.top, t.below, t.cols, t.rows)
	}
	for y, l := range t.lines {
		if len(l.cells) != t.cols || len(t.lines) != t.rows {
			return fmt.Errorf("row %d has %d cells", y, len(l.cells))
		}
		for x, c := range l.cells {
			if c.Width == 2 && (x+1 == t.cols || l.cells[x+1].Width != 0) || c.Width == 0 && (x == 0 || l.cells[x-1].Width != 2) {
				return fmt.Errorf("half of a wide character at %d,%d", x, y)
			}
		}
		row := string(t.AppendRow(nil, y, View{Cols: t.cols, Palette: TrueColor}))
		if !onlySGR.MatchString(row) {
			return fmt.Errorf("row %d is drawn as %q", y, row)
		}
		if n := ansi.StringWidth(row); n != t.cols {
			return fmt.Errorf("row %d is drawn %d wide on %d columns: %q", y, n, t.cols, row)
		}
	}
	return nil
}

// drawn is everything that shows.
func drawn(t *Terminal) string {
	var b []byte
	_, rows := t.Size()
	for y := range rows {
		b = append(t.AppendRow(b, y, View{Cols: t.cols, Palette: TrueColor}), '\n')
	}
	x, y, visible := t.Cursor()
	return fmt.Sprint(string(b), x, y, visible)
}

// Whatever is written: the terminal is in order, what it draws holds nothing but
// text and SGR, and a clone taken anywhere goes on as the terminal itself does,
// neither changing the other.
func FuzzTerminal(f *testing.F) {
	for _, s := range []string{"日本\x1b[1;2HX\x1b[4h語\x1b[P", "\x1b[?1049h\x1b[41m\x1b[2J\x1b#8\x1b[?1049l", "a\u0301\x1b[5;1H\x1b[3L\x1b[2M\x1b[2;3r\x1bM\x1b[9S",
		"\x1b]0;x\x1b\\\x1bP\x1b\x1b[m\x1b\\\x1b[38:2::1:2:3m\x1b[99999999b", "\xe4\xb8\x1b[\xff\x9b2J👩\u200d💻👍🏽🇩🇪\u200d\u202e", "\x1b[?6h\x1b[5;2r\x1b[20h\n\n\t\x1b[Z\x1b[3g"} {
		f.Add([]byte(s), uint8(7), uint8(3), uint8(4), uint16(5))
	}
	f.Fuzz(func(t *testing.T, in []byte, cols, rows, cols2 uint8, cut uint16) {
		cols, rows, cols2 = cols%50, rows%20, cols2%50 // what is larger only takes longer
		term := New(int(cols), int(rows))
		at := min(int(cut), len(in))
		_, _ = term.Write(in[:at])
		clone := term.Clone()
		before := drawn(clone)
		for _, b := range in[at:] { // in single bytes, against one piece below
			_, _ = term.Write([]byte{b})
		}
		if drawn(clone) != before {
			t.Fatal("writing to a terminal changed its clone")
		}
		_, _ = clone.Write(in[at:])
		if a, b := drawn(term), drawn(clone); a != b {
			t.Fatalf("the clone went another way:\n%s\n%s", a, b)
		}
		if err := check(term); err != nil {
			t.Fatal(err)
		}
		term.Resize(int(cols2), int(cols))
		_, _ = term.Write(in)
		if err := check(term); err != nil {
			t.Fatalf("after a resize: %v", err)
		}
		for _, s := range [][]byte{[]byte("x"), []byte("日"), in} {
			for y := range int(rows) {
				for _, m := range term.Matches(y, NewPattern(string(s))) {
					if m.From < 0 || m.To > term.cols || m.From > m.To {
						t.Fatalf("%q matches at %v", s, m)
					}
				}
			}
		}
	})
}

func BenchmarkScrolling(b *testing.B) {
	var s strings.Builder
	for i := 0; s.Len() < 1<<20; i++ {
		fmt.Fprintf(&s, "%06d -rw-r--r-- 1 root root 4096 Nov 24 14:00 some-file-name.txt\r\n", i)
	}
	term := New(100, 30)
	b.SetBytes(int64(s.Len()))
	for b.Loop() {
		_, _ = term.Write([]byte(s.String()))
	}
}
