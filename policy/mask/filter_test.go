package mask

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"hoop/policy"
)

func filter(t *testing.T, in string, explain bool) string {
	t.Helper()
	d := allDetectors(t, policy.MaskSpec{Method: "redact", Text: "#"})
	var out bytes.Buffer
	err := Filter(t.Context(), iotest.OneByteReader(strings.NewReader(in)), &out, FilterOptions{Detectors: d, Explain: explain})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestFilter(t *testing.T) {
	const text = "mail ada@example.com\nor 078-05-1120\n"
	for _, c := range []struct {
		name, in string
		explain  bool
		want     string
	}{
		{"masks", text, false, "mail #\nor #\n"},
		{"nothing", "", false, ""},
		{"explains", text, true, `{"class":"email","start":5,"end":20}` + "\n" + `{"class":"us_ssn","start":24,"end":35}` + "\n"},
		{"records", `{"id":"a","text":"078051120","context":"column:ssn"}` + "\n\n" + `{"id":7,"text":"ok"}`, true,
			`{"id":"a","spans":[[0,9,"us_ssn"]]}` + "\n" + `{"id":7,"spans":[]}` + "\n"},
	} {
		if diff := cmp.Diff(c.want, filter(t, c.in, c.explain)); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}
}

func TestFilterStopsAndFails(t *testing.T) {
	d := allDetectors(t, policy.MaskSpec{Method: "redact"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Filter(ctx, strings.NewReader("x"), &bytes.Buffer{}, FilterOptions{Detectors: d}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	broken := errors.New("broken")
	if err := Filter(t.Context(), iotest.ErrReader(broken), &bytes.Buffer{}, FilterOptions{Detectors: d}); !errors.Is(err, broken) {
		t.Errorf("unreadable: %v", err)
	}
}
