package tui

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// look is how things are shown: 16 colours, or none.
type look struct {
	title, faint, chosen, good, bad, warn lipgloss.Style
	plain                                 bool
}

func newLook(noColor bool) look {
	s := lipgloss.NewStyle()
	l := look{title: s.Bold(true), faint: s.Faint(true), chosen: s.Reverse(true), good: s, bad: s.Bold(true), warn: s, plain: noColor}
	if !noColor {
		l.good = s.Foreground(lipgloss.Color("2"))
		l.bad = s.Foreground(lipgloss.Color("1")).Bold(true)
		l.warn = s.Foreground(lipgloss.Color("3"))
	}
	return l
}

// state colours the word of a state.
func (l look) state(s string) string {
	switch s {
	case "pending", "live", "require_approval":
		return l.warn.Render(s)
	case "approved", "ok", "allow":
		return l.good.Render(s)
	case "denied", "deny", "expired", "lost", "error", "refused":
		return l.bad.Render(s)
	default:
		return s
	}
}

// visible makes control, direction and other unseen characters readable, so
// that what somebody wrote cannot draw on the approver's screen.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t':
			b.WriteString("    ")
		case unicode.IsControl(r), r == unicode.ReplacementChar,
			unicode.In(r, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
			fmt.Fprintf(&b, "‹%04X›", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// lines splits a text into visible lines no wider than n.
func lines(text string, n int) []string {
	var out []string
	for _, l := range strings.Split(text, "\n") {
		l = visible(strings.TrimSuffix(l, "\r"))
		for ansi.StringWidth(l) > n && n > 0 {
			head := ansi.Truncate(l, n, "")
			out = append(out, head)
			l = strings.TrimPrefix(l, head)
		}
		out = append(out, l)
	}
	return out
}

// cell cuts or pads a text to exactly n columns.
func cell(s string, n int) string {
	if n <= 0 {
		return ""
	}
	s = ansi.Truncate(s, n, "…")
	return s + strings.Repeat(" ", n-ansi.StringWidth(s))
}

// one puts a text of others on one line.
func one(s string) string { return visible(strings.Join(strings.Fields(s), " ")) }

// age is a short duration: 12s, 4m, 3h, 2d.
func age(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// quote quotes a word for a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
