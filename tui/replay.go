package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
