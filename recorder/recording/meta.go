package recording

import (
	"time"

	"hoop/policy"
)

// Meta describes a recording from its start.
type Meta struct {
	Session    string       `json:"session"` // letters, digits, - and _
	Action     uint64       `json:"action"`  // its number within the session
	Connection string       `json:"connection,omitempty"`
	Protocol   string       `json:"protocol,omitempty"`
	Principal  string       `json:"principal,omitempty"`
	Chain      policy.Chain `json:"chain,omitempty"`
	Verb       string       `json:"verb,omitempty"`
	// PTY tells that there is a terminal: keys are typed and lines are edited.
	// Without one there is no input, and no command is derived.
	PTY   bool      `json:"pty,omitempty"`
	Start time.Time `json:"start"`

	Command string `json:"-"` // what was asked to run; "" for a shell
	Term    string `json:"-"` // terminal type, such as xterm-256color
	// Cols and Rows are the terminal's size; 80 and 24 where zero.
	Cols int `json:"-"`
	Rows int `json:"-"`
	// Cap bounds the output that is kept, in bytes; 0 for all of it. What is
	// beyond is counted.
	Cap int64 `json:"cap,omitempty"`
}

// Name is the recording's file name.
func (m *Meta) Name() string { return fileName(m.Session, m.Action) }

// title is what a list of players shows.
func (m *Meta) title() string {
	if m.Chain == nil && m.Connection == "" {
		return ""
	}
	who := m.Chain.String()
	if who == "" {
		who = m.Principal
	}
	return who + " → " + m.Connection
}

// Summary is what a finished recording comes to.
type Summary struct {
	Bytes    int64         // of the file
	SHA256   string        // of the file, in hexadecimal
	Output   int64         // bytes of output, as shown, with those that are not kept
	Shown    string        // SHA-256 of the output as shown, up to Meta.Cap, in hexadecimal
	Omitted  int64         // bytes of output beyond Meta.Cap
	Duration time.Duration // from start to end
	Events   int64
	Commands int // derived
}

// Truncated tells whether output is missing.
func (s *Summary) Truncated() bool { return s.Omitted > 0 }

// Chunk is a run of a recording's bytes, all of which are in the file.
type Chunk struct {
	Offset, Length int64
	SHA256         string // in hexadecimal
}

// Command is a line that was typed into a shell, as far as the screen tells.
// Whoever can print to the screen can make one up.
type Command struct {
	Time    time.Duration `json:"-"` // since the start, when it was entered
	Text    string        `json:"command"`
	Derived bool          `json:"derived"` // always: nothing else knows what a shell ran
	// Marks is set where the shell itself told, by OSC 133, where its command
	// begins and ends.
	Marks bool `json:"marks,omitempty"`
	Exit  *int `json:"exit,omitempty"` // where the shell told
}

// Hooks are called while a recording is written, by one goroutine at a time
// and must not call the writer. All may be nil.
type Hooks struct {
	// OnError is told once that the recording cannot go on. Its session must
	// not either.
	OnError func(error)
	// OnChunk gets the hash of what came into the file, at most once in
	// ChunkEvery.
	OnChunk func(Chunk)
	// OnCommand gets each command that was derived, within a second.
	OnCommand func(Command)
	// OnClose gets what it came to; the error is the one of Close.
	OnClose func(Summary, error)
}

// ChunkEvery is how often chunks are told while a recording grows.
const ChunkEvery = 10 * time.Second
