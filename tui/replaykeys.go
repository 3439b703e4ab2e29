package tui

import (
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"hoop/recorder/replay"
	"hoop/recorder/terminal"
)

func (m *Model) replayKeys() []binding {
	return slices.DeleteFunc(m.allReplayKeys(), func(b binding) bool {
		return m.src == nil && strings.Contains("fxe", b.key) || b.key == "t" && m.detail == nil
	})
}

func (m *Model) allReplayKeys() []binding {
	return []binding{{"space", "play"}, {"←→", "5 s"}, {"[ ]", "marks"}, {"/", "search"}, {"0-9", "tenths"},
		{". + -", "one step; slower, faster"}, {"n N", "what was searched for: next, previous"}, {"i", "pauses longer than 2 s: cut or whole"},
		{"g G", "start, end; also home and end"}, {"z", "the terminal alone"}, {"f", "follow one that is still being recorded"},
		{"t", "what the session did; enter there opens other recordings"}, {"e", "how to export it"}, {"x", "end a live session"},
		{"?", "keys"}, {"q", "back; also esc and backspace"}}
}

// replayKey acts on a key while a recording is shown.
func (m *Model) replayKey(k string) tea.Cmd {
	r := m.replay
	at := r.player.At()
	r.barUntil = m.opts.Now().Add(barTime)
	switch k {
	case "q", "esc", "backspace":
		return m.leaveReplay(r.from)
	case "t":
		if m.detail != nil && m.detail.ID == r.Session {
			return m.leaveReplay(timeline)
		}
	case "?":
		m.help = true
	case "space":
		return m.pause()
	case "left":
		m.seek(at - leap)
	case "right":
		m.seek(at + leap)
	case "home", "g":
		m.seek(0)
	case "end", "G":
		m.seek(r.player.Recording().Length)
	case ".":
		r.playing = false
		r.player.Step()
		m.sayReplay()
	case "[":
		m.goMark(-1)
	case "]":
		m.goMark(1)
	case "+", "=":
		m.faster(1)
	case "-":
		m.faster(-1)
	default:
		return m.replayMore(k)
	}
	return nil
}

func (m *Model) replayMore(k string) tea.Cmd {
	r := m.replay
	switch k {
	case "0", "1", "2", "3", "4", "5", "6", "7", "8", "9":
		m.seek(r.player.Recording().Length * time.Duration(k[0]-'0') / 10)
	case "/":
		m.prompt = &prompt{ask: "search the screen for", text: r.sought, then: m.search}
	case "n":
		return m.find(false)
	case "N":
		return m.find(true)
	case "i":
		m.toggleIdle()
	case "z":
		r.zoomed = !r.zoomed
	case "f":
		return m.followRecording()
	case "x":
		return m.endShown()
	case "e":
		if m.src == nil { // it is a file already
			return nil
		}
		m.command = "hoop sessions export " + replayArgs(r.Recording, r.others) + " --format cast > " + r.Session + ".cast"
	}
	return nil
}

func (m *Model) pause() tea.Cmd {
	cmd := m.play(!m.replay.playing)
	m.sayReplay()
	return cmd
}

func (m *Model) leaveReplay(to screen) tea.Cmd {
	m.replay.playing = false
	if m.replay.searches != nil {
		m.replay.searches()
	}
	if o := m.opts.Open; o != nil && o.Alone && to != timeline {
		return tea.Quit
	}
	m.screen, m.scroll, m.command = to, 0, ""
	return m.load()
}

func (m *Model) search(text string) tea.Cmd {
	r := m.replay
	r.sought, r.pattern = text, terminal.NewPattern(text)
	if text == "" {
		return nil
	}
	return m.find(false)
}

func (m *Model) toggleIdle() {
	p := m.replay.player
	if p.Idle == 0 {
		p.Idle = idle
	} else {
		p.Idle = 0
	}
	m.sayReplay()
}

// followRecording shows the end of a recording as it grows.
func (m *Model) followRecording() tea.Cmd {
	r := m.replay
	if m.src == nil {
		return nil
	}
	if !r.Live {
		m.notice = "its recording has ended"
		return nil
	}
	r.follow, r.playing = !r.follow, false
	m.command = "hoop sessions replay " + replayArgs(r.Recording, r.others) + " --follow"
	if !r.follow {
		return nil
	}
	m.notice = "following: what is shown is at most some seconds old"
	r.player.SeekTo(r.player.Recording().Length)
	return m.reload()
}

func (m *Model) endShown() tea.Cmd {
	r := m.replay
	if m.src == nil {
		return nil
	}
	if !r.Live {
		m.notice = "it has ended already"
		return nil
	}
	id := r.Session
	m.prompt = &prompt{ask: "end this session; type its ID's first 4 letters", then: func(text string) tea.Cmd {
		if len(text) < 4 || !strings.HasPrefix(id, text) {
			m.notice = "not ended: that was not its ID"
			return nil
		}
		return m.endSession(id, "ended on request")
	}}
	return nil
}

// markSign tells what kind of a mark one is: ◆ for a command as it was read off
// the screen, ▣ for what is known exactly, · for a note.
func markSign(k replay.Mark) string {
	switch {
	case k.Command && k.Derived:
		return "◆"
	case k.Command:
		return "▣"
	default:
		return "·"
	}
}
