package tui

import (
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"hoop/broker/api"
)

// Update takes in one message.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tickMsg:
		return m, m.ticked(time.Time(msg))
	case approvalsMsg:
		m.loaded()
		m.keeping(func() { m.approvals = msg })
	case sessionsMsg:
		m.loaded()
		m.keeping(func() { m.sessions = msg })
	case detailMsg:
		m.loaded()
		return m, m.detailLoaded(msg)
	case recordingMsg:
		return m, m.recordingLoaded(msg)
	case frameMsg:
		return m, m.framed(msg)
	case foundMsg:
		m.found(msg)
	case eventMsg:
		m.keeping(func() { m.changed(api.ApprovalEvent(msg)) })
	case doneMsg:
		m.notice = string(msg)
		return m, m.load()
	case failedMsg:
		m.failed(msg)
	case tea.PasteMsg:
		if m.prompt != nil {
			m.prompt.text += visible(msg.Content)
		}
	case tea.KeyPressMsg:
		return m, m.key(msg)
	}
	m.clamp()
	return m, nil
}

// keeping runs a change of a list and leaves the cursor on what it stood on: a
// key must never act on something that has just slipped under it.
func (m *Model) keeping(change func()) {
	var approval, session string
	if a := m.current(); a != nil {
		approval = a.ID
	}
	if s := m.currentSession(); s != nil {
		session = s.ID
	}
	change()
	if i := slices.IndexFunc(m.shownApprovals(), func(a api.Approval) bool { return a.ID == approval }); i >= 0 {
		m.selected[approvals] = i
	}
	if i := slices.IndexFunc(m.shownSessions(), func(s api.Session) bool { return s.ID == session }); i >= 0 {
		m.selected[sessions] = i
	}
}

func (m *Model) loaded() { m.loading, m.offline = false, nil }

func (m *Model) failed(f failedMsg) {
	m.loading = false
	if f.offline {
		m.offline = f.err
		return
	}
	m.notice = "not done: " + f.err.Error()
}

// ticked moves the clock; what has no stream is loaded again now and then.
func (m *Model) ticked(t time.Time) tea.Cmd {
	m.now = m.opts.Now()
	stale := t.Unix()%int64(pause/time.Second) == 0
	if m.screen == replaying {
		if t.Unix()%reloadEvery == 0 && m.replay.follow {
			return tea.Batch(tick(), m.reload())
		}
		return tick()
	}
	if stale && !m.loading && m.prompt == nil {
		return tea.Batch(tick(), m.load())
	}
	return tick()
}

// changed puts one approval in its place.
func (m *Model) changed(e api.ApprovalEvent) {
	m.offline = nil
	if e.Approval == nil {
		return
	}
	i := slices.IndexFunc(m.approvals, func(a api.Approval) bool { return a.ID == e.Approval.ID })
	if i < 0 {
		m.approvals = append(m.approvals, *e.Approval)
		return
	}
	m.approvals[i] = *e.Approval
}

// clamp keeps the selection inside its list.
func (m *Model) clamp() {
	n := m.count()
	if m.follow && m.screen == timeline {
		m.selected[timeline] = n - 1
	}
	m.selected[m.screen] = max(0, min(m.selected[m.screen], n-1))
}

func (m *Model) count() int {
	switch m.screen {
	case sessions:
		return len(m.shownSessions())
	case timeline:
		return len(m.shownActions())
	case replaying:
		return 0
	default:
		return len(m.shownApprovals())
	}
}

// current is the approval under the cursor, or nil.
func (m *Model) current() *api.Approval {
	list := m.shownApprovals()
	if i := m.selected[approvals]; i < len(list) {
		return &list[i]
	}
	return nil
}

func (m *Model) currentSession() *api.Session {
	list := m.shownSessions()
	if i := m.selected[sessions]; i < len(list) {
		return &list[i]
	}
	return nil
}

// mayAnswer says whether the approval under the cursor can be answered now, and
// why not. Its text must have been seen to the end first.
func (m *Model) mayAnswer() (*api.Approval, string) {
	a := m.current()
	switch {
	case a == nil:
		return nil, "nothing to answer"
	case a.State != "pending":
		return nil, a.ID + " is " + a.State
	case !a.MayAnswer:
		return nil, "you may not answer this: " + a.WhyNot
	case !m.read[a.ID]:
		return nil, "read it to the end first (pgdn)"
	}
	return a, ""
}
