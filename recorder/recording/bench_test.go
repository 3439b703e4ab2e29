package recording

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// BenchmarkOutput measures what recording costs a session: with a terminal,
// where the screen is followed, and without.
func BenchmarkOutput(b *testing.B) {
	var lines strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&lines, "%06d drwxr-xr-x root root 4096 Nov 24 14:26 some/path/of/a/file.txt\r\n", i)
	}
	for name, text := range map[string]string{
		"lines": lines.String(),
		"cjk":   strings.Repeat("漢字かな交じり文のとても長い行です。\r\n", 2000),
		"vim":   output(b, "vim"), "htop": output(b, "htop"), "bash": output(b, "bash"),
	} {
		for _, tty := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/pty=%t", name, tty), func(b *testing.B) { benchmarkOutput(b, text, tty) })
		}
	}
}

func benchmarkOutput(b *testing.B, text string, tty bool) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	s := open(b)
	w, err := newWriter(null, Meta{Session: "abc", Action: 1, PTY: tty}, Hooks{}, s.now)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		for p := []byte(text); len(p) > 0; {
			n := min(4096, len(p))
			if err := w.Output(p[:n]); err != nil {
				b.Fatal(err)
			}
			p = p[n:]
		}
	}
	_, _ = w.Close("")
}

// output gives all that a real program showed.
func output(b *testing.B, name string) string {
	var out strings.Builder
	_, evs := events(b, strings.NewReader(string(cast(b, name))))
	for _, ev := range evs {
		if ev.Code == CodeOutput {
			out.WriteString(ev.Data)
		}
	}
	return out.String()
}
