package mask

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"hoop/policy"
)

var testKey = []byte("an example key of enough bytes")

func method(t testing.TB, spec policy.MaskSpec) *Method {
	t.Helper()
	m, err := NewMethod(spec, testKey)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func textOf(t testing.TB, m *Method, value string, kind Kind) string {
	t.Helper()
	out, null := m.Apply([]byte("> "), []byte(value), kind, false)
	if null {
		if string(out) != "> " {
			t.Errorf("NULL for %q left %q", value, out)
		}
		return "NULL"
	}
	return strings.TrimPrefix(string(out), "> ")
}

func TestTextReplacements(t *testing.T) {
	two, no := 2, false
	for _, c := range []struct {
		spec policy.MaskSpec
		kind Kind
		in   string
		want string
	}{
		{policy.MaskSpec{Method: "redact"}, Text, "Ada", "[redacted]"},
		{policy.MaskSpec{Method: "redact", Text: "•"}, Text, "Ada", "•"},
		{policy.MaskSpec{Method: "redact"}, Integer, "7", "NULL"},
		{policy.MaskSpec{Method: "redact"}, Opaque, "{1,2}", "NULL"},
		{policy.MaskSpec{Method: "redact"}, JSON, `{"a":1}`, `"[redacted]"`},
		{policy.MaskSpec{Method: "redact", Text: "#"}, Bytes, `\x00ff`, `\x23`},
		{policy.MaskSpec{Method: "null"}, Text, "Ada", "NULL"},
		{policy.MaskSpec{Method: "partial"}, Text, "4012-8888-8888-1881", "****-****-****-1881"},
		{policy.MaskSpec{Method: "partial"}, Text, "Ada", "**a"},
		{policy.MaskSpec{Method: "partial"}, Text, "A", "*"},
		{policy.MaskSpec{Method: "partial"}, Text, "Łódź ok", "*****ź ok"},
		{policy.MaskSpec{Method: "partial", KeepLast: &two}, Text, "ada@example.com", "***@*******.*om"},
		{policy.MaskSpec{Method: "partial", KeepSeparators: &no}, Text, "078-05-1120", "*******1120"},
		{policy.MaskSpec{Method: "partial"}, Integer, "-123456789", "6789"},
		{policy.MaskSpec{Method: "partial"}, UUID, "f47ac10b-58cc-4372-a567-0e02b2c3d479", "00000000-0000-0000-0000-00000000d479"},
		{policy.MaskSpec{Method: "partial"}, Date, "2024-05-31", "NULL"},
		{policy.MaskSpec{Method: "fixed", Text: "0"}, Integer, "77", "0"},
		{policy.MaskSpec{Method: "fixed", Text: "0"}, Decimal, "77.10", "0"},
		{policy.MaskSpec{Method: "fixed", Text: "none"}, Integer, "77", "NULL"},
		{policy.MaskSpec{Method: "fixed", Text: "70000"}, Integer, "77", "NULL"},
		{policy.MaskSpec{Method: "fixed", Text: "1970-01-01"}, Date, "2024-05-31", "1970-01-01"},
		{policy.MaskSpec{Method: "generalise"}, Date, "2024-05-31", "2024-05-01"},
		{policy.MaskSpec{Method: "generalise", To: "year"}, Date, "2024-05-31", "2024-01-01"},
		{policy.MaskSpec{Method: "generalise"}, Date, "infinity", "NULL"},
		{policy.MaskSpec{Method: "generalise"}, Timestamp, "2024-05-31 12:30:00.5+02", "2024-05-01 00:00:00+02"},
		{policy.MaskSpec{Method: "generalise"}, Text, "2024-05-31", "2024-05"},
		{policy.MaskSpec{Method: "generalise"}, Text, "ada@example.com", "example.com"},
		{policy.MaskSpec{Method: "generalise"}, Text, "192.0.2.77", "192.0.2.0/24"},
		{policy.MaskSpec{Method: "generalise"}, Text, "2001:db8:1:2::3", "2001:db8:1::/48"},
		{policy.MaskSpec{Method: "generalise"}, Text, "Ada", "[redacted]"},
		{policy.MaskSpec{Method: "hash"}, Bool, "t", "NULL"},
	} {
		if got := textOf(t, method(t, c.spec), c.in, c.kind); got != c.want {
			t.Errorf("%s %s of kind %d: %q, want %q", c.spec.Method, c.in, c.kind, got, c.want)
		}
	}
}

func TestMethodsRefuse(t *testing.T) {
	negative := -1
	for name, c := range map[string]struct {
		spec policy.MaskSpec
		key  []byte
	}{
		"an unknown method":   {policy.MaskSpec{Method: "rot13"}, testKey},
		"hash without a key":  {policy.MaskSpec{Method: "hash"}, nil},
		"a short key":         {policy.MaskSpec{Method: "format_preserving"}, []byte("short")},
		"fixed without text":  {policy.MaskSpec{Method: "fixed"}, testKey},
		"keep_last below 0":   {policy.MaskSpec{Method: "partial", KeepLast: &negative}, testKey},
		"text not in UTF-8":   {policy.MaskSpec{Method: "redact", Text: "\xff"}, testKey},
		"an unknown fineness": {policy.MaskSpec{Method: "generalise", To: "decade"}, testKey},
	} {
		if _, err := NewMethod(c.spec, c.key); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestZeroMethodIsNull(t *testing.T) {
	for kind := Text; kind <= Opaque; kind++ {
		if out, null := (&Method{}).Apply(nil, []byte("x"), kind, false); !null || len(out) > 0 {
			t.Errorf("kind %d: %q", kind, out)
		}
	}
}

func TestHashJoins(t *testing.T) {
	m := method(t, policy.MaskSpec{Method: "hash"})
	other, err := NewMethod(policy.MaskSpec{Method: "hash"}, []byte("another key of enough bytes"))
	if err != nil {
		t.Fatal(err)
	}
	a, b := textOf(t, m, "Ada", Text), textOf(t, m, "Ada", Text)
	if a != b || a == textOf(t, m, "Eve", Text) || a == textOf(t, other, "Ada", Text) {
		t.Errorf("tokens of equal, different values and keys: %s %s", a, b)
	}
	// An integer keeps its token in every width and format.
	for _, v := range []int64{7, -7, 12345} {
		want := textOf(t, m, fmt.Sprint(v), Integer)
		for _, width := range []int{2, 4, 8} {
			out, null := m.Apply(nil, sized(v, width), Integer, true)
			got, ok := readInteger(out, true)
			if null || !ok || len(out) != width || fmt.Sprint(got) != want {
				t.Errorf("%d in %d bytes: %d, want %s", v, width, got, want)
			}
		}
	}
}

func sized(v int64, width int) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(v))[8-width:]
}

func TestIntegerTokensAreAPermutation(t *testing.T) {
	m := method(t, policy.MaskSpec{Method: "hash"})
	seen := make(map[string]bool)
	for v := range 1 << 15 {
		token := textOf(t, m, strconv.Itoa(v), Integer)
		if n, err := strconv.Atoi(token); err != nil || n < 0 || n >= 1<<15 || seen[token] {
			t.Fatalf("token of %d: %s", v, token)
		}
		seen[token] = true
	}
}

func TestFormatPreserving(t *testing.T) {
	m := method(t, policy.MaskSpec{Method: "format_preserving"})
	for _, in := range []string{"4012-8888-8888-1881", "Mira Holt", "ab1", "GB82 WEST 1234 5698 7654 32"} {
		got := textOf(t, m, in, Text)
		if got == in || len(got) != len(in) {
			t.Errorf("%q: %q", in, got)
		}
		for i := range got {
			if isDigit(got[i]) != isDigit(in[i]) || isLetter(got[i]) != isLetter(in[i]) || got[i]&0x20 != in[i]&0x20 && isLetter(in[i]) {
				t.Errorf("%q: %q differs in kind at %d", in, got, i)
			}
		}
	}
	for _, v := range []int64{123456, 2147483647, 2147483648, 9_000_000_000_000_000_000} {
		got := textOf(t, m, fmt.Sprint(v), Integer)
		n, err := strconv.ParseInt(got, 10, 64)
		if err != nil || n == v || len(got) != len(fmt.Sprint(v)) || v < 1<<31 && n >= 1<<31 {
			t.Errorf("%d: %s", v, got)
		}
	}
	if got := textOf(t, m, "12345", Integer); got != "NULL" {
		t.Errorf("five digits: %s", got)
	}
	if got := textOf(t, m, "-1234.5678", Decimal); len(got) != len("-1234.5678") || got[5] != '.' || got[0] != '-' {
		t.Errorf("a decimal: %s", got)
	}
}

func TestBinaryGeneralise(t *testing.T) {
	m := method(t, policy.MaskSpec{Method: "generalise"})
	day := time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC)
	out, null := m.Apply(nil, sized(daysSinceEpoch(day), 4), Date, true)
	if v, _ := readInteger(out, true); null || v != -31 {
		t.Errorf("1999-12-31: day %d", v)
	}
	out, null = m.Apply(nil, sized(-1, 8), Timestamp, true) // a microsecond before 2000
	if v, _ := readInteger(out, true); null || v != -31*microsecondsPerDay {
		t.Errorf("the last microsecond of 1999: %d", v)
	}
	for _, infinity := range [][]byte{sized(1<<31-1, 4), sized(-1<<31, 4)} {
		if _, null := m.Apply(nil, infinity, Date, true); !null {
			t.Errorf("infinity has a month")
		}
	}
}

