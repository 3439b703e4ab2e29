package tunnel

import (
	"log/slog"
	"time"
)

const (
	window          = 4 << 20
	windowSuspended = 256 << 10 // what may be written while there is no link
	ackEvery        = 256 << 10
	ackDelay        = 50 * time.Millisecond
	pingEvery       = 15 * time.Second
	silentPings     = 3 // intervals without a sign of life until a link is dead
	probeTimeout    = 5 * time.Second
	sleepJump       = 10 * time.Second // how far the clock must jump to mean sleep
	closeTimeout    = 5 * time.Second
	dialTimeout     = 15 * time.Second

	// DefaultResumeWindow is how long a stream outlives its network connection.
	DefaultResumeWindow = 2 * time.Minute
)

// settings are what the streams of one Dialer or Server share. Tests shorten
// the times.
type settings struct {
	pool         buffers
	window       int
	ackEvery     int
	ackDelay     time.Duration
	pingEvery    time.Duration
	closeTimeout time.Duration
	resumeWindow time.Duration
	backoff      time.Duration
	log          *slog.Logger
	count        counters
}

func newSettings(resumeWindow time.Duration, log *slog.Logger) *settings {
	if resumeWindow == 0 {
		resumeWindow = DefaultResumeWindow
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &settings{
		window: window, ackEvery: ackEvery, ackDelay: ackDelay, pingEvery: pingEvery,
		closeTimeout: closeTimeout, resumeWindow: resumeWindow, backoff: firstBackoff, log: log,
	}
}
