package postgres

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"hoop/policy"
	"hoop/policy/mask"
)

// dataRow makes a DataRow; nil is NULL.
func dataRow(cells ...[]byte) []byte {
	b, at := startFrame(nil, 'D')
	b = binary.BigEndian.AppendUint16(b, uint16(len(cells)))
	for _, c := range cells {
		if c == nil {
			b = append(b, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(c))), c...)
	}
	return endFrame(b, at)
}

// cells takes a DataRow apart by the plainest way there is.
func cells(row []byte) ([][]byte, error) {
	kind, size, err := frameSize(row)
	if err != nil || kind != 'D' || size != len(row) || size < headerSize+2 {
		return nil, errors.New("no frame")
	}
	r := reader{rest: row[headerSize+2:]}
	v := r.values(int(binary.BigEndian.Uint16(row[headerSize:])))
	if err := r.done(); err != nil {
		return nil, err
	}
	var out [][]byte
	for {
		c, ok := v.next()
		if !ok {
			return out, nil
		}
		out = append(out, c)
	}
}

func method(t testing.TB, name string) *mask.Method {
	t.Helper()
	m, err := mask.NewMethod(policy.MaskSpec{Method: name}, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// testMasker masks the columns whose methods are given; "" is none.
func testMasker(t testing.TB, methods ...string) *masker {
	m := &masker{plan: &plan{labelled: true}}
	m.ready()
	for _, name := range methods {
		c := columnPlan{kind: mask.Text, label: name}
		if name != "" {
			c.method = method(t, name)
		}
		m.plan.columns = append(m.plan.columns, c)
	}
	return m
}

// run sends rows through a masker and gives what comes out.
func (m *masker) run(rows []byte) ([]byte, error) {
	f, out := testFlow(nil, nil, 64)
	f.buf, f.end = bytes.Clone(rows), len(rows)
	for f.pos < f.end {
		_, size, complete, err := f.next()
		if err != nil || !complete {
			return nil, errRow
		}
		if err := m.row(f, size); err != nil {
			return nil, err
		}
	}
	if err := f.flush(); err != nil {
		return nil, err
	}
	return out.got.Bytes(), nil
}

// For any bytes that claim to be a DataRow: masking nothing gives them back or
// refuses them; masking gives a well-formed row with the other cells as they
// were and nothing of the masked one.
func FuzzDataRow(f *testing.F) {
	f.Add(dataRow([]byte("a"), []byte("078-05-1120"), nil), byte(1), byte(0))
	f.Add(dataRow(nil, nil, []byte("")), byte(2), byte(1))
	f.Add(dataRow([]byte("x"), []byte("y"), bytes.Repeat([]byte("secret"), 100)), byte(2), byte(3))
	f.Add([]byte("D\x00\x00\x00\x0a\x80\x80\x80\x80\x80\x80"), byte(0), byte(0))
	f.Add([]byte("D\x00\x00\x00\x0c\x00\x03\xff\xff\xff\xfe\x00\x00"), byte(0), byte(0))
	names := []string{"redact", "null", "hash", "partial"}
	f.Fuzz(func(t *testing.T, row []byte, which, how byte) {
		if kind, size, err := frameSize(row); err != nil || kind != 'D' || size != len(row) {
			return // the splitter's affair
		}
		in, bad := cells(row)
		if bad == nil && len(in) != 3 {
			bad = errors.New("other columns")
		}
		same, err := testMasker(t, "", "", "").run(row)
		if (err == nil) != (bad == nil) {
			t.Fatalf("a row that is wrong as in %v gave %v", bad, err)
		}
		if bad == nil && !bytes.Equal(same, row) {
			t.Fatalf("masking nothing made %q of %q", same, row)
		}
		methods := make([]string, 3)
		i := int(which % 3)
		methods[i] = names[how%4]
		got, err := testMasker(t, methods...).run(row)
		if (err == nil) != (bad == nil) {
			t.Fatalf("a row that is wrong as in %v gave %v", bad, err)
		}
		if bad != nil {
			return
		}
		out, err := cells(got)
		if err != nil {
			t.Fatalf("%q is no DataRow: %v", got, err)
		}
		for j := range in {
			switch {
			case j != i && !bytes.Equal(in[j], out[j]), (in[j] == nil) && out[j] != nil:
				t.Fatalf("cell %d was %q, is %q", j, in[j], out[j])
			case j == i && len(in[j]) > 0 && bytes.Equal(in[j], out[j]) && hasWord(in[j]):
				t.Fatalf("cell %d is still %q", j, in[j])
			}
		}
	})
}

// hasWord reports whether there is a letter or digit for partial to hide, and
// the value is none of the replacements.
func hasWord(b []byte) bool {
	return bytes.ContainsAny(b, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") && string(b) != "[redacted]"
}

// Detectors over several rows at once find in each what they would find alone.
func FuzzDetectedRows(f *testing.F) {
	f.Add("plain", "my card is 4111 1111 1111 1111", "ann@example.org", byte(3))
	f.Add("", "078-05-1120", "x", byte(1))
	d, err := mask.NewDetectors([]string{"*"}, func(string) (*mask.Method, error) { return mask.NewMethod(policy.MaskSpec{Method: "redact"}, nil) })
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, a, b, c string, cut byte) {
		var rows, want []byte
		texts := []string{a, b, c, a + b, c + a}
		for i := range texts {
			row := [][]byte{[]byte(texts[i]), []byte(texts[(i+1)%5])}
			rows = append(rows, dataRow(row...)...)
			for j := range row {
				if out, found := d.MaskText(nil, row[j], mask.Context{}, nil); found {
					row[j] = out
				}
			}
			want = append(want, dataRow(row...)...)
		}
		m := &masker{plan: &plan{seeking: true, columns: []columnPlan{{seek: inText}, {seek: inText}}}, detectors: d}
		m.ready()
		got, err := m.run(rows)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("got\n%q\nwant\n%q", got, want)
		}
	})
}

