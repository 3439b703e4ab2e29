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
