package webhook

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"hoop/broker/approval"
)

// shown is how much of a statement a message has, in characters.
const shown = 500

// told is what a message says, in the format json.
type told struct {
	Event      string    `json:"event"`
	ID         string    `json:"id"` // of the approval, or of a grant where the glass was broken
	State      string    `json:"state,omitempty"`
	Kind       string    `json:"kind"`
	Connection string    `json:"connection"`
	Requester  string    `json:"requester"`
	Chain      []string  `json:"chain"`
	Rule       string    `json:"rule"`
	Reason     string    `json:"reason,omitempty"`
	Ticket     string    `json:"ticket,omitempty"`
	Text       string    `json:"text,omitempty"`
	Digest     string    `json:"digest,omitempty"`
	Approvers  []string  `json:"approvers,omitempty"`
	Why        string    `json:"why,omitempty"`
	Expires    time.Time `json:"expires"`
	Link       string    `json:"link,omitempty"` // to the page where it can be answered
}

func (h *Hook) body(ev *approval.Event) any {
	t := tell(ev)
	switch h.Format {
	case "slack":
		return slack(&t)
	case "teams":
		return teams(&t)
	default:
		return t
	}
}

func tell(ev *approval.Event) told {
	if g := ev.Grant; g != nil {
		return told{Event: ev.What, ID: g.ID, Kind: g.Kind, Connection: g.Connection, Requester: visible(g.Principal.Name), Rule: g.Rule,
			Chain: []string{visible(g.Chain.String())}, Reason: visible(g.Reason), Ticket: visible(g.Ticket), Expires: g.Expires}
	}
	a := &ev.Approval
	text := a.Text
	if a.Clean != "" {
		text = a.Clean
	}
	t := told{Event: ev.What, ID: a.ID, State: a.State, Kind: a.Kind, Connection: a.Connection, Requester: visible(a.Principal.Name), Rule: a.Rule,
		Reason: visible(a.Reason), Ticket: visible(a.Ticket), Text: cut(visible(text)), Digest: a.Hex(), Approvers: a.Approvers(),
		Why: visible(a.Why), Expires: a.Expires, Link: a.Link}
	for _, c := range a.Chain {
		t.Chain = append(t.Chain, visible(c.Name))
	}
	if n := a.Denial(); n != nil {
		t.Why = visible(n.Approver.Name + ": " + n.Comment)
	}
	return t
}

// visible shows what would change how the rest of a message reads.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) ||
			unicode.In(r, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)) {
			fmt.Fprintf(&b, "\\u%04x", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func cut(s string) string {
	if r := []rune(s); len(r) > shown {
		return string(r[:shown]) + "…"
	}
	return s
}

func (t *told) title() string {
	what := "a statement on " + t.Connection
	if t.Kind == approval.KindSession {
		what = "opening " + t.Connection
	}
	switch t.Event {
	case approval.Glass:
		return fmt.Sprintf("%s BROKE THE GLASS to open %s", t.Requester, t.Connection)
	case approval.Opened:
		return fmt.Sprintf("%s waits for an approval: %s", t.Requester, what)
	case approval.Answered:
		return fmt.Sprintf("%s has one more approval: %s", t.Requester, what)
	default:
		return fmt.Sprintf("%s: %s is %s", t.Requester, what, t.State)
	}
}

// page is where it can be answered in a browser, "" where that is over.
func (t *told) page() string {
	if t.Event == approval.Opened || t.Event == approval.Answered {
		return t.Link
	}
	return ""
}

// facts are name and value, in order, without those that are empty.
func (t *told) facts() [][2]string {
	how := ""
	if t.Event == approval.Opened || t.Event == approval.Answered {
		how = "hoop approvals show " + t.ID
	}
	all := [][2]string{{"Who", strings.Join(t.Chain, " › ")}, {"Rule", t.Rule}, {"Reason", strings.TrimSpace(t.Reason + " " + t.Ticket)},
		{"Approved by", strings.Join(t.Approvers, ", ")}, {"Why", t.Why}, {"Until", t.Expires.UTC().Format(time.DateTime) + " UTC"}, {"Look and answer", how}}
	var out [][2]string
	for _, f := range all {
		if f[1] != "" {
			out = append(out, f)
		}
	}
	return out
}

// slack is Block Kit. Nothing that somebody wrote is read as markup: &, < and >
// are escaped as its documentation asks, and plain text stays plain.
func slack(t *told) any {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	plain := func(s string) map[string]any { return map[string]any{"type": "plain_text", "text": s, "emoji": false} }
	var fields []any
	for _, f := range t.facts() {
		fields = append(fields, plain(f[0]+": "+f[1]))
	}
	blocks := []any{map[string]any{"type": "section", "text": plain(t.title())}, map[string]any{"type": "section", "fields": fields}}
	if t.Text != "" {
		code := "```" + escape.Replace(strings.ReplaceAll(t.Text, "`", "'")) + "```"
		blocks = append(blocks, map[string]any{"type": "section", "text": map[string]any{"type": "mrkdwn", "text": code, "verbatim": true}})
	}
	if link := t.page(); link != "" {
		blocks = append(blocks, map[string]any{"type": "section", "text": map[string]any{"type": "mrkdwn", "text": "<" + link + "|Look and answer in a browser>"}})
	}
	return map[string]any{"text": escape.Replace(t.title()), "blocks": blocks}
}

// teams is an Adaptive Card in the envelope that an incoming webhook takes. A
// TextRun, unlike a TextBlock, reads no markup.
func teams(t *told) any {
	run := func(s, font string, bold bool) any {
		r := map[string]any{"type": "TextRun", "text": s, "fontType": font}
		if bold {
			r["weight"] = "Bolder"
		}
		return map[string]any{"type": "RichTextBlock", "inlines": []any{r}}
	}
	body := []any{run(t.title(), "Default", true)}
	for _, f := range t.facts() {
		body = append(body, run(f[0]+": "+f[1], "Default", false))
	}
	if t.Text != "" {
		body = append(body, run(t.Text, "Monospace", false))
	}
	card := map[string]any{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body}
	if link := t.page(); link != "" {
		card["actions"] = []any{map[string]any{"type": "Action.OpenUrl", "title": "Look and answer in a browser", "url": link}}
	}
	return map[string]any{"type": "message", "attachments": []any{map[string]any{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}}}
}
