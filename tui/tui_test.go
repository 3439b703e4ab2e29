package tui

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"hoop/broker/api"
	"hoop/policy"
	"hoop/recorder"
)

var update = flag.Bool("update", false, "write the golden screens anew")

// desk is a Source that remembers what it was told.
type desk struct {
	approvals []api.Approval
	sessions  []api.Session
	detail    api.SessionDetail
	told      []string
	fails     error
}

func (d *desk) Approvals(context.Context, string) ([]api.Approval, error) {
	return d.approvals, d.fails
}

func (d *desk) Answer(_ context.Context, a *api.Approval, decision, comment string, grant time.Duration) error {
	d.told = append(d.told, strings.Join([]string{decision, a.ID, a.Digest, comment, grant.String()}, " "))
	return d.fails
}

func (d *desk) Sessions(context.Context, bool, string, string, int) ([]api.Session, error) {
	return d.sessions, d.fails
}

func (d *desk) Session(_ context.Context, id string) (*api.SessionDetail, error) {
	if id != d.detail.ID {
		return nil, errors.New("no such session")
	}
	return &d.detail, nil
}

func (d *desk) EndSession(_ context.Context, id, reason string) error {
	d.told = append(d.told, "end "+id)
	return nil
}

func at(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04:05", s, time.Local)
	if err != nil {
		panic(err)
	}
	return t
}

func newDesk() *desk {
	alice := policy.Chain{{ID: "i|alice", Name: "alice@demo.example", Kind: policy.Person}}
	agent := append(alice[:1:1], policy.Actor{ID: "b1", Name: "migrator", Kind: policy.Agent, Claimed: true})
	exact := int64(3000)
	return &desk{
		approvals: []api.Approval{
			{ID: "ap1", State: "pending", Kind: "statement", Created: at("2026-11-24 09:00:00"), Expires: at("2026-11-24 09:15:00"),
				Session: "s1", Connection: "demo-pg", Protocol: "postgres", Requester: "alice@demo.example", Chain: alice, Client: "127.0.0.1:4242",
				Verb: "sql.drop_table", Text: "DROP TABLE orders", SQL: &policy.SQL{Kind: "drop_table", Effects: []string{"ddl"}, Tables: []string{"orders"}},
				Digest: "d1", Rule: "no-ddl", RuleReason: "changes to tables need a second person", Groups: []string{"approver"}, Quorum: 1,
				Preview: &api.Preview{Plan: "Delete on orders\n  ->  Seq Scan on orders", ExactRows: &exact},
				History: &api.ApprovalHistory{Asked: 14, Approved: 13}, MayAnswer: true},
			{ID: "ap2", State: "pending", Kind: "statement", Created: at("2026-11-24 09:01:00"), Expires: at("2026-11-24 09:16:00"),
				Session: "s2", Connection: "demo-pg", Protocol: "postgres", Requester: "alice@demo.example", Chain: agent,
				Text: "UPDATE users SET name = '\x1b[2J\u202Eevil'\n WHERE id = 1", Digest: "d2", Rule: "no-ddl", Groups: []string{"approver"}, Quorum: 2, MayAnswer: true},
			{ID: "ap3", State: "denied", Created: at("2026-11-24 08:00:00"), Expires: at("2026-11-24 08:15:00"), Connection: "demo-pg", Protocol: "postgres",
				Requester: "carol", Chain: alice, Text: "TRUNCATE audit", Digest: "d3", Rule: "no-ddl", Groups: []string{"approver"}, Quorum: 1,
				Answers: []api.Answer{{Approver: "bob@demo.example", Decision: "deny", Comment: "no ticket", Time: at("2026-11-24 08:03:00")}}},
		},
		sessions: []api.Session{
			{ID: "gy5lzqdhsj7ei7x2", Principal: "alice@demo.example", Chain: agent, Connection: "demo-pg", Protocol: "postgres", Started: at("2026-11-24 09:00:10"), State: "live", Statements: 12, Denied: 1},
			{ID: "bu3hp2lp4jxokf6f", Principal: "alice@demo.example", Chain: alice, Connection: "demo-pg", Protocol: "postgres", Started: at("2026-11-24 08:00:10"), State: "closed", Statements: 2},
		},
		detail: api.SessionDetail{
			Session: api.Session{ID: "gy5lzqdhsj7ei7x2", Chain: agent, Connection: "demo-pg", Protocol: "postgres", Started: at("2026-11-24 09:00:10"), State: "live"},
			ActionList: []api.Action{
				{Event: 5, Number: 1, Time: at("2026-11-24 09:00:11"), Verb: "sql.select", Text: "SELECT * FROM plans", Effect: "allow", Rule: "engineers-work", Outcome: "ok", Rows: 12, Duration: 3000},
				{Event: 7, Number: 2, Time: at("2026-11-24 09:00:20"), Verb: "sql.update", Text: "UPDATE users SET active = false\nWHERE plan = 'free'", Effect: "allow", Rule: "engineers-work", Outcome: "ok", Rows: 812, Duration: 41000, Masked: map[string]int{"pii.email": 2}},
				{Event: 9, Number: 3, Time: at("2026-11-24 09:00:30"), Verb: "sql.drop_table", Text: "DROP TABLE users", Effect: "deny", Rule: "no-ddl", Outcome: "denied", Code: "42501"},
				{Event: 12, Number: 4, Time: at("2026-11-24 09:01:10"), Verb: "sql.delete", Text: "DELETE FROM plans WHERE id = 7", Effect: "allow", Rule: "deletes", Outcome: "ok", Rows: 1, Duration: 900,
					Approval: &recorder.Approval{ID: "ap0", State: "approved", Approvers: []string{"bob@demo.example"}, WaitedMS: 32400}},
			},
		},
	}
}

