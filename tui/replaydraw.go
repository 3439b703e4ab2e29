package tui

import (
	"fmt"
	"strings"
	"time"

	"hoop/recorder/replay"
	"hoop/recorder/terminal"
)

// minMarks is how wide the list of marks is at least. It takes what the terminal
// leaves.
const minMarks = 18

// drawReplay draws the terminal, the marks beside it where there is room, and
// the bar of time.
func (m *Model) drawReplay(height int) []string {
	r := m.replay
	cols, _ := r.player.Screen().Size()
	left := m.width
	list := len(r.player.Recording().Marks) > 0 && m.width-minMarks > min(cols, 50) && !r.zoomed
	if list {
		left = min(cols+1, m.width-minMarks)
	}
	pane := m.pane(left, height-1)
	if list {
		marks := m.marks(m.width-left-1, height-1)
		for y := range pane {
			pane[y] += " " + marks[y]
		}
	}
	return append(pane, m.timeBar())
}

// drawZoomed draws the terminal alone. The bar has a row below it where there is
// room, else it covers the last one while it is of use.
func (m *Model) drawZoomed(last string) []string {
	r := m.replay
	_, rows := r.player.Screen().Size()
	bar := m.timeBar()
	if m.prompt != nil || m.notice != "" {
		bar = last
	}
	if rows < m.height {
		return append(m.pane(m.width, m.height-1), bar)
	}
	pane := m.pane(m.width, m.height)
	if m.prompt != nil || m.notice != "" || !r.playing || m.opts.Now().Before(r.barUntil) {
		pane[len(pane)-1] = m.look.chosen.Render(cell(bar, m.width))
	}
	return pane
}

// pane draws as much of the terminal as there is room for: what is around its
// cursor where it is larger.
func (m *Model) pane(width, height int) []string {
	term := m.replay.player.Screen()
	cols, rows := term.Size()
	x, y, visible := term.Cursor()
	left, top := around(x, cols, width), around(y, rows, height)
	out := make([]string, height)
	for i := range out {
		row := top + i
		switch {
		case row < rows:
			out[i] = m.paneRow(term, row, left, min(width, cols), visible && row == y, x)
		case row == rows && top == 0:
			out[i] = m.look.faint.Render(strings.Repeat("─", min(width, cols)))
		}
		if width > cols {
			edge := " "
			if row < rows {
				edge = "│"
			} else if row == rows {
				edge = "┘"
			}
			out[i] = cell(out[i], cols) + m.look.faint.Render(edge)
		}
		out[i] = cell(out[i], width)
	}
	return out
}

// paneRow draws one row, with the cursor and what was searched for in reverse.
func (m *Model) paneRow(term *terminal.Terminal, row, left, width int, cursor bool, x int) string {
	marked := term.Matches(row, m.replay.pattern)
	if cursor {
		marked = append(marked, terminal.Span{From: x, To: x + 1})
	}
	palette := terminal.TrueColor // bubbletea draws what the terminal can
	if m.look.plain {
		palette = terminal.NoColors
	}
	return string(term.AppendRow(nil, row, terminal.View{From: left, Cols: width, Palette: palette, Marked: marked}))
}

// around is where a part of so many begins, so that a place is in it.
func around(place, all, part int) int {
	return max(0, min(place-part*3/4, all-part))
}

// marks draws the list of marks, the latest chosen.
func (m *Model) marks(width, height int) []string {
	p := m.replay.player
	latest := p.NextMark() - 1
	var rows []string
	for i, k := range p.Recording().Marks {
		line := stamp(k.At) + " " + markSign(k) + " " + one(k.Text)
		if k.Exit != nil && *k.Exit != 0 {
			line += fmt.Sprintf(" (exit %d)", *k.Exit)
		}
		line = cell(line, width)
		if i == latest {
			line = m.look.chosen.Render(line)
		}
		rows = append(rows, line)
	}
	rows = window(rows, max(0, latest), height)
	for len(rows) < height {
		rows = append(rows, "")
	}
	return rows
}

// timeBar tells where in the recording one is.
func (m *Model) timeBar() string {
	r := m.replay
	p := r.player
	sign := "⏸"
	switch {
	case r.follow:
		sign = "●"
	case r.playing:
		sign = "▶"
	}
	cols, rows := p.Screen().Size()
	left := fmt.Sprintf(" %s %s/%s ", sign, stamp(p.At()), stamp(p.Recording().Length))
	right := fmt.Sprintf(" %gx", p.Speed)
	if p.Idle > 0 {
		right += fmt.Sprintf("  idle≤%s", p.Idle)
	}
	right += fmt.Sprintf("  %dx%d ", cols, rows)
	return left + bar(p, m.width-plainWidth(left)-plainWidth(right)) + right
}

// bar is the line of time, with the marks on it.
func bar(p *replay.Player, width int) string {
	if width < 3 {
		return ""
	}
	place := func(at time.Duration) int {
		if p.Recording().Length <= 0 {
			return 0
		}
		return int(float64(width-1) * float64(at) / float64(p.Recording().Length))
	}
	now := place(p.At())
	line := []rune(strings.Repeat("━", now) + strings.Repeat("─", width-now))
	for _, k := range p.Recording().Marks {
		line[place(k.At)] = []rune(markSign(k))[0]
	}
	line[now] = '●'
	return string(line)
}

// stamp is a time in a recording: 02:40, or 1:02:40.
func stamp(d time.Duration) string {
	s := int(d / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}

func (m *Model) replayHeading() string {
	r := m.replay
	state := ""
	rec := r.player.Recording()
	switch {
	case r.Live:
		state = "being recorded"
	case rec.Exit != "":
		state = "exit " + one(rec.Exit)
	case rec.Torn:
		state = "its end is missing"
	}
	return strings.Join(strings.Fields(fmt.Sprintf("replay of %s %s", r.Session, one(r.title))), " ") + "  " + state
}
