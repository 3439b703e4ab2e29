package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
)

// play starts or stops.
func (m *Model) play(on bool) tea.Cmd {
	r := m.replay
	r.playing = on
	m.frames++
	r.frames, r.last = m.frames, time.Time{}
	if !on {
		return nil
	}
	if r.player.Ended() {
		r.player.SeekTo(0)
	}
	return nextFrame(r.frames)
}

func nextFrame(number int) tea.Cmd {
	return tea.Tick(frame, func(t time.Time) tea.Msg { return frameMsg{number, t} })
}

// framed plays on by the time that passed since the frame before.
func (m *Model) framed(f frameMsg) tea.Cmd {
	r := m.replay
	if r == nil || m.screen != replaying || !r.playing || f.number != r.frames {
		return nil
	}
	if !r.last.IsZero() {
		r.player.Advance(f.at.Sub(r.last))
	}
	r.last = f.at
	if r.player.Ended() {
		r.playing = false
		return nil
	}
	return nextFrame(f.number)
}

// reload loads a recording that is still being written.
func (m *Model) reload() tea.Cmd {
	r := m.replay
	rec, others, from, title := r.Recording, r.others, r.from, r.title
	return func() tea.Msg { return m.fetchRecording(rec, others, from, title) }
}

// find looks for the next or the previous place at which what was sought
// appears, without stopping the screen.
func (m *Model) find(back bool) tea.Cmd {
	r := m.replay
	if r.sought == "" {
		m.notice = "search first: /"
		return nil
	}
	if r.searches != nil {
		r.searches()
	}
	ctx, cancel := context.WithCancel(m.ctx)
	r.searches, r.playing = cancel, false
	m.notice = "searching…"
	player, copied, text := r.player, r.player.Clone(), r.sought
	return func() tea.Msg {
		defer cancel()
		look := copied.Find
		if back {
			look = copied.FindBack
		}
		at, found, err := look(ctx, text)
		return foundMsg{player, at, found, err}
	}
}

func (m *Model) found(f foundMsg) {
	r := m.replay
	switch {
	case r == nil || f.player != r.player: // it was left, or loaded anew
	case f.err != nil:
		m.notice = ""
	case !f.found:
		m.notice = "not found from here on: " + one(r.sought) + " (n searches on, N back)"
	default:
		m.notice = ""
		r.player.SeekTo(f.at)
		m.sayReplay()
	}
}

func (m *Model) replayCommand() string {
	if o := m.opts.Open; o != nil && o.Recording == m.replay.Recording {
		return o.Command
	}
	return "hoop sessions replay " + replayArgs(m.replay.Recording, m.replay.others)
}

// sayReplay says which command shows the same.
func (m *Model) sayReplay() {
	r := m.replay
	command := m.replayCommand()
	if at := r.player.At().Truncate(100 * time.Millisecond); at > 0 {
		command += " --from " + at.String()
	}
	if r.player.Speed != 1 {
		command += fmt.Sprintf(" --speed %g", r.player.Speed)
	}
	if r.player.Idle == 0 {
		command += " --idle 0"
	}
	m.command = command
}

// seek goes to a time and stays there or plays on, as before.
func (m *Model) seek(at time.Duration) {
	m.replay.player.SeekTo(at)
	m.replay.follow = false
	m.sayReplay()
}

// faster takes the next speed up or down.
func (m *Model) faster(by int) {
	p, all := m.replay.player, speeds()
	i, exact := slices.BinarySearch(all, p.Speed)
	if !exact && by > 0 { // between two of them
		by = 0
	}
	p.Speed = all[max(0, min(i+by, len(all)-1))]
	m.sayReplay()
}

// goMark goes to the next or the previous mark.
func (m *Model) goMark(by int) {
	p := m.replay.player
	i, marks := p.NextMark(), p.Recording().Marks
	if by < 0 {
		// What was just reached does not hold one back while it plays.
		i = p.PreviousMark()
		if i > 0 && m.replay.playing && p.At()-marks[i].At < time.Second {
			i--
		}
	}
	if i < 0 || i >= len(marks) {
		m.notice = "no mark there"
		return
	}
	m.seek(marks[i].At)
	m.notice = strings.TrimSpace(stamp(marks[i].At) + " " + marks[i].Text)
}
