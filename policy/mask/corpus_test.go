package mask

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// sampleText is one line of the labelled corpus.
type sampleText struct {
	ID      string   `json:"id"`
	Text    string   `json:"text"`
	Spans   [][3]any `json:"spans"`
	Context string   `json:"context"`
	Slice   string   `json:"slice"`
}

func (s *sampleText) context() Context {
	name, _ := strings.CutPrefix(s.Context, "column:")
	if name == s.Context {
		name = ""
	}
	return Context{Name: name}
}

func corpus(t testing.TB) []sampleText { return texts(t, "detect_dev") }

// texts reads one of the labelled sets, which are kept compressed because the
// keys in them look live to secret scanners.
func texts(t testing.TB, name string) []sampleText {
	t.Helper()
	f, err := os.Open("../../testdata/corpora/" + name + ".jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []sampleText
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s sampleText
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// seeds gives every nth text of the corpus, to begin fuzzing with.
func seeds(t testing.TB, n int) (out []sampleText) {
	for i, s := range corpus(t) {
		if i%n == 0 {
			out = append(out, s)
		}
	}
	return out
}
