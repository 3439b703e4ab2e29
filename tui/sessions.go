package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hoop/broker/api"
	"hoop/recorder"
)

// shownSessions are those that the filter leaves: live ones first.
func (m *Model) shownSessions() []api.Session {
	f := strings.ToLower(m.filter[sessions])
	out := make([]api.Session, 0, len(m.sessions))
	for _, s := range m.sessions {
		if f == "" || strings.Contains(strings.ToLower(strings.Join([]string{s.ID, s.Chain.String(), s.Connection, s.State, s.Client}, " ")), f) {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b api.Session) int {
		if p, q := a.State == "live", b.State == "live"; p != q {
			if p {
				return -1
			}
			return 1
		}
		return b.Started.Compare(a.Started)
	})
	return out
}

func (m *Model) drawSessions(height int) []string {
	list := m.shownSessions()
	if len(list) == 0 {
		return []string{"", "  No sessions that you may see."}
	}
	rows := []string{m.look.faint.Render(cell("  SESSION          STARTED   FOR      STATE    STMTS DENIED CONNECTION     CHAIN", m.width))}
	for i := range list {
		s := &list[i]
		until := m.now
		if s.Ended != nil {
			until = *s.Ended
		}
		line := fmt.Sprintf("  %s %s %s %s %5d %6d %s %s", cell(s.ID, 16), cell(s.Started.Local().Format("15:04:05"), 9), cell(age(until.Sub(s.Started)), 8),
			cell(s.State, 8), s.Statements, s.Denied, cell(s.Connection, 14), one(s.Chain.String()))
		line = cell(line, m.width)
		if i == m.selected[sessions] {
			line = m.look.chosen.Render("▸" + strings.TrimPrefix(line, " "))
		}
		rows = append(rows, line)
	}
	return append(rows[:1:1], window(rows[1:], m.selected[sessions], height-1)...)
}

// shownActions are the statements that the filter leaves, in time or the slow
// ones first.
func (m *Model) shownActions() []api.Action {
	if m.detail == nil {
		return nil
	}
	f := strings.ToLower(m.filter[timeline])
	out := make([]api.Action, 0, len(m.detail.ActionList))
	for i := range m.detail.ActionList {
		x := m.detail.ActionList[i]
		if f == "" || strings.Contains(strings.ToLower(x.Text+" "+x.Rule+" "+x.Outcome), f) {
			out = append(out, x)
		}
	}
	if m.slowFirst {
		slices.SortStableFunc(out, func(a, b api.Action) int { return int(b.Duration - a.Duration) })
	}
	return out
}

func (m *Model) drawTimeline(height int) []string {
	s := m.detail
	head := []string{fmt.Sprintf("  %s → %s (%s)  %s  %s", one(s.Chain.String()), s.Connection, s.Protocol, s.Started.Local().Format("2006-01-02 15:04:05"), m.look.state(s.State)),
		m.look.faint.Render(cell("  TIME      TOOK       ROWS VERDICT          OUTCOME    STATEMENT", m.width))}
	list := m.shownActions()
	var rows []string
	for i := range list {
		x := &list[i]
		line := fmt.Sprintf(" %s%s %s %6d %s %s %s", m.recordedSign(x), cell(x.Time.Local().Format("15:04:05"), 9), cell(took(x.Duration), 9), x.Rows,
			cell(verdict(x), 16), cell(x.Outcome+ifSet(" ", x.Code), 10), one(m.actionText(x)))
		line = cell(line, m.width)
		if i == m.selected[timeline] {
			line = m.look.chosen.Render("▸" + strings.TrimPrefix(line, " "))
		}
		rows = append(rows, line)
	}
	below := m.actionDetail(list)
	room := max(1, height-len(head)-min(len(below), height/2)-1)
	out := append(head, window(rows, m.selected[timeline], room)...)
	out = append(out, m.look.faint.Render(strings.Repeat("─", m.width)))
	return append(out, below...)
}

// actionText is what was asked. Beside SQL, which says so itself, the kind of it
// comes first: exec make, shell.
func (m *Model) actionText(x *api.Action) string {
	protocol, kind, _ := strings.Cut(x.Verb, ".")
	if protocol == "sql" || kind == "" {
		return x.Text
	}
	return strings.TrimSpace(kind + " " + x.Text)
}

// recordedSign tells that an action has a recording.
func (m *Model) recordedSign(x *api.Action) string {
	if slices.ContainsFunc(m.recorded, func(r Recording) bool { return r.Action == x.Number }) {
		return "▶"
	}
	return " "
}

// actionDetail is the chosen statement whole.
func (m *Model) actionDetail(list []api.Action) []string {
	i := m.selected[timeline]
	if i >= len(list) {
		return []string{"  No statements here."}
	}
	x := &list[i]
	out := []string{fmt.Sprintf("  event %d  rule %s  %s", x.Event, visible(x.Rule), one(x.Reason))}
	if a := x.Approval; a != nil {
		out = append(out, "  "+approvalLine(a))
	}
	for _, l := range lines(m.actionText(x), max(10, m.width-2)) {
		out = append(out, "  "+m.look.title.Render(l))
	}
	for n, p := range x.Params {
		out = append(out, fmt.Sprintf("  $%d = %s", n+1, one(p.Value)))
	}
	var masked []string
	for label, n := range x.Masked {
		masked = append(masked, fmt.Sprintf("%s %d", label, n))
	}
	if len(masked) > 0 {
		slices.Sort(masked)
		out = append(out, "  masked: "+strings.Join(masked, ", "))
	}
	return out
}

// verdict is the effect, and what came of it where people were asked.
func verdict(x *api.Action) string {
	if x.Approval == nil || x.Approval.State == "" {
		return x.Effect
	}
	return x.Approval.State
}

// approvalLine tells whom a statement waited for, and how long.
func approvalLine(a *recorder.Approval) string {
	text := "approval " + a.ID + " " + a.State
	if len(a.Approvers) > 0 {
		text += " by " + one(strings.Join(a.Approvers, ", "))
	}
	if a.Comment != "" {
		text += ": " + one(a.Comment)
	}
	if a.Grant != "" {
		text += ", grant " + a.Grant
	}
	if a.WaitedMS > 0 {
		text += " after " + (time.Duration(a.WaitedMS) * time.Millisecond).String()
	}
	return text
}

func took(us int64) string {
	d := time.Duration(us) * time.Microsecond
	if d >= time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.String()
}