// rig drives a Model as bubbletea would, without a terminal.
type rig struct {
	t *testing.T
	m *Model
}

func newRig(t *testing.T, d *desk, width, height int) *rig {
	t.Helper()
	m := New(t.Context(), d, Options{Me: "bob@demo.example", Broker: "127.0.0.1", NoColor: true,
		Now: func() time.Time { return at("2026-11-24 09:02:00") }})
	r := &rig{t, m}
	r.send(tea.WindowSizeMsg{Width: width, Height: height})
	r.run(m.load())
	return r
}

func (r *rig) send(msg tea.Msg) {
	_, cmd := r.m.Update(msg)
	r.run(cmd)
}

// run carries out a command and what comes of it, but for the clock.
func (r *rig) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case nil, tea.QuitMsg, tickMsg, frameMsg:
	case tea.BatchMsg:
		for _, c := range msg {
			r.run(c)
		}
	default:
		r.send(msg)
	}
}

func (r *rig) press(keys ...string) {
	for _, k := range keys {
		r.m.draw() // what a person sees before they press
		switch k {
		case "enter":
			r.send(tea.KeyPressMsg{Code: tea.KeyEnter})
		case "esc":
			r.send(tea.KeyPressMsg{Code: tea.KeyEscape})
		case "tab":
			r.send(tea.KeyPressMsg{Code: tea.KeyTab})
		case "left", "right":
			r.send(tea.KeyPressMsg{Code: map[string]rune{"left": tea.KeyLeft, "right": tea.KeyRight}[k]})
		case "space":
			r.send(tea.KeyPressMsg{Code: tea.KeySpace, Text: " "})
		case "down":
			r.send(tea.KeyPressMsg{Code: tea.KeyDown})
		case "pgdown":
			r.send(tea.KeyPressMsg{Code: tea.KeyPgDown})
		default:
			for _, c := range k {
				r.send(tea.KeyPressMsg{Code: c, Text: string(c)})
			}
		}
	}
}

func (r *rig) screen() string { return ansi.Strip(r.m.draw()) }

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); -update writes it anew:\n%s", path, diff)
	}
}

