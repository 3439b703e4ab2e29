package enginetest

import (
	"testing"

	"hoop/policy"
)

// testMasking: what a detector finds reaches neither the client nor the record
// nor the recording.
func testMasking(t *testing.T, w *suite) {
	doc := rules()
	doc.Patterns = map[string]string{"badge": `BADGE-[0-9]{6}`}
	doc.Detectors = []policy.DetectorSpec{{Classes: []string{"badge"}}}
	s := newStage(t, w, doc)
	k := s.sit()
	for _, badge := range []string{"BADGE-123456", "before-BADGE-654321-after"} {
		out, err := k.do(w.Actions.Print(badge))
		if err != nil || contains(out, badge) || !contains(out, "redacted") {
			t.Errorf("the client read %q, %v", out, err)
		}
	}
	if w.Records && !contains(s.recorded(), "redacted") || contains(s.recorded(), "BADGE-123456") || contains(s.recorded(), "BADGE-654321") {
		t.Errorf("the recordings hold %s", s.recorded())
	}
	for _, ev := range s.events() {
		if contains(ev.Text, "BADGE-123456") || contains(ev.Text, "BADGE-654321") {
			t.Errorf("event %d (%s) has %q", ev.Index, ev.Type, ev.Text)
		}
	}
}
