package mask

import (
	"testing"
	"time"

	"hoop/policy"
)

var noon = time.Date(2024, 5, 31, 12, 0, 0, 0, time.UTC)

// whole masks a text in one piece.
func whole(d *Detectors, text []byte, c Context) string {
	out, found := d.MaskText(nil, text, c, nil)
	if !found {
		return string(text)
	}
	return string(out)
}

// inPieces masks a text that comes cut at the given places, without a pause.
func inPieces(d *Detectors, text []byte, c Context, cuts ...int) string {
	s := d.NewStream(StreamOptions{Context: c})
	var out []byte
	at := 0
	for _, cut := range append(cuts, len(text)) {
		out = s.Write(out, text[at:cut], noon)
		at = cut
	}
	return string(s.Close(out))
}

// Every text of the corpus comes out the same whole, cut in two anywhere, and
// byte by byte.
func TestStreamEqualsWhole(t *testing.T) {
	d := allDetectors(t, policy.MaskSpec{Method: "redact", Text: "#"})
	step := 1
	if testing.Short() {
		step = 7
	}
	texts, failed := 0, 0
	for i, s := range corpus(t) {
		if i%6 != 0 { // a sixth of them: 1,099 texts
			continue
		}
		texts++
		text, c := []byte(s.Text), s.context()
		want := whole(d, text, c)
		single := make([]int, len(text))
		for k := range single {
			single[k] = k
		}
		if got := inPieces(d, text, c, single...); got != want {
			failed++
			t.Errorf("%s byte by byte:\n got %q\nwant %q", s.ID, got, want)
		}
		cutStep := step
		if len(text) > 400 {
			cutStep = 17
		}
		for cut := 0; cut < len(text); cut += cutStep {
			if got := inPieces(d, text, c, cut); got != want {
				failed++
				t.Errorf("%s cut at %d:\n got %q\nwant %q", s.ID, cut, got, want)
				break
			}
		}
		if failed > 20 {
			t.Fatal("and so on")
		}
	}
	if texts < 1000 {
		t.Errorf("only %d texts", texts)
	}
}

// FuzzStream cuts any text anywhere.
func FuzzStream(f *testing.F) {
	for _, text := range []string{
		"mail ada@example.com, +1 212 555 0142 x12 fax\nGB82 WEST 1234 5698 7654 32 end",
		"password: \"hunter2\", \x1b[1m4012 8888\x1b[0m 8888 1881\x1b[3;4H078-05-1120",
		"https://app:hunter2@db/x -----BEGIN PRIVATE KEY-----\nabcd\n-----END PRIVATE KEY-----\n",
	} {
		f.Add([]byte(text), uint16(7), uint16(30))
	}
	d := allDetectors(f, policy.MaskSpec{Method: "redact", Text: "#"})
	f.Fuzz(func(t *testing.T, text []byte, a, b uint16) {
		if len(text) == 0 || len(text) > maxPast {
			return // beyond, the context is cut and the promise is a weaker one
		}
		first := int(a) % len(text)
		second := first + int(b)%(len(text)-first)
		want := whole(d, text, Context{})
		if got := inPieces(d, text, Context{}, first, second); got != want {
			t.Errorf("cut at %d and %d:\n got %q\nwant %q", first, second, got, want)
		}
	})
}