func TestScreens(t *testing.T) {
	for _, size := range []struct {
		name          string
		width, height int
	}{{"80x24", 80, 24}, {"140x45", 140, 45}} {
		for name, keys := range map[string][]string{
			"approvals": nil, "second": {"down"}, "sessions": {"tab"}, "timeline": {"tab", "enter", "down"}, "help": {"?"}, "deny": {"pgdown", "d"},
			"approve": {"pgdown", "a", "fine"}, "for-a-time": {"pgdown", "t"}, "denied": {"down", "down"}, "filter": {"/", "trunc", "enter"}, "nothing": {"/", "zzz", "enter"},
			"end-session": {"tab", "x", "gy"}, "help-sessions": {"tab", "?"}, "help-timeline": {"tab", "enter", "?"}, "approved": {"tab", "enter", "G"},
			"slow-first": {"tab", "enter", "s"}, "follow": {"tab", "enter", "f"}, "done": {"pgdown", "pgdown", "a", "enter"},
		} {
			t.Run(name+"-"+size.name, func(t *testing.T) {
				r := newRig(t, newDesk(), size.width, size.height)
				r.press(keys...)
				got := r.screen()
				for i, l := range strings.Split(got, "\n") {
					if w := ansi.StringWidth(l); w != size.width {
						t.Errorf("line %d is %d columns wide", i+1, w)
					}
				}
				if n := strings.Count(got, "\n") + 1; n != size.height {
					t.Errorf("the screen has %d lines", n)
				}
				golden(t, name+"-"+size.name, got)
			})
		}
	}
}

// A broker that is gone, on each screen: what was loaded stays, and is said to be
// old.
func TestOfflineScreens(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {140, 45}} {
		d := newDesk()
		r := newRig(t, d, size[0], size[1])
		d.fails = errors.New("dial tcp 127.0.0.1:8443: connect: connection refused")
		r.press("r")
		golden(t, fmt.Sprintf("offline-%dx%d", size[0], size[1]), r.screen())
	}
}

// What is exported is the session on the screen; a file that is there stays.
func TestExport(t *testing.T) {
	t.Chdir(t.TempDir())
	r := newRig(t, newDesk(), 80, 24)
	r.press("tab", "enter", "e")
	text, err := os.ReadFile("gy5lzqdhsj7ei7x2.json")
	var got api.SessionDetail
	if err != nil || json.Unmarshal(text, &got) != nil || len(got.ActionList) != 4 || !strings.Contains(r.screen(), "exported to gy5lzqdhsj7ei7x2.json") {
		t.Fatalf("exported %s, %v:\n%s", text, err, r.screen())
	}
	if r.press("e"); !strings.Contains(r.screen(), "is there already") {
		t.Errorf("again:\n%s", r.screen())
	}
}

// Every key that help lists does something on its screen, and no other letter
// does.
func TestKeysAreThoseOfHelp(t *testing.T) {
	for _, c := range []struct{ to []string }{{nil}, {[]string{"tab"}}, {[]string{"tab", "enter"}}} {
		listed := "jkgGb" // the second halves of what help lists, and space
		for _, b := range func() []binding { r := newRig(t, newDesk(), 80, 24); r.press(c.to...); return r.m.keys() }() {
			listed += b.key
		}
		for k := 'a'; k <= 'z'; k++ {
			t.Chdir(t.TempDir())
			r := newRig(t, newDesk(), 80, 24)
			r.press(append(slices.Clone(c.to), "pgdown", "pgdown", "j")...)
			before := r.screen()
			r.press(string(k))
			if acts := r.screen() != before; acts && !strings.ContainsRune(listed, k) {
				t.Errorf("after %v the key %c does something that help does not list", c.to, k)
			}
		}
	}
}

func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		keys []string
		want []string
	}{
		"approve with a comment":        {[]string{"down", "pgdown", "pgdown", "a", "fine", "enter"}, []string{"approve ap1 d1 fine 0s"}},
		"approve for a time":            {[]string{"down", "pgdown", "pgdown", "t", "enter"}, []string{"approve ap1 d1  30m0s"}},
		"deny needs a reason":           {[]string{"down", "pgdown", "pgdown", "d", "enter", "no", "enter"}, []string{"deny ap1 d1 no 0s"}},
		"esc leaves it":                 {[]string{"down", "pgdown", "pgdown", "a", "esc"}, nil},
		"what is over has no answer":    {[]string{"down", "down", "pgdown", "a", "x", "enter"}, nil},
		"a session ends by its own ID":  {[]string{"tab", "x", "gy5l", "enter"}, []string{"end gy5lzqdhsj7ei7x2"}},
		"and not by another":            {[]string{"tab", "x", "aaaa", "enter"}, nil},
		"one that is closed cannot end": {[]string{"tab", "down", "x", "bu3h", "enter"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk()
			r := newRig(t, d, 80, 24)
			r.press(c.keys...)
			if diff := cmp.Diff(c.want, d.told); diff != "" {
				t.Errorf("told (-want +got):\n%s\n%s", diff, r.screen())
			}
		})
	}
}

