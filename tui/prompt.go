package tui

import (
	tea "charm.land/bubbletea/v2"
)

// prompt asks for one line at the foot of the screen.
type prompt struct {
	ask  string
	text string
	need bool // an empty line is no answer
	then func(text string) tea.Cmd
}

// maxPrompt bounds a line, in bytes.
const maxPrompt = 500

func (m *Model) promptKey(k tea.KeyPressMsg) tea.Cmd {
	p := m.prompt
	switch k.String() {
	case "esc":
		m.prompt = nil
		m.notice = "not done"
	case "enter":
		if p.need && p.text == "" {
			return nil
		}
		m.prompt = nil
		return p.then(p.text)
	case "backspace":
		if r := []rune(p.text); len(r) > 0 {
			p.text = string(r[:len(r)-1])
		}
	case "ctrl+u":
		p.text = ""
	default:
		if k.Text != "" && len(p.text)+len(k.Text) <= maxPrompt {
			p.text += visible(k.Text)
		}
	}
	return nil
}
