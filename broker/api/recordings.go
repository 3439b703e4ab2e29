package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"hoop/broker/identity"
	"hoop/recorder"
	"hoop/recorder/recording"
)

// CastType is the media type of a recording.
const CastType = "application/x-asciicast"

// recordings lists the recordings of a session.
func (h *Handler) recordings(w http.ResponseWriter, r *http.Request, l *identity.Caller) {
	s, _, ok := h.readable(w, r, l)
	if !ok {
		return
	}
	found, err := h.Recordings.Find(s.ID)
	if err != nil {
		h.refuse(w, err)
		return
	}
	out := make([]recording.Description, 0, len(found))
	for _, e := range found {
		d, err := h.Recordings.Describe(e.Session, e.Action)
		if errors.Is(err, recording.ErrNotFound) {
			continue // removed meanwhile
		}
		if err != nil {
			h.refuse(w, err)
			return
		}
		out = append(out, *d)
	}
	h.answer(w, out)
}

// recording gives the file of one, as far as it is written. Who reads what a
// terminal showed is recorded first.
func (h *Handler) recording(w http.ResponseWriter, r *http.Request, l *identity.Caller) {
	s, _, ok := h.readable(w, r, l)
	if !ok {
		return
	}
	action, err := strconv.ParseUint(r.PathValue("action"), 10, 64)
	if err != nil {
		h.noRecording(w, s.ID, r.PathValue("action"))
		return
	}
	f, err := h.Recordings.Open(s.ID, action)
	if errors.Is(err, recording.ErrNotFound) {
		h.noRecording(w, s.ID, r.PathValue("action"))
		return
	}
	if err != nil {
		h.refuse(w, err)
		return
	}
	defer func() { _ = f.Close() }()
	m := recording.Meta{Session: s.ID, Action: action}
	err = h.Recorder.Append(&recorder.Event{
		Type: recorder.RecordingRead, Session: s.ID, Connection: s.Connection, Protocol: s.Protocol, Action: action, Recording: m.Name(),
		Principal: &l.Principal, Chain: l.Chain(), Client: h.Logins.ClientAddress(r), Binding: l.Binding,
	}, recorder.Written)
	if err != nil {
		h.fail(w, &Error{Status: http.StatusServiceUnavailable, Code: CodeUnavailable, Message: fmt.Sprintf("the audit log is unavailable: %v", err)})
		return
	}
	w.Header().Set("Content-Type", CastType)
	w.Header().Set("Cache-Control", "no-store")
	if _, err := io.Copy(w, f); err != nil {
		h.Logger.Debug("recording not sent", "session", s.ID, "error", err)
	}
}

func (h *Handler) noRecording(w http.ResponseWriter, session, action string) {
	h.fail(w, &Error{Status: http.StatusNotFound, Code: CodeNotFound, Message: "session " + session + " has no recording of action " + action,
		Hint: "hoop sessions show " + session + " lists its actions"})
}