// What does not fit the screen must have been scrolled through before it can be
// approved.
func TestLongTextMustBeRead(t *testing.T) {
	d := newDesk()
	d.approvals = d.approvals[:1]
	d.approvals[0].Text = strings.Repeat("DELETE FROM orders;\n", 60)
	r := newRig(t, d, 80, 24)
	r.press("a")
	if d.told != nil || !strings.Contains(r.screen(), "read it to the end first") {
		t.Fatalf("approved unread: %v\n%s", d.told, r.screen())
	}
	for range 20 {
		r.press("pgdown")
	}
	r.press("a", "enter")
	if len(d.told) != 1 {
		t.Errorf("not approved after reading: %s", r.screen())
	}
}

// Nothing that a requester wrote reaches the terminal as anything but text.
func TestHostileTextIsOnlyText(t *testing.T) {
	d := newDesk()
	hostile := "x\x1b[2J\x1b]0;title\x07\u202E\u2066\u200b\u3164\ufe0f\u115f\x9b31m\r\b y"
	a := &d.approvals[0]
	a.Text, a.Reason, a.Requester, a.Client, a.Ticket, a.RuleReason = hostile, hostile, hostile, hostile, hostile, hostile
	a.Preview.Plan = hostile
	d.sessions[0].Chain[0].Name = hostile
	d.detail.ActionList[0].Text = hostile
	for _, keys := range [][]string{nil, {"down"}, {"tab"}, {"tab", "enter"}} {
		r := newRig(t, d, 80, 24)
		r.press(keys...)
		for _, c := range r.m.draw() {
			if strings.ContainsRune("\x07\b\r\x9b\u202E\u2066\u200b\u3164\ufe0f\u115f", c) {
				t.Errorf("%q stands on the screen after %v", c, keys)
			}
		}
		if strings.Contains(r.m.draw(), "\x1b[2J") || strings.Contains(r.m.draw(), "\x1b]0") {
			t.Errorf("an escape sequence stands on the screen after %v", keys)
		}
	}
}

func TestLostBrokerIsSaidAndOver(t *testing.T) {
	d := newDesk()
	r := newRig(t, d, 80, 24)
	d.fails = errors.New("connection refused")
	r.press("r")
	if s := r.screen(); !strings.Contains(s, "reconnecting") || !strings.Contains(s, "DROP TABLE orders") {
		t.Errorf("what was loaded must stay:\n%s", s)
	}
	d.fails = nil
	r.press("r")
	if s := r.screen(); strings.Contains(s, "reconnecting") {
		t.Errorf("still offline:\n%s", s)
	}
}

func TestFilter(t *testing.T) {
	r := newRig(t, newDesk(), 80, 24)
	r.press("/", "truncate", "enter")
	if s := r.screen(); strings.Contains(s, "DROP TABLE") || !strings.Contains(s, "TRUNCATE audit") {
		t.Errorf("filter:\n%s", s)
	}
}

// A request that comes in while somebody reads another must not slip under
// their key.
func TestCursorStaysOnWhatIsRead(t *testing.T) {
	d := newDesk()
	r := newRig(t, d, 80, 24)
	r.press("down", "pgdown", "pgdown")
	fresh := d.approvals[0]
	fresh.ID, fresh.Text, fresh.Created = "ap9", "DROP TABLE customers", at("2026-11-24 09:01:59")
	r.send(eventMsg(api.ApprovalEvent{Event: "opened", Approval: &fresh}))
	r.press("a", "enter")
	if diff := cmp.Diff([]string{"approve ap1 d1  0s"}, d.told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
