package cli

import (
	"hoop/tunnel"
)

// tunnelEvent tells a person that the network went and came back under a
// running session. An ordinary end is no news.
func (a *App) tunnelEvent(_ *tunnel.Stream, e tunnel.Event, err error) {
	switch e {
	case tunnel.Reconnecting:
		a.notef("reconnecting: %v", err)
	case tunnel.Resumed:
		a.notef("reconnected")
	case tunnel.Closed:
		if err != nil && a.verbose {
			a.notef("closed: %v", err)
		}
	}
}
