package tui

import (
	"fmt"
	"slices"
	"strings"
)

// narrow terminals have the list above the detail instead of beside it.
const narrow = 110

// draw makes the whole screen: heading, body, two lines at the foot.
func (m *Model) draw() string {
	body := max(1, m.height-3)
	var rows []string
	switch {
	case m.help:
		rows = m.drawHelp()
	case m.screen == sessions:
		rows = m.drawSessions(body)
	case m.screen == timeline:
		rows = m.drawTimeline(body)
	case m.screen == replaying:
		return m.drawReplayScreen()
	default:
		rows = m.drawApprovals(body)
	}
	for len(rows) < body {
		rows = append(rows, "")
	}
	out := append([]string{m.heading()}, rows[:body]...)
	return m.joined(append(out, m.footer()...))
}

func (m *Model) joined(rows []string) string {
	for i := range rows {
		rows[i] = cell(rows[i], m.width)
	}
	return strings.Join(rows, "\n")
}

// drawReplayScreen leaves as much as it can to the terminal that is shown.
func (m *Model) drawReplayScreen() string {
	foot := m.footer()
	last := foot[1]
	if m.notice != "" || m.prompt != nil {
		last = foot[0]
	}
	if m.replay.zoomed {
		return m.joined(m.drawZoomed(last))
	}
	rows := append([]string{m.heading()}, m.drawReplay(max(2, m.height-2))...)
	return m.joined(append(rows, last))
}

func (m *Model) heading() string {
	var name string
	switch m.screen {
	case sessions:
		name = fmt.Sprintf("sessions (%d)", len(m.shownSessions()))
	case timeline:
		name = "session " + m.detail.ID
	case replaying:
		name = m.replayHeading()
	default:
		name = fmt.Sprintf("approvals (%d pending)", m.pending())
	}
	if f := m.filter[m.screen]; f != "" {
		name += " /" + visible(f)
	}
	link := m.look.good.Render("●")
	if m.offline != nil {
		link = m.look.bad.Render("○ reconnecting")
	}
	left := m.look.title.Render(" hoop · " + name)
	right := fmt.Sprintf("%s  %s %s", visible(m.opts.Me), visible(m.opts.Broker), link)
	if m.src == nil {
		right = ""
	}
	return spread(left, right, m.width)
}

// footer is the notice or question, and the keys with the command that does
// the same as the last action.
func (m *Model) footer() []string {
	first := m.notice
	switch {
	case m.prompt != nil:
		first = m.look.title.Render(m.prompt.ask+": ") + m.prompt.text + "▏"
	case m.offline != nil && first == "":
		first = m.look.bad.Render("cannot reach the broker: ") + one(m.offline.Error())
	case first != "":
		first = one(first)
	}
	keys := m.footerKeys()
	if m.prompt != nil {
		keys = []string{"enter do it", "esc leave it"}
	}
	second := strings.Join(keys, " · ")
	if m.command != "" && m.prompt == nil {
		command := "$ " + one(m.command)
		if plainWidth(second)+plainWidth(command) >= m.width { // what was just done matters more
			second = m.fewerKeys(keys, m.width-plainWidth(command))
		}
		second = spread(second, command, m.width)
	}
	return []string{first, m.look.faint.Render(second)}
}

// fewerKeys leaves keys out until they take less than a width. Only a replay has
// some that are worth the crowd.
func (m *Model) fewerKeys(keys []string, width int) string {
	const last = "? keys"
	keys = slices.DeleteFunc(keys, func(k string) bool { return k == last || m.screen != replaying })
	for n := len(keys); n > 0; n-- {
		if line := strings.Join(append(slices.Clone(keys[:n]), last), " · "); plainWidth(line) < width {
			return line
		}
	}
	return last
}

func (m *Model) drawHelp() []string {
	rows := []string{"", m.look.title.Render("  Keys that are valid here")}
	for _, b := range m.keys() {
		rows = append(rows, "    "+cell(b.key, 8)+b.does)
	}
	return append(rows, "", "  Any key goes back.")
}

// spread puts one text at the left and one at the right of a line.
func spread(left, right string, width int) string {
	gap := width - plainWidth(left) - plainWidth(right)
	if gap < 1 {
		return left + " " + right
	}
	return left + strings.Repeat(" ", gap) + right
}

// beside joins two columns of rows.
func beside(left, right []string, leftWidth, height int) []string {
	out := make([]string, height)
	for i := range out {
		var l, r string
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		out[i] = cell(l, leftWidth) + " │ " + r
	}
	return out
}

// window cuts a list so that the chosen row is in it.
func window(rows []string, chosen, height int) []string {
	if len(rows) <= height {
		return rows
	}
	from := max(0, min(chosen-height/2, len(rows)-height))
	return rows[from : from+height]
}
