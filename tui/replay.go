package tui

import (
	"context"
	"fmt"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"hoop/broker/api"
	"hoop/recorder/replay"
	"hoop/recorder/terminal"
)

// Recorder is a Source that has recordings of terminals.
type Recorder interface {
	// Recordings lists those of a session, in time.
	Recordings(ctx context.Context, session string) ([]Recording, error)
	// Recording reads the one of an action.
	Recording(ctx context.Context, session string, action uint64) (*replay.Recording, error)
}

// Recording names one recording.
type Recording struct {
	Session string
	Action  uint64
	Live    bool // it is still being written
}

// showing is a recording on the screen and where in it the viewer is.
type showing struct {
	Recording
	others   []Recording // all of the session
	title    string
	player   *replay.Player
	from     screen // where q goes back to
	playing  bool
	follow   bool // what is being written is loaded again and again
	zoomed   bool
	frames   int       // counts the plays, so that the frames of an older one are known
	last     time.Time // of the latest frame
	barUntil time.Time // in the zoomed view, where it covers a row
	sought   string
	pattern  terminal.Pattern
	searches context.CancelFunc
}

const (
	// idle is how long a pause is shown at most, where that is on.
	idle  = 2 * time.Second
	leap  = 5 * time.Second
	frame = 33 * time.Millisecond
	// barTime is how long the bar stays after a key where it covers a row.
	barTime = 3 * time.Second
)

func speeds() []float64 { return []float64{0.25, 0.5, 1, 2, 4, 8, 16, 32} }

// What the commands of a replay deliver.
type (
	recordingMsg struct {
		Recording
		others []Recording
		from   screen
		player *replay.Player
		title  string
	}
	frameMsg struct {
		number int
		at     time.Time
	}
	foundMsg struct {
		player *replay.Player // whose time was searched from
		at     time.Duration
		found  bool
		err    error
	}
)

// fetchRecording loads one recording and goes through it.
func (m *Model) fetchRecording(r Recording, others []Recording, from screen, title string) tea.Msg {
	src, ok := m.src.(Recorder)
	if !ok {
		return failedMsg{fmt.Errorf("recordings cannot be had here"), false}
	}
	rec, err := src.Recording(m.ctx, r.Session, r.Action)
	if err != nil {
		return failedMsg{fmt.Errorf("the recording of session %s: %w", r.Session, err), false}
	}
	p, err := replay.NewPlayer(m.ctx, rec)
	if err != nil {
		return failedMsg{err, false}
	}
	r.Live = r.Live && rec.End == ""
	return recordingMsg{Recording: r, others: others, from: from, player: p, title: title}
}

// openRecording begins to load the recording that a session or an action has.
func (m *Model) openRecording(r Recording, others []Recording, from screen, title string) tea.Cmd {
	m.notice = "loading the recording…"
	m.command = "hoop sessions replay " + replayArgs(r, others)
	return func() tea.Msg { return m.fetchRecording(r, others, from, title) }
}

func replayArgs(r Recording, others []Recording) string {
	if len(others) <= 1 {
		return r.Session
	}
	return fmt.Sprintf("%s --action %d", r.Session, r.Action)
}

// recordingLoaded shows a recording that is new, or that has grown.
func (m *Model) recordingLoaded(msg recordingMsg) tea.Cmd {
	m.loaded()
	m.mergeActions(msg.player.Recording(), msg.Recording)
	if r := m.replay; r != nil && m.screen == replaying && r.Session == msg.Session && r.Action == msg.Action {
		msg.player.Speed, msg.player.Idle = r.player.Speed, r.player.Idle
		msg.player.SeekTo(r.player.At())
		if r.follow {
			msg.player.SeekTo(msg.player.Recording().Length)
		}
		r.player, r.Live = msg.player, msg.Live
		r.follow = r.follow && r.Live
		return nil
	}
	msg.player.Idle, msg.player.Speed = idle, 1
	m.screen, m.notice = replaying, ""
	m.replay = &showing{Recording: msg.Recording, others: msg.others, title: msg.title, player: msg.player, from: msg.from}
	return m.play(true)
}

// Opening is a recording that the program begins with.
type Opening struct {
	Recording // whose Session is "" where it is a file
	Player    *replay.Player
	Title     string
	Command   string             // that shows it, without options
	Detail    *api.SessionDetail // of the session; nil where unknown
	Others    []Recording        // all of the session
	From      time.Duration
	Follow    bool // from its end on, where it still grows
	Zoomed    bool // the terminal alone
	Alone     bool // leaving it ends the program
}

// open shows the recording to begin with. The player brings speed and pauses.
func (m *Model) open(o *Opening) {
	m.screen, m.detail, m.recorded, m.command = replaying, o.Detail, o.Others, o.Command
	m.replay = &showing{Recording: o.Recording, others: o.Others, title: o.Title, player: o.Player, from: sessions, zoomed: o.Zoomed, follow: o.Follow && o.Live}
	m.mergeActions(o.Player.Recording(), o.Recording)
	o.Player.SeekTo(o.From)
	if m.replay.follow {
		o.Player.SeekTo(o.Player.Recording().Length)
	}
}

// mergeActions marks what else the session did while it was recorded. The audit
// log knows that exactly.
func (m *Model) mergeActions(rec *replay.Recording, r Recording) {
	d := m.detail
	if d == nil || d.ID != r.Session || rec.Started.IsZero() {
		return
	}
	for i := range d.ActionList {
		x := &d.ActionList[i]
		if at := x.Time.Sub(rec.Started); x.Number != r.Action && at >= 0 && at <= rec.Length {
			rec.Marks = append(rec.Marks, replay.Mark{At: at, Text: m.actionText(x), Command: true})
		}
	}
	slices.SortStableFunc(rec.Marks, func(a, b replay.Mark) int { return int(a.At - b.At) })
}
