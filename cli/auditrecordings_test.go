package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoop/recorder"
	"hoop/recorder/recording"
)

// TestAuditRecordings: a recording that was changed, swapped or removed after
// the log told of it shows.
func TestAuditRecordings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	casts, audit := filepath.Join(dir, "recordings"), filepath.Join(dir, "audit")
	log, err := recorder.Open(audit, recorder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	store, err := recording.Open(casts, recording.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, session := range []string{"kept", "changed", "gone", "runs"} {
		m := recording.Meta{Session: session, Action: 1}
		w, err := store.Create(m, recording.Hooks{})
		if err != nil {
			t.Fatal(err)
		}
		evs := []recorder.Event{{Type: recorder.RecordingStarted, Recording: m.Name()}}
		if err := w.Output([]byte("rm -rf /srv")); err != nil {
			t.Fatal(err)
		}
		sum, err := w.Close("")
		if err != nil {
			t.Fatal(err)
		}
		if session != "runs" {
			evs = append(evs, recorder.Event{Type: recorder.RecordingEnded, Recording: m.Name(), Bytes: sum.Bytes, SHA256: sum.SHA256})
		}
		for i := range evs {
			if err := log.Append(&evs[i], recorder.Written); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(casts, "changed.1.cast"), []byte("ls /srv"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.Remove("gone", 1); err != nil {
		t.Fatal(err)
	}
	want := &auditedRecordings{Recordings: 4, Checked: 2, Gone: 1, Problems: []string{"recording changed.1.cast: what follows byte 0 is not what was written"}}
	if diff := cmp.Diff(want, auditRecordings(audit, casts)); diff != "" {
		t.Error(diff)
	}
}
