package recording

import (
	"bufio"
	"bytes"
	"io"
)

// ExportText writes what the terminal showed as plain text: the lines that
// scrolled away, then those that stood there at the end, as a person who
// scrolls back would see them. What programs drew on a screen of their own,
// such as editors do, is left out.
func ExportText(w io.Writer, r *Reader) error {
	out := bufio.NewWriter(w)
	s := newScreen(r.Header.Cols, r.Header.Rows)
	t := &textExporter{out: out}
	nothing := func() {}
	s.returning, s.leaving, s.left, s.mark = nothing, nothing, nothing, func([]byte) {}
	s.main.gone = t.row
	if r.Header.bare() { // a line feed alone ends a line
		s.left = func() { s.grid.x = 0 }
	}
	err := each(r, func(ev *Event) error {
		switch ev.Code {
		case CodeOutput:
			s.feed([]byte(ev.Data))
		case CodeResize:
			if cols, rows, err := ev.Size(); err == nil {
				s.resize(cols, rows)
			}
		}
		return t.err
	})
	s.main.leave(s.main.used())
	if t.began {
		_, _ = out.Write(append(bytes.TrimRight(t.line, " "), '\n')) // Flush tells
	}
	return exported(out, err)
}

// textExporter writes rows as lines.
type textExporter struct {
	out   *bufio.Writer
	began bool
	line  []byte // what goes on in the next row, or does not
	err   error
}

func (t *textExporter) row(r *row) {
	if t.began && !r.goesOn {
		_, t.err = t.out.Write(append(bytes.TrimRight(t.line, " "), '\n'))
		t.line = t.line[:0]
	}
	t.began = true
	t.line = r.appendText(t.line, 0, len(r.cells))
	if len(t.line) > maxLine {
		_, t.err = t.out.Write(t.line)
		t.line = t.line[:0]
	}
}
