package tui

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
)

// binding is one key of a screen, for help and footer.
type binding struct{ key, does string }

// keys lists what is valid here; the first ones stand in the footer.
func (m *Model) keys() []binding {
	everywhere := []binding{{"/", "filter"}, {"tab", "approvals or sessions"}, {"?", "keys"}, {"r", "load again"}, {"q", "leave"},
		{"j k", "choose, as ↑↓"}, {"g G", "the first, the last; also home and end"}, {"ctrl+c", "leave at once"}}
	switch m.screen {
	case replaying:
		return m.replayKeys()
	case sessions:
		return append([]binding{{"enter", "open; its recording where it has one, else what it did"}, {"x", "end it"}, {"↑↓", "choose"}}, everywhere...)
	case timeline:
		keys := []binding{{"f", "follow"}, {"s", "slow first"}, {"↑↓", "choose"}, {"e", "export"}, {"esc", "back; also backspace"}}
		if len(m.recorded) > 0 {
			keys = append([]binding{{"enter", "replay"}}, keys...)
		}
		return append(keys, everywhere...)
	default:
		return append([]binding{{"a", "approve"}, {"t", "for a time"}, {"d", "deny"}, {"↑↓", "choose"}, {"pgdn", "read on; also space"},
			{"pgup", "read back; also b"}}, everywhere...)
	}
}

// footerKeys are as many as a narrow terminal has room for.
func (m *Model) footerKeys() []string {
	var out []string
	for i, b := range m.keys() {
		does, _, _ := strings.Cut(b.does, ";")
		if i < 5 && b.key != "tab" && b.key != "pgup" || b.key == "?" || b.key == "q" {
			out = append(out, b.key+" "+does)
		}
	}
	return out
}

// key acts on one key press.
func (m *Model) key(k tea.KeyPressMsg) tea.Cmd {
	if k.String() == "ctrl+c" {
		return tea.Quit
	}
	if m.prompt != nil {
		return m.promptKey(k)
	}
	if m.help {
		m.help = false
		return nil
	}
	m.notice = ""
	if m.screen == replaying {
		return m.replayKey(k.String())
	}
	if cmd, done := m.moveKey(k.String()); done {
		return cmd
	}
	switch m.screen {
	case sessions:
		return m.sessionKey(k.String())
	case timeline:
		return m.timelineKey(k.String())
	default:
		return m.approvalKey(k.String())
	}
}

// moveKey handles what every screen has.
func (m *Model) moveKey(k string) (tea.Cmd, bool) {
	switch k {
	case "q":
		return tea.Quit, true
	case "?":
		m.help = true
	case "r":
		return m.load(), true
	case "tab":
		return m.turn(), true
	case "up", "k":
		m.move(-1)
	case "down", "j":
		m.move(1)
	case "home", "g":
		m.move(-m.count())
	case "end", "G":
		m.move(m.count())
	case "pgdown", "space":
		m.scroll += m.page()
	case "pgup", "b":
		m.scroll = max(0, m.scroll-m.page())
	case "/":
		m.prompt = &prompt{ask: "filter", text: m.filter[m.screen], then: func(text string) tea.Cmd {
			m.filter[m.screen] = text
			m.clamp()
			return nil
		}}
	default:
		return nil, false
	}
	return nil, true
}

func (m *Model) move(by int) {
	m.selected[m.screen] += by
	m.scroll = 0
	m.clamp()
}

func (m *Model) page() int { return max(1, m.height/3) }

func (m *Model) turn() tea.Cmd {
	m.scroll, m.command = 0, ""
	if m.screen == approvals {
		m.screen = sessions
	} else {
		m.screen = approvals
	}
	return m.load()
}

func (m *Model) approvalKey(k string) tea.Cmd {
	if k != "a" && k != "t" && k != "d" {
		return nil
	}
	a, why := m.mayAnswer()
	if a == nil {
		m.notice = why
		return nil
	}
	shown := *a
	switch k {
	case "a":
		m.prompt = &prompt{ask: "approve " + shown.ID + ", comment (enter for none)", then: func(text string) tea.Cmd {
			return m.answer(shown, "approve", text, 0)
		}}
	case "t":
		m.prompt = &prompt{ask: "approve " + shown.ID + " and its like for", text: "30m", then: func(text string) tea.Cmd {
			d, err := time.ParseDuration(text)
			if err != nil || d <= 0 {
				m.notice = "not done: " + text + " is no time such as 30m"
				return nil
			}
			return m.answer(shown, "approve", "", d)
		}}
	case "d":
		m.prompt = &prompt{ask: "deny " + shown.ID + ", because", need: true, then: func(text string) tea.Cmd {
			return m.answer(shown, "deny", text, 0)
		}}
	}
	return nil
}

func (m *Model) sessionKey(k string) tea.Cmd {
	s := m.currentSession()
	if s == nil {
		return nil
	}
	id := s.ID
	switch k {
	case "enter":
		m.scroll, m.selected[timeline] = 0, 0
		m.command = "hoop sessions show " + id
		return func() tea.Msg { return m.fetchSession(id, true) }
	case "x":
		if s.State != "live" {
			m.notice = "it is " + s.State + " already"
			return nil
		}
		m.prompt = &prompt{ask: "end the session of " + visible(s.Principal) + "; type its ID's first 4 letters", then: func(text string) tea.Cmd {
			if len(text) < 4 || id[:4] != text[:4] {
				m.notice = "not ended: that was not its ID"
				return nil
			}
			return m.endSession(id, "ended on request")
		}}
	}
	return nil
}

func (m *Model) timelineKey(k string) tea.Cmd {
	switch k {
	case "esc", "backspace":
		m.screen, m.scroll, m.command = sessions, 0, ""
		return m.load()
	case "enter":
		return m.replayAction()
	case "s":
		m.slowFirst, m.follow = !m.slowFirst, false
		m.command = "hoop sessions show " + m.detail.ID
	case "f":
		m.follow, m.slowFirst = !m.follow, false
		m.command = "hoop sessions show " + m.detail.ID
		if m.follow {
			m.notice = "following: the latest statement stays chosen"
			m.clamp()
			return m.load()
		}
	case "e":
		m.command = "hoop sessions show " + m.detail.ID + " -o json > " + m.detail.ID + ".json"
		return m.export()
	}
	return nil
}

// replayAction opens the recording of the chosen action.
func (m *Model) replayAction() tea.Cmd {
	list := m.shownActions()
	i := m.selected[timeline]
	if i >= len(list) {
		return nil
	}
	at := slices.IndexFunc(m.recorded, func(r Recording) bool { return r.Action == list[i].Number })
	if at < 0 {
		if len(m.recorded) > 0 {
			m.notice = "this one was not recorded; those with ▶ were"
		}
		return nil
	}
	return m.openRecording(m.recorded[at], m.recorded, timeline, titleOf(m.detail))
}

// export writes the session on the screen into the folder that hoop was started
// in. A file that is there already stays.
func (m *Model) export() tea.Cmd {
	text, err := json.MarshalIndent(m.detail, "", "  ")
	name := m.detail.ID + ".json"
	return func() tea.Msg {
		if err != nil {
			return failedMsg{err, false}
		}
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return failedMsg{fmt.Errorf("%s is there already", name), false}
		}
		if err != nil {
			return failedMsg{err, false}
		}
		_, err = f.Write(append(text, '\n'))
		if err = errors.Join(err, f.Close()); err != nil {
			return failedMsg{err, false}
		}
		return doneMsg("exported to " + name)
	}
}