// FuzzApply holds every method to what its caller relies on: text stays UTF-8,
// JSON stays JSON, a binary value keeps its width, partial keeps the length and
// shows at most half.
func FuzzApply(f *testing.F) {
	f.Add([]byte("Łódź 078-05-1120"), byte(Text), false)
	f.Add([]byte{0, 0, 0, 7}, byte(Integer), true)
	f.Add([]byte("2024-05-31 12:00:00+02"), byte(Timestamp), false)
	f.Add([]byte("\x01{}"), byte(JSON), true)
	var methods []*Method
	var names []string
	for _, name := range []string{"redact", "fixed", "partial", "hash", "generalise", "format_preserving"} {
		methods = append(methods, method(f, policy.MaskSpec{Method: name, Text: "42"}))
		names = append(names, name)
	}
	f.Fuzz(func(t *testing.T, value []byte, k byte, bin bool) {
		kind := Kind(k) % (Opaque + 1)
		for i, m := range methods {
			out, null := m.Apply(nil, value, kind, bin)
			if null {
				continue
			}
			checkReplacement(t, names[i], value, out, kind, bin)
		}
	})
}

func checkReplacement(t *testing.T, name string, value, out []byte, kind Kind, bin bool) {
	t.Helper()
	if kind == Opaque || kind == Bool || kind == Float || kind == Time {
		t.Errorf("%s: kind %d has no replacement", name, kind)
	}
	if !(bin && kind != Text && kind != JSON) && !utf8.Valid(out) {
		t.Errorf("%s: %q is not UTF-8", name, out)
	}
	if bin && (kind == Integer || kind == Date || kind == Timestamp || kind == UUID) && len(out) != len(value) {
		t.Errorf("%s: kind %d of %d bytes became %d", name, kind, len(value), len(out))
	}
	if doc := out; kind == JSON {
		if bin && len(value) > 0 && value[0] == 1 {
			doc = doc[1:]
		}
		if !json.Valid(doc) {
			t.Errorf("%s: %q is not JSON", name, out)
		}
	}
	if name == "partial" && kind == Text {
		checkPartial(t, value, out)
	}
}

func checkPartial(t *testing.T, value, out []byte) {
	t.Helper()
	words, shown := 0, 0
	for i, c := range value {
		if !isWord(c) {
			continue
		}
		words++
		if i < len(out) && out[i] == c && c < utf8.RuneSelf {
			shown++
		}
	}
	if len(out) != len(value) || 2*shown > words {
		t.Errorf("partial shows %d of %d: %q → %q", shown, words, value, out)
	}
}

// The quick way of partial gives what the general one gives.
func TestPartialASCII(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		value := make([]byte, rng.IntN(40))
		for i := range value {
			value[i] = byte(rng.IntN(128))
		}
		p := partial{keep: rng.IntN(8), separators: rng.IntN(2) == 0}
		got, ok := p.ascii([]byte("x"), value)
		if want := p.runes([]byte("x"), value); !ok || string(got) != string(want) {
			t.Fatalf("%q with %+v gives %q, want %q", value, p, got, want)
		}
	}
}
