package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"

	"hoop/broker/api"
	"hoop/tunnel"
)

// listen keeps a listener and tells how to use it. To be interrupted is its
// ordinary end.
func (a *App) listen(ctx context.Context, c *api.Client, conn *api.Connection, o *connectOptions) error {
	if err := checkFormat(conn, o.format); err != nil {
		return err
	}
	tell := a.listenEvents(conn.Name, o.format)
	d, err := a.openDoor(c, conn, doorOptions{port: o.port, dir: o.socket, unchecked: o.unchecked, why: o.why,
		events: func(event, reason string) { tell(event, reason, nil) }})
	if err != nil {
		return err
	}
	if text := d.caution(); text != "" {
		a.notef("%s: %s", conn.Name, text)
	}
	c.Dialer.Notify = func(_ *tunnel.Stream, e tunnel.Event, err error) {
		switch {
		case e == tunnel.Closed:
		case err != nil:
			tell(string(e), err.Error(), nil)
		default:
			tell(string(e), "", nil)
		}
	}
	if conn.Protocol == "ssh" {
		files, err := a.sshFiles(ctx, c)
		if err != nil {
			d.close()
			return err
		}
		d.knownHosts = files.KnownHostsPath()
	}
	tell("ready", "", d.speaks.ready(d))
	if err := a.printDoor(d, o.format); err != nil {
		d.close()
		return err
	}
	d.serve(ctx)
	if cause := context.Cause(ctx); errors.Is(cause, errTimeout) {
		tell("closed", "timeout", nil)
		return errTimeout
	}
	tell("closed", "interrupted", nil)
	return nil
}

// listenEvents tells what becomes of a listener: as one JSON object a line, or
// to people, who get to see by themselves that it is ready.
func (a *App) listenEvents(name, format string) func(event, reason string, more map[string]any) {
	var mu sync.Mutex
	return func(event, reason string, more map[string]any) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case format == "json":
			line := map[string]any{"v": 1, "event": event, "name": name}
			if reason != "" {
				line["reason"] = reason
			}
			maps.Copy(line, more)
			_ = json.NewEncoder(a.Out).Encode(line)
		case event != "ready" && reason != "":
			a.notef("%s: %s: %s", name, event, reason)
		case event != "ready":
			a.notef("%s: %s", name, event)
		}
	}
}

func (a *App) printDoor(d *door, format string) error {
	var text string
	switch format {
	case "json":
		return nil
	case "env":
		text = d.exports()
	case "uri":
		text = d.speaks.uri(d) + "\n"
	case "text":
		text = fmt.Sprintf("%s  %s  ready\n%s  close       Ctrl-C\n", d.conn.Name, d.conn.Protocol, d.speaks.text(d))
	default:
		text = d.speaks.other[format](d)
	}
	if _, err := fmt.Fprint(a.Out, text); err != nil {
		return fmt.Errorf("print how to use the listener: %w", err)
	}
	if out, ok := a.Out.(*os.File); ok && format != "text" && !isTerminal(out) {
		_ = out.Close() // "$(hoop connect … &)" ends here, and the listener goes on
	}
	return nil
}

// exports is for eval in a POSIX shell.
func (d *door) exports() string {
	var b strings.Builder
	for _, v := range append(d.speaks.env(d), fmt.Sprintf("HOOP_PID=%d", os.Getpid())) {
		name, value, _ := strings.Cut(v, "=")
		fmt.Fprintf(&b, "export %s=%s\n", name, shellQuote(value))
	}
	return b.String()
}

// shellQuote quotes a word for a POSIX shell.
func shellQuote(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,", r)
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
