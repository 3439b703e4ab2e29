package mask

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoop/policy"
)

// allDetectors masks every class by the same method.
func allDetectors(t testing.TB, spec policy.MaskSpec) *Detectors {
	t.Helper()
	d, err := NewDetectors([]string{"*"}, func(string) (*Method, error) {
		return NewMethod(spec, []byte("an example key of enough bytes"))
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestMaskTextReplacesWhatItFinds(t *testing.T) {
	d := allDetectors(t, policy.MaskSpec{Method: "redact", Text: "#"})
	for _, c := range []struct {
		name, in, want string
	}{
		{"", "nothing to see in row 7", ""},
		{"", "mail ada@example.com now", "mail # now"},
		{"", "castro7@backup.example, QA@Shop.Test. lee@no.invalid", "#, #. #"},
		{"", "root@db.localhost and app@pod.local", ""},
		{"", "4012 8888 8888 1881 and 4012888888881882", "# and 4012888888881882"},
		{"", "078-05-1120", "#"},
		{"part_no", "078-05-1120", ""},
		{"", "078051120", ""},
		{"applicant_ssn", "078051120", "#"},
		{"", "+1 212 555 0142 x12", "#"},
		{"", "212 555 0142", ""},
		{"contact_tel", "212 555 0142", "#"},
		{"", "GB82 WEST 1234 5698 7654 32", "#"},
		{"", "GB82 WEST 1234 5698 7654 33", ""},
		{"", "postgres://app:hunter2@db:5432/x", "postgres://app:#@db:5432/x"},
		{"", "password=${DB_PASSWORD}", ""},
		{"", "\x1b[1m078-05\x1b[0m-1120\x1b[0m", "\x1b[1m#\x1b[0m"},
	} {
		got, ok := d.MaskText(nil, []byte(c.in), Context{Name: c.name}, nil)
		if diff := cmp.Diff(c.want, string(got)); diff != "" || ok != (c.want != "") {
			t.Errorf("%q in %q: %v\n%s", c.in, c.name, ok, diff)
		}
	}
}

func TestCandidatesTouchEveryFinding(t *testing.T) {
	d := allDetectors(t, policy.MaskSpec{Method: "redact"})
	cells := []string{"7", "ada@example.com", "12 Main Street", "078-05-1120", strings.Repeat("x", 200) + " +12125550142"}
	var run []byte
	var starts []int
	for _, c := range cells {
		run = append(run, 0, 0, 0, byte(len(c)))
		starts = append(starts, len(run))
		run = append(run, c...)
	}
	cands := d.Candidates(nil, run)
	for i, c := range cells {
		touched := false
		for _, k := range cands {
			touched = touched || int(k.Start) < starts[i]+len(c) && int(k.End) > starts[i]
		}
		if _, found := d.MaskText(nil, []byte(c), Context{}, nil); found && !touched {
			t.Errorf("no candidate in %q", c)
		}
	}
	if n := testing.AllocsPerRun(100, func() { cands = d.Candidates(cands[:0], run) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestCleanTextDoesNotAllocate(t *testing.T) {
	d := allDetectors(t, policy.MaskSpec{Method: "redact"})
	for _, cell := range cleanCells() {
		text := []byte(cell)
		if len(text) != 16 {
			t.Errorf("%q has %d bytes", cell, len(text))
		}
		n := testing.AllocsPerRun(100, func() {
			if _, found := d.MaskText(nil, text, Context{Name: "note"}, nil); found {
				t.Errorf("%q is masked", cell)
			}
		})
		if n != 0 {
			t.Errorf("%q: %v allocations", cell, n)
		}
	}
}
