package postgres

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"

	"hoop/policy"
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

// copied sends data through a masker as PostgreSQL does, a frame for each row
// and many frames at once.
func copied(m *copyMasker, data string) ([]byte, error) {
	f, out := testFlow(nil, nil, 64)
	for _, row := range strings.SplitAfter(data, "\n") {
		if row != "" {
			f.buf = appendCopyData(f.buf, []byte(row))
		}
	}
	f.end = len(f.buf)
	for f.pos < f.end {
		_, size, _, err := f.next()
		if err == nil {
			err = m.frame(f, size)
		}
		if err != nil {
			return nil, err
		}
	}
	rest, err := m.end(nil)
	if err != nil {
		return nil, err
	}
	f.put(rest)
	err = f.flush()
	return out.got.Bytes(), err
}

// Rows looked at where they lie, many at once, come out as rows looked at field
// by field, whatever stands beside a value.
func FuzzCopyRuns(f *testing.F) {
	f.Add("call 078-05-1120 now", "4111111111111111", "x", byte(0), false)
	f.Add("tab\t4111111111111111\n", `a\b@example.org`, "n", byte(1), false)
	f.Add("a@example.org", "say \"4111111111111111\"", "", byte(2), true)
	f.Add("4111", "1111", "11111111", byte(3), false)
	f.Add("password=", "hunter22hunter22", "-----BEGIN RSA PRIVATE KEY-----", byte(4), true)
	d, err := mask.NewDetectors([]string{"*"}, func(string) (*mask.Method, error) { return mask.NewMethod(policy.MaskSpec{Method: "redact"}, nil) })
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, a, b, c string, delim byte, isCSV bool) {
		cp := copyOf(map[bool]string{true: "csv", false: "text"}[isCSV])
		cp.Delimiter = string("\t,;|- :0"[delim%8])
		fresh := func() *copyMasker {
			columns := make([]columnPlan, 3)
			columns[0].seek, columns[1].seek = inText, inText
			columns[2] = columnPlan{method: method(t, "partial"), kind: mask.Text, label: "l"}
			m := &masker{detectors: d}
			m.ready()
			return newCopyMasker(cp, columns, m)
		}
		var data []byte
		w := fresh()
		for _, values := range [][]string{{a, b, c}, {b, c, a}, {c, a, b}} {
			for i, v := range values {
				if i > 0 {
					data = append(data, w.delim)
				}
				data = w.encode(data, []byte(v))
			}
			data = append(data, '\n')
		}
		slow, serr := feed(fresh(), string(data), 3)
		fast, ferr := copied(fresh(), string(data))
		if serr != nil || ferr != nil {
			if (serr == nil) != (ferr == nil) {
				t.Fatalf("%q: %v, but %v", data, serr, ferr)
			}
			return
		}
		if got, want := rowsOf(t, fast), rowsOf(t, slow); got != want {
			t.Fatalf("%q became\n%q, by itself\n%q", data, got, want)
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