func TestRowsCannotCarryMoreOrFewerColumns(t *testing.T) {
	for _, row := range [][]byte{dataRow(), dataRow([]byte("a")), dataRow([]byte("a"), []byte("b"), []byte("c")),
		append(dataRow([]byte("a"), []byte("b"))[:20], 'x')} {
		if got, err := testMasker(t, "", "redact").run(row); err == nil {
			t.Errorf("%q passed as %q", row, got)
		}
	}
}

func BenchmarkRows(b *testing.B) {
	var run []byte
	const rows = 300
	for i := range rows {
		run = append(run, dataRow([]byte(fmt.Sprint(1000000+i)), []byte("Client Number "+fmt.Sprint(i)), []byte(fmt.Sprintf("123-45-%04d", i)),
			[]byte("4111111111111111"), []byte(fmt.Sprintf("client%d@example.com", i)), []byte("Some Street 12"), []byte("Sometown"),
			[]byte(strings.Repeat("lorem ipsum ", 15)), []byte("2020-01-01"))...)
	}
	d, err := mask.NewDetectors([]string{"*"}, func(string) (*mask.Method, error) { return mask.NewMethod(policy.MaskSpec{Method: "redact"}, nil) })
	if err != nil {
		b.Fatal(err)
	}
	seeking := make([]columnPlan, 9)
	for i := range seeking {
		seeking[i].seek = inText
	}
	for _, bb := range []struct {
		name string
		m    *masker
	}{
		{"untouched", testMasker(b, "", "", "", "", "", "", "", "", "")},
		{"in place", testMasker(b, "", "", "partial", "partial", "partial", "", "", "", "")},
		{"redacted", testMasker(b, "", "", "redact", "redact", "redact", "", "", "", "")},
		{"hashed", testMasker(b, "", "", "hash", "", "", "", "", "", "")},
		{"null", testMasker(b, "", "", "null", "null", "null", "", "", "", "")},
		{"detectors", &masker{plan: &plan{seeking: true, columns: seeking}, detectors: d}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			bb.m.ready()
			f, _ := testFlow(nil, nil, 64)
			f.buf, f.dst = bytes.Clone(run), discard{}
			b.SetBytes(int64(len(run)))
			b.ReportAllocs()
			for b.Loop() {
				copy(f.buf, run)
				f.from, f.pos, f.end = 0, 0, len(run)
				bb.m.runEnd = 0
				for f.pos < f.end {
					_, size, _, _ := f.next()
					if err := bb.m.row(f, size); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := f.dst.Write(f.out); err != nil {
					b.Fatal(err)
				}
				f.out = f.out[:0]
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}

type discard struct{ sink }

func (discard) Write(b []byte) (int, error) { return len(b), nil }
