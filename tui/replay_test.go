package tui

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"hoop/broker/api"
	"hoop/recorder/replay"
)

// archive is a desk with recordings.
type archive struct {
	*desk
	recordings []Recording
	text       string
}

func (a *archive) Recordings(context.Context, string) ([]Recording, error) {
	return a.recordings, a.fails
}

func (a *archive) Recording(_ context.Context, session string, action uint64) (*replay.Recording, error) {
	if a.fails != nil {
		return nil, a.fails
	}
	return replay.Read(strings.NewReader(a.text))
}

// recorded is a shell session of 20 seconds with commands, a colour, wide
// characters and a program on the alternate screen.
const recorded = `{"version":3,"term":{"cols":60,"rows":16},"hoop":{"pty":true,"start":"2026-11-24T09:00:10Z"}}
[0.5, "o", "web-1:~$ "]
[1.5, "m", "ls -la"]
[0, "h", "{\"command\":{\"command\":\"ls -la\",\"derived\":true}}"]
[0, "o", "ls -la\r\n\u001b[34mbin\u001b[0m  日本語  notes.txt\r\nweb-1:~$ "]
[4, "m", "vim notes.txt"]
[0, "h", "{\"command\":{\"command\":\"vim notes.txt\",\"exit\":1}}"]
[0, "o", "vim notes.txt\r\n\u001b[?1049h\u001b[H\u001b[2Jsecret plans\r\n\u001b[7m-- INSERT --\u001b[0m"]
[10, "o", "\u001b[?1049l"]
[1, "o", "web-1:~$ exit\r\n"]
[0, "m", "\u001b[31mhostile\u202e"]
[3, "x", "0"]
`

func newArchive() *archive {
	a := &archive{desk: newDesk(), text: recorded}
	a.recordings = []Recording{{Session: "gy5lzqdhsj7ei7x2", Action: 9}}
	start := time.Date(2026, 11, 24, 9, 0, 10, 0, time.UTC)
	a.detail.Protocol, a.detail.Connection = "ssh", "web-1"
	a.detail.ActionList = []api.Action{
		{Number: 9, Time: start, Verb: "ssh.shell", Effect: "allow", Rule: "ops", Outcome: "ok"},
		{Number: 10, Time: start.Add(9 * time.Second), Verb: "ssh.sftp_write", Text: "/srv/app/config.yml", Effect: "allow", Rule: "ops", Outcome: "ok"},
	}
	return a
}

func newReplay(t *testing.T, a *archive, width, height int) *rig {
	t.Helper()
	m := New(t.Context(), a, Options{Me: "bob@demo.example", Broker: "127.0.0.1", NoColor: true,
		Now: func() time.Time { return at("2026-11-24 09:02:00") }})
	r := &rig{t, m}
	r.send(tea.WindowSizeMsg{Width: width, Height: height})
	r.run(m.load())
	return r
}

// playFor lets the screen's clock go on.
func (r *rig) playFor(d time.Duration) {
	start := time.Now()
	for passed := time.Duration(0); passed <= d; passed += 100 * time.Millisecond {
		r.send(frameMsg{r.m.frames, start.Add(passed)})
	}
}

var localTime = regexp.MustCompile(`\d\d:00:10`)

func TestReplayScreens(t *testing.T) {
	for name, keys := range map[string][]string{
		"replay-start": nil, "replay-middle": {"5"}, "replay-found": {"/", "plans", "enter"}, "replay-not-found": {"/", "nowhere", "enter"},
		"replay-end": {"9", "."}, "replay-zoomed": {"5", "z"}, "replay-export": {"3", "e"}, "replay-help": {"?"}, "replay-search": {"/", "pla"},
		"replay-mark": {"]", "]"}, "replay-fast": {"space", "+", "+", "i"},
	} {
		for _, size := range [][2]int{{80, 24}, {140, 45}} {
			r := newReplay(t, newArchive(), size[0], size[1])
			r.press("tab", "enter")
			r.press(keys...)
			screen := r.screen()
			for i, l := range strings.Split(screen, "\n") {
				if plainWidth(l) != size[0] {
					t.Errorf("%s: row %d is %d wide", name, i, plainWidth(l))
				}
			}
			golden(t, fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), localTime.ReplaceAllString(screen, "hh:00:10"))
		}
	}
}

// A small terminal shows what is around the cursor.
func TestReplayOnASmallScreen(t *testing.T) {
	r := newReplay(t, newArchive(), 30, 8)
	r.press("tab", "enter", "G")
	if s := r.screen(); !strings.Contains(s, "web-1:~$ exit") || len(strings.Split(s, "\n")) != 8 {
		t.Errorf("screen:\n%s", s)
	}
	r.send(tea.WindowSizeMsg{Width: 3, Height: 2})
	r.press("z", "?", "x", "0")
	r.send(tea.WindowSizeMsg{Width: 1, Height: 1})
	_ = r.m.draw()
}

