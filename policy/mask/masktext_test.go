package mask

import (
	"bytes"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"hoop/policy"
)

// FuzzMaskText holds whole texts to what their readers rely on: findings are in
// order and apart, both builds have the same, one pass over many values points
// at each, and masking changes nothing else, shows nothing more, leaves UTF-8
// valid and, where the method keeps lengths, the length.
func FuzzMaskText(f *testing.F) {
	for _, text := range []string{
		"mail ada@example.com, +1 212 555 0142 x12 fax\nGB82 WEST 1234 5698 7654 32 end",
		"password: \"hunter2\", \x1b[1m4012 8888\x1b[0m 8888 1881\x1b[3;4H078-05-1120",
		"https://app:hunter2@db/x -----BEGIN PRIVATE KEY-----\nabcd\n-----END PRIVATE KEY-----\n",
		"é4012\u00a08888\u00a08888\u00a01881é ądam@exämple.com, 电话0212 555 0142",
	} {
		f.Add([]byte(text), "")
		f.Add([]byte(text), "phone_ssn")
	}
	for _, s := range seeds(f, 40) {
		f.Add([]byte(s.Text), s.context().Name)
	}
	scalar := allDetectors(f, policy.MaskSpec{Method: "redact"})
	scalar.scalar = true
	masks := map[string]*Detectors{}
	for _, name := range []string{"redact", "partial", "hash", "generalise", "format_preserving", "null"} {
		masks[name] = allDetectors(f, policy.MaskSpec{Method: name})
	}
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		c := Context{Name: name}
		found := scalar.Find(nil, text, c)
		checkFindings(t, text, found)
		for method, d := range masks {
			if diff := cmp.Diff(found, d.Find(nil, text, c)); diff != "" {
				t.Fatalf("the builds differ:\n%s", diff)
			}
			out, masked := d.MaskText(nil, text, c, nil)
			if masked != (len(found) > 0) {
				t.Fatalf("%s: masked %v, %d findings", method, masked, len(found))
			}
			if masked {
				checkMasked(t, method, text, out, found)
			}
		}
		checkTouched(t, masks["redact"], text[:len(text)/2], text[len(text)/2:], c)
		checkTouched(t, scalar, text, nil, c)
	})
}

func checkFindings(t *testing.T, text []byte, found []Finding) {
	t.Helper()
	end := 0
	for _, f := range found {
		if f.Start < end || f.End <= f.Start || f.End > len(text) {
			t.Fatalf("findings %v of %d bytes", found, len(text))
		}
		end = f.End
	}
}

// checkMasked compares a masked text with what stood between its findings.
func checkMasked(t *testing.T, method string, text, out []byte, found []Finding) {
	t.Helper()
	if utf8.Valid(text) && !utf8.Valid(out) {
		t.Errorf("%s: %q is not UTF-8", method, out)
	}
	rest, done := out, 0
	for i, f := range found {
		gap := text[done:f.Start]
		if !bytes.HasPrefix(rest, gap) {
			t.Fatalf("%s: %q, finding %d: what stands before it changed", method, out, i)
		}
		rest, done = rest[len(gap):], f.End
		switch value := text[f.Start:f.End]; {
		case method == "null":
		case method == "redact":
			if !bytes.HasPrefix(rest, []byte(redacted)) {
				t.Fatalf("%q: finding %d is not redacted", out, i)
			}
			rest = rest[len(redacted):]
		case (method == "partial" || method == "format_preserving") && !bytes.Contains(value, []byte{escape}):
			if len(rest) < len(value) {
				t.Fatalf("%s: %q is shorter", method, out)
			}
			if method == "partial" {
				checkPartial(t, value, rest[:len(value)])
			}
			rest = rest[len(value):]
		default:
			return // its length is its own affair
		}
	}
	if !bytes.Equal(rest, text[done:]) {
		t.Errorf("%s: %q: the end changed", method, out)
	}
}

// checkTouched looks at two values side by side, as a broker does at rows:
// where something is found in one of them, a candidate lies in it.
func checkTouched(t *testing.T, d *Detectors, a, b []byte, c Context) {
	t.Helper()
	run := slices.Concat([]byte{0, 0, 0, byte(len(a))}, a, []byte{0, 0, 0, byte(len(b))}, b)
	spots := d.Candidates(nil, run)
	at := 4
	for _, cell := range [][]byte{a, b} {
		found := d.Find(nil, cell, c)
		if len(found) > 0 && !slices.ContainsFunc(spots, func(c Candidate) bool {
			return int(c.Start) < at+len(cell) && int(c.End) > at
		}) {
			t.Errorf("no candidate in %q, but %v", cell, found)
		}
		at += len(cell) + 4
	}
}
