package postgres

import (
	"slices"
)

// Code that nobody can follow may close a cursor or a prepared statement and
// give its name to another. After it ran, names mean nothing any more until
// they are given anew, or the target says who gave them.

// blind reports whether a statement may run such code.
func (d *derivation) blind(kind string) bool {
	if d == nil {
		return false
	}
	if d.late && d.likely == nil { // what it calls is told only when it runs
		return true
	}
	if kind == "do" || kind == "call" || d.hidden && kind == "execute" {
		return true
	}
	for _, f := range d.of {
		if f.Blind {
			return true
		}
	}
	return false
}

// confuse forgets what names stand for, before a statement is sent that may
// change it. Those that Parse made are asked for at the next Bind.
func (c *requests) confuse(kind string, d *derivation) {
	if !d.blind(kind) {
		return
	}
	c.confused = true
	c.queue.locked(func() {
		n := &c.queue.names
		clear(n.derivedSQL)
		clear(n.cursors)
		clear(n.inSQL)
		clear(n.claimed)
		for name := range n.portals {
			if name != "" {
				n.forget(true, name)
			}
		}
	})
}

// surely forgets the prepared statements whose names the target has from SQL.
func (c *requests) surely(name string) error {
	if !c.confused || name == "" {
		return nil
	}
	if err := c.drain(); err != nil {
		return err
	}
	fromSQL, err := c.ask("SELECT name FROM pg_catalog.pg_prepared_statements WHERE from_sql")
	if fatal(err) {
		return err
	}
	if err != nil { // in a failed transaction, where the Bind fails too
		c.queue.locked(func() { c.queue.names.forget(false, name) })
		return nil
	}
	c.confused = false
	c.queue.locked(func() {
		for known := range c.queue.names.statements {
			if slices.Contains(fromSQL, known) {
				c.queue.names.forget(false, known)
			}
		}
	})
	return nil
}
