package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"hoop/broker/api"
	"hoop/tunnel"
)

// listen keeps a listener and tells how to use it.
func (a *App) listen(ctx context.Context, c *api.Client, conn *api.Connection, o *connectOptions) error {
	var mu sync.Mutex
	event := func(name, reason string, more map[string]any) {
		if o.format != "json" {
			if name != "ready" {
				a.notef("%s: %s %s", conn.Name, name, reason)
			}
			return
		}
		line := map[string]any{"v": 1, "event": name, "name": conn.Name}
		if reason != "" {
			line["reason"] = reason
		}
		for k, v := range more {
			line[k] = v
		}
		mu.Lock()
		defer mu.Unlock()
		_ = json.NewEncoder(a.Out).Encode(line)
	}
	d, err := a.openDoor(c, conn, doorOptions{port: o.port, dir: o.socket,
		events: func(name, reason string) { event(name, reason, nil) }})
	if err != nil {
		return err
	}
	c.Dialer.Notify = func(_ *tunnel.Stream, e tunnel.Event, err error) {
		if reason := ""; e != tunnel.Closed {
			if err != nil {
				reason = err.Error()
			}
			event(string(e), reason, nil)
		}
	}
	event("ready", "", d.ready())
	if err := a.printDoor(d, o.format); err != nil {
		d.close()
		return err
	}
	d.serve(ctx)
	event("closed", "interrupted", nil)
	if context.Cause(ctx) == errTimeout {
		return errTimeout
	}
	return nil
}

// ready is the content of the event that says so.
func (d *door) ready() map[string]any {
	return map[string]any{"host": "127.0.0.1", "port": d.port, "socket_dir": d.dir, "user": d.conn.User,
		"database": d.conn.Database, "uri": d.uri()}
}

func (a *App) printDoor(d *door, format string) error {
	var text string
	switch format {
	case "json":
		return nil
	case "env":
		for _, v := range d.env() {
			k, v, _ := strings.Cut(v, "=")
			text += "export " + k + "=" + shellQuote(v) + "\n"
		}
	case "uri":
		text = d.uri() + "\n"
	case "service":
		text = fmt.Sprintf("[%s]\nhost=%s\nport=%s\nuser=%s\ndbname=%s\nsslmode=disable\n", d.conn.Name, d.host(), d.hostPort(), d.conn.User, d.conn.Database)
	default:
		text = fmt.Sprintf("%s  postgres  ready\n  psql        psql %s\n  socket      psql -h %s\n  close       Ctrl-C\n", d.conn.Name, shellQuote(d.uri()), d.dir)
	}
	_, err := fmt.Fprint(a.Out, text)
	return err
}

// host is what libpq should connect to: the unix socket where there is one.
func (d *door) host() string {
	if d.dir != "" {
		return d.dir
	}
	return "127.0.0.1"
}

func (d *door) hostPort() string {
	if d.dir != "" {
		return "5432"
	}
	return fmt.Sprint(d.port)
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
