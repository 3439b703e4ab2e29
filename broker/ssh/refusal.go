package ssh

import (
	"errors"
	"strings"

	"hoop/broker"
)

// The exit statuses of what did not run: those of a shell that may not run a
// command, and of ssh where something failed on the way.
const (
	exitDenied    = 126
	exitFailed    = 255
	exitWithdrawn = 130
)

// refusalText says what was refused, why and what to do, a line each.
func refusalText(what string, err error) string {
	text := err.Error()
	var d *broker.Denial
	isDenial := errors.As(err, &d)
	switch {
	case what == "":
	case isDenial && strings.HasPrefix(text, "denied"):
		text = what + " " + text
	default:
		text = what + " refused: " + text
	}
	lines := []string{"hoop: " + oneLine(text)}
	if isDenial && d.Hint != "" {
		lines = append(lines, "hoop: "+oneLine(d.Hint))
	}
	return strings.Join(lines, "\n") + "\n"
}

// oneLine makes a text fit for a terminal: what people wrote elsewhere must not
// move its cursor.
func oneLine(text string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return ' '
		}
		return c
	}, text)
}

// refusalStatus is the exit status that goes with a refusal.
func refusalStatus(err error) uint32 {
	var d *broker.Denial
	switch {
	case !errors.As(err, &d):
		return exitFailed
	case d.Code == broker.CodeWithdrawn:
		return exitWithdrawn
	case d.Code == broker.CodeUnavailable:
		return exitFailed
	}
	return exitDenied
}