// It plays by the clock, cuts pauses, stops at the end and begins anew.
func TestReplayPlays(t *testing.T) {
	r := newReplay(t, newArchive(), 100, 30)
	r.press("tab", "enter")
	if !r.m.replay.playing {
		t.Fatal("it does not play")
	}
	r.playFor(3 * time.Second)
	if s := r.screen(); !strings.Contains(s, "▶ 00:03/00:20") || !strings.Contains(s, "日本語") {
		t.Errorf("after 3 s:\n%s", s)
	}
	r.playFor(3 * time.Second) // the pause of 4 s is cut to 2 s
	if s := r.screen(); !strings.Contains(s, "secret plans") || !strings.Contains(s, "▶ 00:0") {
		t.Errorf("after 6 s:\n%s", s)
	}
	old := r.m.frames
	r.press("space")
	r.send(frameMsg{old, time.Now().Add(time.Hour)})
	r.send(frameMsg{old, time.Now().Add(2 * time.Hour)})
	if s := r.screen(); !strings.Contains(s, "⏸ 00:0") || !strings.Contains(s, "$ hoop sessions replay gy5lzqdhsj7ei7x2 --from ") {
		t.Errorf("paused:\n%s", s)
	}
	r.press("space", "+", "+", "+", "+", "+", "+")
	r.playFor(3 * time.Second)
	if r.m.replay.playing || !r.m.replay.player.Ended() {
		t.Errorf("it has not ended:\n%s", r.screen())
	}
	r.press("space")
	if r.m.replay.player.At() != 0 || !r.m.replay.playing {
		t.Errorf("it does not begin anew:\n%s", r.screen())
	}
}

func TestReplayMoves(t *testing.T) {
	r := newReplay(t, newArchive(), 100, 30)
	r.press("tab", "enter", "space", "0")
	for _, c := range []struct {
		keys []string
		at   string
	}{
		{[]string{"]"}, "2s"}, {[]string{"]"}, "6s"}, {[]string{"]"}, "9s"}, {[]string{"]"}, "17s"}, {[]string{"]"}, "17s"},
		{[]string{"[", "["}, "6s"}, {[]string{"["}, "2s"}, {[]string{"[", "["}, "2s"}, {[]string{"right"}, "7s"}, {[]string{"left", "left"}, "0s"},
		{[]string{"."}, "500ms"}, {[]string{"."}, "2s"}, {[]string{"7"}, "14s"}, {[]string{"G"}, "20s"}, {[]string{"."}, "20s"}, {[]string{"g"}, "0s"},
		{[]string{"/", "web-1", "enter"}, "500ms"}, {[]string{"n"}, "2s"}, {[]string{"n"}, "16s"}, {[]string{"N"}, "2s"}, {[]string{"N", "N"}, "500ms"},
	} {
		r.press(c.keys...)
		if got := r.m.replay.player.At().String(); got != c.at {
			t.Errorf("%v goes to %s, want %s\n%s", c.keys, got, c.at, r.screen())
		}
	}
}

func TestReplayLeaves(t *testing.T) {
	a := newArchive()
	r := newReplay(t, a, 100, 30)
	r.press("tab", "enter", "q")
	if r.m.screen != sessions {
		t.Errorf("q leads to %v:\n%s", r.m.screen, r.screen())
	}
	r.press("enter", "t")
	if r.m.screen != timeline || !strings.Contains(r.screen(), "▶") {
		t.Errorf("t leads to %v:\n%s", r.m.screen, r.screen())
	}
	r.press("down", "enter")
	if r.m.screen != timeline || !strings.Contains(r.screen(), "not recorded") {
		t.Errorf("an action without a recording:\n%s", r.screen())
	}
	r.press("g", "enter", "esc")
	if r.m.screen != timeline {
		t.Errorf("esc leads to %v:\n%s", r.m.screen, r.screen())
	}
	a.recordings = append(a.recordings, Recording{Session: "gy5lzqdhsj7ei7x2", Action: 10})
	r.press("esc", "enter")
	if r.m.screen != timeline {
		t.Errorf("two recordings: %v", r.m.screen)
	}
	r.press("j", "enter", "5")
	if !strings.Contains(r.screen(), "hoop sessions replay gy5lzqdhsj7ei7x2 --action 10 --from 10s") {
		t.Errorf("the second:\n%s", r.screen())
	}
	r.press("q", "esc")
	a.fails = errors.New("connection refused")
	r.press("enter")
	if s := r.screen(); !strings.Contains(s, "connection refused") && r.m.screen != sessions {
		t.Errorf("a recording that cannot be had:\n%s", s)
	}
}

