package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"hoop/policy/lineage"
	"hoop/policy/sql"
)

// On a connection with labels the server tells, before a statement runs, how it
// understands it: as a message of level LOG in the answer to Parse or Query
// (debug_print_rewritten). These are for the broker; the client is shown only
// the messages of the level that it asked for.

// treeSettings make the server tell. They come with the startup packet, so that
// RESET and DISCARD ALL come back to them.
func treeSettings() map[string]string {
	return map[string]string{levelSetting: "log", "debug_print_rewritten": "on", "debug_pretty_print": "off"}
}

// rearmQuery is for after code that may have changed them.
const rearmQuery = "SELECT pg_catalog.concat(pg_catalog.set_config('client_min_messages', 'log', false), " +
	"pg_catalog.set_config('debug_print_rewritten', 'on', false), pg_catalog.set_config('debug_pretty_print', 'off', false))"

// levelSetting is what the client sets to be told less.
const levelSetting = "client_min_messages"

// treeOf gives the tree in a NoticeResponse. SQL cannot send one: what RAISE
// sends names another routine.
func treeOf(r *report) (string, bool) {
	if string(r.field('R')) != "elog_node_display" || string(r.field('M')) != "rewritten parse tree:" {
		return "", false
	}
	return string(r.field('D')), true
}

// treeKey is a tree without the place of its statement within the text.
func treeKey(tree string) string {
	if at := strings.LastIndex(tree, ":stmt_location"); at >= 0 {
		return tree[:at]
	}
	return tree
}

// trees has the target analyse a query. It does not run it, and an error is the
// one that the client would get.
func (c *requests) trees(query string, types []uint32) ([]string, error) {
	if err := c.drain(); err != nil {
		return nil, err
	}
	got := &capture{whole: true}
	simple := c.flow.buf[c.flow.pos] == typeQuery
	name := "" // a Query drops the unnamed statement anyway
	if !simple {
		name = "hoop reads " + rand.Text()
	}
	c.owe(typeParse, got)
	b := appendParse(nil, name, query, types)
	if simple {
		c.owe(typeSync, got)
		b = append(b, typeSync, 0, 0, 0, 4)
	} else {
		c.owe(typeClose, got)
		b = append(appendTarget(b, typeClose, subtypeStatement, name), typeFlush, 0, 0, 0, 4)
	}
	c.flow.put(b)
	if err := c.flow.flush(); err != nil {
		return nil, gone(err, errTargetGone)
	}
	if err := c.queue.await(c.queue.empty); err != nil {
		return nil, err
	}
	c.parsed = simple && got.err == nil
	return got.trees, got.err
}

func appendParse(dst []byte, name, query string, types []uint32) []byte {
	b, at := startFrame(dst, typeParse)
	b = append(append(append(append(b, name...), 0), query...), 0)
	b = append(b, byte(len(types)>>8), byte(len(types)))
	for _, t := range types {
		b = append(b, byte(t>>24), byte(t>>16), byte(t>>8), byte(t))
	}
	return endFrame(b, at)
}

// rearm makes the server tell, from now on or again.
func (c *requests) rearm() error {
	if err := c.drain(); err != nil {
		return err
	}
	c.up.armed.Store(true)
	_, err := c.ask(rearmQuery)
	return err
}

// told handles a tree: it belongs to what the target works on.
func (p *responses) told(ctx context.Context, tree string) error {
	e := p.current()
	switch {
	case e == nil:
	case e.capture != nil:
		e.capture.trees = append(e.capture.trees, tree)
	case e.direct:
		return p.planned(ctx, e, tree)
	case e.kind == typeParse && e.change != nil && e.change.statement != nil:
		p.queue.locked(func() { e.change.statement.trees = append(e.change.statement.trees, tree) })
	case e.kind == typeBind && e.change != nil && e.change.to != nil && e.change.to.of != nil:
		p.queue.locked(func() { e.change.to.of.plannedAgain(tree) })
	case e.kind == typeQuery:
		return p.runs(ctx, e, tree)
	case e.kind == typeExecute:
		if t := e.ticket(); t != nil && t.prepares != nil {
			t.told = append(t.told, tree)
		}
	}
	return nil
}

// plannedAgain keeps a tree that comes with Bind where it is not the one that
// Parse brought. It may also be that of a function that was inlined.
func (s *statement) plannedAgain(tree string) {
	const most = 64
	for _, known := range s.trees {
		if treeKey(known) == treeKey(tree) {
			return
		}
	}
	if s.again = append(s.again, tree); len(s.again) > most {
		s.again = s.again[1:]
	}
}

