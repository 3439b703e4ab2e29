package cli

import (
	"context"
	"io"
	"maps"
	"net"
	"slices"
	"strings"

	"hoop/broker/api"
)

// protocol is what the client's side has to know of one protocol.
type protocol struct {
	socket string // the name of a unix socket in its folder
	// refuse tells a client, as the protocol has it, why it gets nothing, and
	// closes c.
	refuse func(c net.Conn, f *failure)
	tap    func(to net.Conn) tap
	// env, uri, ready and text say how to use a door: to a program, in one word,
	// in the event that says so, to a person. other are further formats.
	env   func(d *door) []string
	uri   func(d *door) string
	ready func(d *door) map[string]any
	text  func(d *door) string
	other map[string]func(d *door) string
	// run runs a program with the connection at hand, or the usual client.
	run func(a *App, ctx context.Context, c *api.Client, conn *api.Connection, o *connectOptions) error
	use func(name string) string // the command that opens a connection
}

// tap stands before a client.
type tap interface {
	io.Writer
	// end tells the client why its session ended, where the protocol has words
	// for that and the bytes before let it. It reports whether it did.
	end(reason string) bool
}

// protocolOf gives what is known of a protocol, nil for nothing.
func protocolOf(name string) *protocol {
	switch name {
	case "postgres":
		return postgresProtocol()
	case "ssh":
		return sshProtocol()
	default:
		return nil
	}
}

// checkFormat refuses a format that the connection's protocol does not have.
func checkFormat(conn *api.Connection, format string) error {
	p := protocolOf(conn.Protocol)
	known := append([]string{"text", "env", "uri", "json"}, slices.Sorted(maps.Keys(p.other))...)
	if !slices.Contains(known, format) {
		return usagef("--format %q is none of %s", format, strings.Join(known, ", "))
	}
	return nil
}
