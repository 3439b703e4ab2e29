package postgres

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"

	"hoop/policy/mask"
	"hoop/policy/sql"
)

func copyOf(format string) *sql.CopyFacts {
	cp := &sql.CopyFacts{To: true, Format: format, Delimiter: "\t", Null: `\N`}
	if format == "csv" {
		cp.Delimiter, cp.Null, cp.Quote, cp.Escape = ",", "", `"`, `"`
	}
	return cp
}

// rowsOf joins the payloads of CopyData frames.
func rowsOf(t *testing.T, frames []byte) string {
	var out []byte
	for len(frames) > 0 {
		kind, size, err := frameSize(frames)
		if err != nil || kind != 'd' || size > len(frames) {
			t.Fatalf("%q is no CopyData", frames)
		}
		out = append(out, frames[headerSize:size]...)
		frames = frames[size:]
	}
	return string(out)
}

// feed gives data to a masker of copies in pieces of n bytes.
func feed(m *copyMasker, data string, n int) (out []byte, err error) {
	for len(data) > 0 && err == nil {
		k := min(n, len(data))
		out, err = m.data(out, []byte(data[:k]))
		data = data[k:]
	}
	if err == nil {
		out, err = m.end(out)
	}
	return out, err
}

// What COPY writes for any three values comes through, cut anywhere, with the
// first and last values as they were and the second replaced.
func FuzzCopyData(f *testing.F) {
	f.Add("a", "078-05-1120", "b", 3, false)
	f.Add("tab\there", `back\slash`, "new\nline", 1, true)
	f.Add(`quo"te`, `"`, ",", 2, true)
	f.Add(`\N`, `\.`, "\r", 5, false)
	f.Fuzz(func(t *testing.T, a, b, c string, cut int, isCSV bool) {
		format := "text"
		if isCSV {
			format = "csv"
		}
		cp := copyOf(format)
		w := newCopyMasker(cp, nil, nil)
		values := []string{a, b, c}
		line := func(second []byte) string {
			var out []byte
			for i, v := range [][]byte{[]byte(a), second, []byte(c)} {
				if i > 0 {
					out = append(out, w.delim)
				}
				out = w.encode(out, v)
			}
			return string(append(out, '\n'))
		}
		for _, v := range values { // encoding is undone by decoding
			if got := w.decode(nil, w.encode(nil, []byte(v))); string(got) != v {
				t.Fatalf("%q became %q", v, got)
			}
		}
		if isCSV { // and what is written is what others read
			got, err := csv.NewReader(strings.NewReader(line([]byte(b)))).Read()
			if err == nil && !strings.Contains(a+b+c, "\r") && strings.Join(got, "\x00") != a+"\x00"+b+"\x00"+c {
				t.Fatalf("%q read as %q", line([]byte(b)), got)
			}
		}
		data := strings.Repeat(line([]byte(b)), 3)
		n := 1 + (cut%17+17)%17
		keep := newCopyMasker(cp, make([]columnPlan, 3), &masker{})
		same, err := feed(keep, data, n)
		if err != nil || rowsOf(t, same) != data {
			t.Fatalf("masking nothing made %q of %q (%v)", same, data, err)
		}
		columns := make([]columnPlan, 3)
		columns[1] = columnPlan{method: method(t, "redact"), kind: mask.Text}
		m := newCopyMasker(cp, columns, &masker{})
		got, err := feed(m, data, n)
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Repeat(line([]byte("[redacted]")), 3); rowsOf(t, got) != want {
			t.Fatalf("got %q, want %q", rowsOf(t, got), want)
		}
	})
}

// Any bytes at all: never a panic, and nothing comes out that did not have the
// promised fields.
func FuzzCopyGarbage(f *testing.F) {
	f.Add([]byte("a\tb\tc\n\\"), 2, true)
	f.Add([]byte("\"a,b\n"), 1, true)
	f.Fuzz(func(t *testing.T, data []byte, cut int, isCSV bool) {
		format := "text"
		if isCSV {
			format = "csv"
		}
		columns := make([]columnPlan, 2)
		columns[0] = columnPlan{method: method(t, "null"), kind: mask.Text}
		m := newCopyMasker(copyOf(format), columns, &masker{})
		out, err := feed(m, string(data), 1+(cut%7+7)%7)
		if err != nil {
			return
		}
		null := []byte(m.null)
		for frames := out; len(frames) > 0; {
			_, size, _ := frameSize(frames)
			if row := frames[headerSize:size]; !bytes.HasPrefix(row, append(null, m.delim)) && strings.TrimRight(string(row), "\n") != `\.` {
				t.Fatalf("the first field of %q is not masked", row)
			}
			frames = frames[size:]
		}
	})
}