// runs compares the tree of a statement that runs now with the one that was
// judged before. The first is the statement's; those that follow are of code
// that it calls.
func (p *responses) runs(ctx context.Context, e *entry, tree string) error {
	t := e.ticket()
	if t == nil {
		return nil
	}
	t.told = append(t.told, tree)
	d := t.derived
	if d == nil || len(t.told) > 1 || d.tree == "" && !d.late || d.tree == treeKey(tree) {
		return nil
	}
	return p.resettle(ctx, e, t, tree, nil)
}

// followed finds the facts of a tree where nobody can be asked any more.
func (p *responses) followed(ctx context.Context, v *view, tree string) (*lineage.Facts, error) {
	snap, err := p.snapshot(ctx, v)
	if err != nil || snap == nil {
		return nil, &refusal{sqlstate: "58000", message: "what the statement reads cannot be followed", err: err}
	}
	f, err := snap.lineage.Analyse(tree, lineage.Return)
	if err == nil && len(f.Unknown) > 0 {
		if snap, err = v.catalog.newer(ctx, p.connect); err == nil {
			f, err = snap.lineage.Analyse(tree, lineage.Return)
		}
	}
	if err != nil {
		return nil, &refusal{sqlstate: "42501", message: "what the statement reads cannot be followed", err: err}
	}
	if f.PathBodies {
		return nil, &refusal{sqlstate: "42501", message: "the statement calls an SQL function whose names another search_path may resolve",
			hint: "send it again, by itself"}
	}
	return f, nil
}

// changedMeaning ends a session whose statement turned out to be another than
// the one that was judged. Nothing of its result was shown.
func changedMeaning(v lineage.Verdict) error {
	return &refusal{sqlstate: "42501", message: "denied: the statement came to mean something else before it ran: " + v.Reason,
		hint: "send the statements one by one"}
}

// prepared gives what a PREPARE that is complete stands for: its own tree comes
// first, then that of the statement inside.
func (p *responses) preparedAs(ctx context.Context, e *entry, t *ticket) *derivation {
	if t.derived == nil || t.derived.made == nil {
		return nil
	}
	if len(t.told) < 2 {
		return opaqueRows()
	}
	f, err := p.followed(ctx, e.view, t.told[len(t.told)-1])
	if err != nil {
		return opaqueRows()
	}
	return &derivation{of: []*lineage.Facts{f}}
}

// levels are those of client_min_messages, from the most to the least
// talkative. INFO is shown whatever the level.
var levels = [...]string{"debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"}

func levelOf(word string) (int32, bool) {
	word = strings.ToLower(word)
	if word == "debug" {
		word = "debug2"
	}
	for i, l := range levels {
		if l == word {
			return int32(i), true
		}
	}
	return 0, false
}

// audible reports whether the client asked for messages as severe as this.
func (p *responses) audible(severity []byte) bool {
	if !p.up.armed.Load() || bytes.Equal(severity, []byte("INFO")) {
		return true
	}
	level, ok := levelOf(string(severity))
	return !ok || level >= p.up.level.Load()
}

// quieted gives the text to send for statements some of which set how much the
// client is told.
func (c *requests) quieted(parts []sql.Statement) (string, bool) {
	if !c.up.armed.Load() {
		return "", false
	}
	var b strings.Builder
	changed := false
	for i := range parts {
		f := parts[i].Facts
		if with, ok := c.quiet(parts[i].Text, f.Kind, f.Settings); ok {
			changed = true
			b.WriteString(with)
			if i < len(parts)-1 {
				b.WriteByte(';')
			}
			continue
		}
		b.WriteString(parts[i].Text)
	}
	return b.String(), changed
}

// quiet gives the text that stands for one in which the client sets how much it
// is told, which is remembered here: the server goes on telling the broker.
func (c *requests) quiet(text string, kind string, settings []string) (string, bool) {
	if !c.up.armed.Load() || len(settings) == 0 {
		return "", false
	}
	switch {
	case kind == "set" && settings[0] == levelSetting:
		m := setOne.FindStringSubmatch(text)
		if m == nil {
			return "", false
		}
		level, ok := levelOf(m[2])
		if !ok && strings.EqualFold(m[2], "default") {
			level, ok = c.up.atStart, true
		}
		if !ok {
			return "", false // the server says what is wrong with it
		}
		c.up.level.Store(level)
		return fmt.Sprintf("SET %s = log", levelSetting), true
	case kind == "reset" && (settings[0] == levelSetting || settings[0] == "all"), kind == "discard" && settings[0] == "all":
		c.up.level.Store(c.up.atStart)
	}
	return "", false
}
