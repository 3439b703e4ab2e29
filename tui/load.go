package tui

import (
	"context"
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"

	"hoop/broker/api"
)

// What the commands deliver.
type (
	tickMsg      time.Time
	approvalsMsg []api.Approval
	sessionsMsg  []api.Session
	detailMsg    struct {
		*api.SessionDetail
		recorded []Recording
		open     bool // its recording, if it is the only one
	}
	eventMsg  api.ApprovalEvent
	doneMsg   string // what was done, for the notice line
	failedMsg struct {
		err     error
		offline bool // nothing could be loaded, as against an action that failed
	}
)

// reloadEvery is how often, in seconds, a recording that grows is read again:
// each time is an event of the audit log.
const reloadEvery = 5

// pause is how often what has no stream is asked for again.
const pause = 2 * time.Second

func tick() tea.Cmd {
	return tea.Tick(time.Second, func(t time.Time) tea.Msg { return tickMsg(t) })
}

// load fetches what the screen shows.
func (m *Model) load() tea.Cmd {
	m.loading = true
	switch m.screen {
	case sessions:
		return m.loadSessions
	case timeline:
		id := m.detail.ID
		return func() tea.Msg { return m.fetchSession(id, false) }
	default:
		return m.loadApprovals
	}
}

func (m *Model) loadApprovals() tea.Msg {
	found, err := m.src.Approvals(m.ctx, "")
	if err != nil {
		return failedMsg{err, true}
	}
	return approvalsMsg(found)
}

func (m *Model) loadSessions() tea.Msg {
	found, err := m.src.Sessions(m.ctx, false, "", "", 200)
	if err != nil {
		return failedMsg{err, true}
	}
	return sessionsMsg(found)
}

func (m *Model) fetchSession(id string, open bool) tea.Msg {
	s, err := m.src.Session(m.ctx, id)
	if err != nil {
		return failedMsg{err, true}
	}
	msg := detailMsg{SessionDetail: s, open: open}
	if src, ok := m.src.(Recorder); ok {
		if msg.recorded, err = src.Recordings(m.ctx, s.ID); err != nil {
			return failedMsg{err, true}
		}
	}
	return msg
}

// detailLoaded shows a session: its recording, or what it did.
func (m *Model) detailLoaded(msg detailMsg) tea.Cmd {
	m.detail, m.recorded = msg.SessionDetail, msg.recorded
	if msg.open && len(m.recorded) == 1 && m.screen == sessions {
		return m.openRecording(m.recorded[0], m.recorded, sessions, titleOf(m.detail))
	}
	if m.screen != replaying { // it was loaded for a replay that has begun since
		m.screen = timeline
	}
	return nil
}

func titleOf(s *api.SessionDetail) string {
	return fmt.Sprintf("%s → %s (%s)  %s", s.Chain, s.Connection, s.Protocol, s.Started.Local().Format("15:04:05"))
}

// watch keeps a stream of changes open, and opens it again when it breaks.
func watch(ctx context.Context, src Source, send func(tea.Msg)) {
	w, ok := src.(Watcher)
	if !ok {
		return
	}
	for ctx.Err() == nil {
		err := w.WatchApprovals(ctx, func(e api.ApprovalEvent) { send(eventMsg(e)) })
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			send(failedMsg{err, true})
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// answer sends an answer for what was shown.
func (m *Model) answer(a api.Approval, decision, comment string, grant time.Duration) tea.Cmd {
	m.command = answerCommand(&a, decision, comment, grant)
	return func() tea.Msg {
		if err := m.src.Answer(m.ctx, &a, decision, comment, grant); err != nil {
			return failedMsg{err, false}
		}
		word := map[string]string{"approve": "approved", "deny": "denied"}[decision]
		return doneMsg(word + " " + a.ID)
	}
}

func (m *Model) endSession(id, reason string) tea.Cmd {
	m.command = "hoop sessions end " + id + " --reason " + quote(reason)
	return func() tea.Msg {
		if err := m.src.EndSession(m.ctx, id, reason); err != nil {
			return failedMsg{err, false}
		}
		return doneMsg("ended session " + id)
	}
}

// answerCommand is the command line that does the same.
func answerCommand(a *api.Approval, decision, comment string, grant time.Duration) string {
	if decision == "deny" {
		return "hoop deny " + a.ID + " --reason " + quote(comment)
	}
	cmd := "hoop approve " + a.ID
	if grant > 0 {
		cmd += " --for " + grant.String()
	}
	if comment != "" {
		cmd += " --comment " + quote(comment)
	}
	return cmd
}
