// Package tui is hoop's screen in the terminal: approvals to answer, sessions
// to follow, what a session did, in time, and recordings to replay.
//
// # Scope
//
// It shows and asks. It reaches a broker only through Source, decides nothing,
// and never shows what somebody else wrote in a way that could move the cursor
// or change a colour; a recording is drawn anew, within its part of the screen,
// from what a terminal makes of its bytes. Nothing it waits for stops the screen.
package tui

import (
	"context"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"

	"hoop/broker/api"
)

// Source is where the screen gets what it shows and sends what it is told.
type Source interface {
	Approvals(ctx context.Context, state string) ([]api.Approval, error)
	// Answer answers an approval as it was shown.
	Answer(ctx context.Context, a *api.Approval, decision, comment string, grant time.Duration) error
	Sessions(ctx context.Context, live bool, connection, principal string, limit int) ([]api.Session, error)
	Session(ctx context.Context, id string) (*api.SessionDetail, error)
	EndSession(ctx context.Context, id, reason string) error
}

// Watcher is a Source that tells of changes as they happen. The function runs
// for each; the call returns when the stream ends.
type Watcher interface {
	WatchApprovals(ctx context.Context, changed func(api.ApprovalEvent)) error
}

// Options says how to run.
type Options struct {
	In      io.Reader
	Out     io.Writer
	Me      string // who is signed in, for the heading
	Broker  string
	NoColor bool
	Now     func() time.Time
	// Start is the first screen: "approvals" or "sessions".
	Start string
	// Open is a recording to begin with instead; nil for none.
	Open *Opening
}

// Run shows the screen until the person leaves it or ctx ends. Where all that is
// shown is a file, src is nil.
func Run(ctx context.Context, src Source, o Options) error {
	m := New(ctx, src, o)
	// Signals end ctx, so that the caller knows which one it was.
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithoutSignalHandler())
	watching, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		watch(watching, src, p.Send)
	}()
	_, err := p.Run()
	stop()
	<-done
	return err
}

// screen is what fills the terminal.
type screen uint8

const (
	approvals screen = iota
	sessions
	timeline
	replaying
)

// Model is the state of the screen. It follows bubbletea's contract: Update
// changes it, View draws it, commands do what takes time.
type Model struct {
	ctx  context.Context //nolint:containedctx // of the commands, which have no other
	src  Source
	opts Options
	look look

	width, height int
	screen        screen
	now           time.Time

	approvals []api.Approval
	sessions  []api.Session
	detail    *api.SessionDetail
	recorded  []Recording // of that session
	replay    *showing
	frames    int
	selected  map[screen]int
	filter    map[screen]string
	scroll    int
	read      map[string]bool // approvals whose text was seen to its end
	slowFirst bool
	follow    bool // the latest statement of a timeline stays chosen

	prompt  *prompt
	help    bool
	loading bool
	offline error
	notice  string // what just happened
	command string // the command that does the same
}

// New makes the first state.
func New(ctx context.Context, src Source, o Options) *Model {
	if o.Now == nil {
		o.Now = time.Now
	}
	m := &Model{ctx: ctx, src: src, opts: o, look: newLook(o.NoColor), width: 80, height: 24, now: o.Now(),
		selected: map[screen]int{}, filter: map[screen]string{}, read: map[string]bool{}}
	if o.Start == "sessions" {
		m.screen = sessions
	}
	if o.Open != nil {
		m.open(o.Open)
	}
	return m
}

// Init loads what the first screen shows and starts the clock.
func (m *Model) Init() tea.Cmd {
	if m.opts.Open != nil {
		return tea.Batch(tick(), m.play(!m.replay.follow))
	}
	return tea.Batch(m.load(), tick())
}

// View draws the whole terminal.
func (m *Model) View() tea.View {
	v := tea.NewView(m.draw())
	v.AltScreen = true
	v.WindowTitle = "hoop"
	return v
}
