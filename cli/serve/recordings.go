package serve

import (
	"fmt"
	"path/filepath"

	"hoop/broker/config"
	"hoop/recorder"
	"hoop/recorder/recording"
)

// RecordingsDir is where a configuration keeps recordings.
func RecordingsDir(cfg *config.Config) string {
	return filepath.Join(cfg.Abs(cfg.DataDir), "recordings")
}

// openRecordings opens the folder beside the audit log, and tells the log of
// the recordings that a killed broker left without an end.
func (i *Instance) openRecordings(cfg *config.Config) (err error) {
	if i.casts, err = recording.Open(RecordingsDir(cfg), recording.Options{Logger: i.log}); err != nil {
		return fmt.Errorf("open the recordings: %w", err)
	}
	for _, l := range i.casts.Lost() {
		m := recording.Meta{Session: l.Session, Action: l.Action}
		err := i.recorder.Append(&recorder.Event{
			Type: recorder.RecordingEnded, Session: l.Session, Action: l.Action, Recording: m.Name(),
			Bytes: l.Bytes, SHA256: l.SHA256, Outcome: "lost", Reason: "the broker was killed",
		}, recorder.Synced)
		if err != nil {
			return err
		}
	}
	return nil
}
