package tui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"hoop/broker/api"
)

func plainWidth(s string) int { return ansi.StringWidth(s) }

func (m *Model) pending() int {
	n := 0
	for i := range m.approvals {
		if m.approvals[i].State == "pending" {
			n++
		}
	}
	return n
}

// shownApprovals are those that the filter leaves: pending ones first, then the
// newest.
func (m *Model) shownApprovals() []api.Approval {
	f := strings.ToLower(m.filter[approvals])
	out := make([]api.Approval, 0, len(m.approvals))
	for _, a := range m.approvals {
		if f == "" || strings.Contains(strings.ToLower(strings.Join([]string{a.ID, a.State, a.Requester, a.Connection, a.Text, a.Rule}, " ")), f) {
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b api.Approval) int {
		if p, q := a.State == "pending", b.State == "pending"; p != q {
			if p {
				return -1
			}
			return 1
		}
		return b.Created.Compare(a.Created)
	})
	return out
}

func (m *Model) drawApprovals(height int) []string {
	list := m.shownApprovals()
	if len(list) == 0 {
		return []string{"", "  Nothing waits for an answer.", "", m.look.faint.Render("  What people ask for appears here by itself.")}
	}
	if m.width >= narrow {
		left := m.width * 2 / 5
		return beside(window(m.approvalRows(list, left), m.selected[approvals]+1, height), m.approvalDetail(m.width-left-3, height), left, height)
	}
	top := min(len(list)+1, max(4, height/3))
	rows := window(m.approvalRows(list, m.width), m.selected[approvals]+1, top)
	rows = append(rows, m.look.faint.Render(strings.Repeat("─", m.width)))
	return append(rows, m.approvalDetail(m.width, height-len(rows))...)
}

func (m *Model) approvalRows(list []api.Approval, width int) []string {
	rows := []string{m.look.faint.Render(cell("  EXPIRES  WHO              CONNECTION     WHAT", width))}
	for i := range list {
		a := &list[i]
		left := a.State
		if a.State == "pending" {
			left = age(a.Expires.Sub(m.now))
		}
		line := fmt.Sprintf("  %s %s %s %s", cell(left, 8), cell(one(a.Requester), 16), cell(a.Connection, 14), one(a.Text))
		line = cell(line, width)
		if i == m.selected[approvals] {
			line = m.look.chosen.Render("▸" + strings.TrimPrefix(line, " "))
		}
		rows = append(rows, line)
	}
	return rows
}

// approvalDetail shows one approval whole: what was asked stands exactly,
// unseen characters made visible.
func (m *Model) approvalDetail(width, height int) []string {
	a := m.current()
	if a == nil || height <= 0 {
		return nil
	}
	all := m.approvalText(a, width)
	last := max(0, len(all)-height)
	m.scroll = min(m.scroll, last)
	if m.scroll == last {
		m.read[a.ID] = true
	}
	shown := all[m.scroll:min(len(all), m.scroll+height)]
	if m.scroll < last {
		shown = slices.Clone(shown)
		shown[len(shown)-1] = m.look.warn.Render(fmt.Sprintf("… %d more lines: pgdn", len(all)-m.scroll-len(shown)+1))
	}
	return shown
}

func (m *Model) approvalText(a *api.Approval, width int) []string {
	var out []string
	add := func(name, value string) {
		if value == "" {
			return
		}
		for i, l := range lines(value, max(10, width-11)) {
			label := ""
			if i == 0 {
				label = name
			}
			out = append(out, m.look.faint.Render(cell(label, 10))+" "+l)
		}
	}
	out = append(out, m.look.title.Render(a.ID)+"  "+m.look.state(a.State)+"  "+visible(a.Connection)+" ("+a.Protocol+")")
	add("who", a.Chain.String())
	add("from", a.Client)
	add("why", a.Reason)
	add("ticket", a.Ticket)
	add("rule", a.Rule+ifSet(": ", a.RuleReason))
	add("answers", fmt.Sprintf("%d of %d from %s", approvalsOf(a), a.Quorum, strings.Join(slices.Concat(a.Groups, a.Names), ", ")))
	out = append(out, "")
	for _, l := range lines(a.Text, width) {
		out = append(out, m.look.title.Render(l))
	}
	out = append(out, "")
	for i, p := range a.Params {
		value := p.Value
		if p.Null {
			value = "NULL"
		}
		add(fmt.Sprintf("$%d", i+1), value)
	}
	if a.SQL != nil {
		add("does", a.SQL.Kind+" ["+strings.Join(a.SQL.Effects, " ")+"] "+strings.Join(a.SQL.Tables, ", "))
	}
	if a.SSH != nil {
		add("action", a.Verb)
		add("runs", a.SSH.Runs())
	}
	add("objects", strings.Join(a.Objects, ", "))
	add("settings", strings.Join(a.Settings, ", "))
	add("labels", strings.Join(a.Labels, ", "))
	out = append(out, m.previewText(a, width)...)
	if h := a.History; h != nil {
		add("history", fmt.Sprintf("asked %d times in 30 days, %d approved, %d denied; this text approved %d times", h.Asked, h.Approved, h.Denied, h.SameText))
	}
	for _, x := range a.Answers {
		add(x.Decision, x.Approver+" "+x.Time.Local().Format("15:04:05")+ifSet(" on the ", x.Via)+ifSet(": ", x.Comment))
	}
	if !a.MayAnswer && a.State == "pending" {
		add("note", "you may not answer: "+a.WhyNot)
	}
	add("digest", a.Digest)
	return out
}

func (m *Model) previewText(a *api.Approval, width int) []string {
	p := a.Preview
	if p == nil {
		return nil
	}
	head := "preview"
	switch {
	case p.ExactRows != nil:
		head += fmt.Sprintf(": %d rows, counted", *p.ExactRows)
	case p.Problem != "":
		head += ": " + one(p.Problem)
	default:
		head += fmt.Sprintf(": about %.0f rows", p.EstimatedRows)
	}
	out := []string{m.look.warn.Render(cell(head, width))}
	if p.Plan != "" {
		for _, l := range lines(p.Plan, width-2) {
			out = append(out, m.look.faint.Render("  "+l))
		}
	}
	return out
}

func approvalsOf(a *api.Approval) int {
	n := 0
	for _, x := range a.Answers {
		if x.Decision == "approve" {
			n++
		}
	}
	return n
}

func ifSet(before, s string) string {
	if s == "" {
		return ""
	}
	return before + s
}