// What is being recorded is shown as it grows.
func TestReplayFollows(t *testing.T) {
	a := newArchive()
	r := newReplay(t, a, 100, 30)
	r.press("tab", "enter", "f")
	if !strings.Contains(r.screen(), "its recording has ended") {
		t.Errorf("one that has ended:\n%s", r.screen())
	}
	r.press("q")
	a.recordings[0].Live = true
	r.press("enter", "f")
	a.text += "[1, \"o\", \"something new\"]\n"
	r.run(r.m.reload())
	if s := r.screen(); !strings.Contains(s, "something new") || !strings.Contains(s, "● 00:21/00:21") {
		t.Errorf("following:\n%s", s)
	}
	a.text += `[1, "h", "{\"end\":{\"reason\":\"revoked\"}}"]` + "\n"
	r.press("x", "gy5l", "enter")
	r.run(r.m.reload())
	if r.m.replay.follow || r.m.replay.Live {
		t.Error("it still follows what has ended")
	}
	if len(a.told) != 1 || a.told[0] != "end gy5lzqdhsj7ei7x2" {
		t.Errorf("told %v", a.told)
	}
}

// Nothing of a recording's sequences reaches the viewer's terminal, only what is
// drawn.
func TestHostileRecordingIsOnlyDrawn(t *testing.T) {
	a := newArchive()
	hostile := `\u001b]0;title\u0007\u001b]52;c;aGk=\u0007\u001b]8;;http://x\u001b\\\\link\u001b]8;;\u001b\\\\\u001b[c\u001b[6n\u001bPq#0\u001b\\\\\u001b[?1003h\u001b[2J\u202e\u009b31m\u0007\u001b[9999;9999Hx`
	a.text = `{"version":3,"term":{"cols":60,"rows":16},"title":"` + hostile + `","command":"` + hostile + `"}
[1, "o", "` + hostile + `"]
[1, "m", "` + hostile + `"]
[1, "x", "` + hostile + `"]
`
	onlySGR := regexp.MustCompile(`\x1b\[[0-9;]*m`)
	for _, keys := range [][]string{{"G"}, {"G", "z"}, {"]"}, {"?"}} {
		for _, plain := range []bool{true, false} {
			r := newReplay(t, a, 140, 30)
			r.m.look = newLook(plain)
			r.press("tab", "enter")
			r.press(keys...)
			if rest := onlySGR.ReplaceAllString(r.m.draw(), ""); strings.ContainsAny(rest, "\x1b\x07\u202e\u009b\b\r") {
				t.Errorf("after %v: %q", keys, rest)
			}
		}
	}
}

// Colours are those of the recording, or none at all.
func TestReplayColours(t *testing.T) {
	for plain, want := range map[bool]bool{true: false, false: true} {
		r := newReplay(t, newArchive(), 100, 30)
		r.m.look = newLook(plain)
		r.press("tab", "enter", "2")
		if got := strings.Contains(r.m.draw(), "\x1b[0;34mbin"); got != want {
			t.Errorf("no colour %v: %q", plain, r.m.draw())
		}
	}
}

// A recording alone needs no broker, and q ends the program.
func TestOnlyARecording(t *testing.T) {
	for _, size := range [][2]int{{60, 16}, {80, 24}} {
		rec, err := replay.Read(strings.NewReader(recorded))
		if err != nil {
			t.Fatal(err)
		}
		p, err := replay.NewPlayer(t.Context(), rec)
		if err != nil {
			t.Fatal(err)
		}
		now := at("2026-11-24 09:02:00")
		p.Speed = 3
		m := New(t.Context(), nil, Options{NoColor: true, Now: func() time.Time { return now },
			Open: &Opening{Player: p, Title: "demo.cast", Command: "hoop sessions replay --file demo.cast", From: 2 * time.Second, Zoomed: true, Alone: true}})
		r := &rig{t, m}
		r.send(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		m.Init()
		bar := func() bool { return strings.Contains(r.screen(), "/00:20") }
		if s := r.screen(); !strings.Contains(s, "日本語") || bar() != (size[1] > 16) {
			t.Errorf("at the start, bar %v:\n%s", bar(), s)
		}
		r.press("right")
		if !bar() || !strings.Contains(r.screen(), "00:07") {
			t.Errorf("after a key:\n%s", r.screen())
		}
		now = now.Add(time.Minute)
		if bar() != (size[1] > 16) {
			t.Errorf("after a while:\n%s", r.screen())
		}
		r.press("z")
		if s := r.screen(); !strings.Contains(s, "replay of demo.cast  exit 0") || m.command != "hoop sessions replay --file demo.cast --from 7s --speed 3 --idle 0" {
			t.Errorf("not zoomed:\n%s", s)
		}
		r.press("f", "t", "x", "e", "+")
		if s := r.screen(); m.screen != replaying || m.prompt != nil || !strings.Contains(s, "4x") {
			t.Errorf("keys that need a broker:\n%s", s)
		}
		_, cmd := m.Update(tea.KeyPressMsg{Code: 'q', Text: "q"})
		if _, quits := cmd().(tea.QuitMsg); !quits {
			t.Error("q does not end it")
		}
	}
}
