package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"hoop/recorder"
	"hoop/recorder/recording"
)

// auditedRecordings is what was checked of recordings against the log.
type auditedRecordings struct {
	Recordings int      `json:"recordings"`
	Checked    int      `json:"checked"` // whose files are what was written
	Gone       int      `json:"gone"`    // whose files are not there any more
	Problems   []string `json:"problems"`
}

// recordingAuditor gathers what the log says of recordings.
type recordingAuditor struct {
	names  []string
	claims map[string]*recording.Claim
}

func (a *recordingAuditor) event(ev *recorder.Event) error {
	switch ev.Type {
	case recorder.RecordingStarted, recorder.RecordingChunk, recorder.RecordingEnded:
	default:
		return nil
	}
	if a.claims == nil {
		a.claims = map[string]*recording.Claim{}
	}
	c := a.claims[ev.Recording]
	if c == nil {
		c = &recording.Claim{}
		a.claims[ev.Recording] = c
		a.names = append(a.names, ev.Recording)
	}
	switch ev.Type {
	case recorder.RecordingChunk:
		c.Chunks = append(c.Chunks, recording.Chunk{Offset: ev.Offset, Length: ev.Bytes, SHA256: ev.SHA256})
	case recorder.RecordingEnded:
		c.Bytes, c.SHA256 = ev.Bytes, ev.SHA256
	}
	return nil
}

// auditRecordings checks the files of recordings against the log, as far as
// that can be read.
func auditRecordings(log, dir string) *auditedRecordings {
	var a recordingAuditor
	out := &auditedRecordings{Problems: []string{}}
	if err := recorder.Scan(log, 0, a.event); err != nil {
		out.Problems = append(out.Problems, "recordings are not checked beyond here: "+err.Error())
	}
	slices.Sort(a.names)
	for _, name := range a.names {
		out.Recordings++
		err := recording.Check(filepath.Join(dir, filepath.Base(name)), *a.claims[name])
		switch {
		case errors.Is(err, recording.ErrNotFound):
			out.Gone++
		case err != nil:
			out.Problems = append(out.Problems, fmt.Sprintf("recording %s: %v", name, err))
		default:
			out.Checked++
		}
	}
	return out
}
