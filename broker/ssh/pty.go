package ssh

import gossh "golang.org/x/crypto/ssh"

// The size of a terminal whose client does not know it: 0 by 0 comes from
// expect and from ansible, and programs stumble over it.
const (
	defaultColumns = 80
	defaultRows    = 24
	maxSide        = 4096 // columns or rows; nobody's terminal is larger
)

// pty asks the target for a terminal. It runs nothing: what runs on it is
// decided with the terminal known. The reply cannot wait until then, since some
// clients ask for nothing else before they have it.
func (c *channel) pty(req *gossh.Request) error {
	var p ptyRequest
	if c.begun || c.term != nil || !read(req.Payload, &p) {
		_ = req.Reply(false, nil)
		return nil
	}
	p.Columns, p.Rows = size(p.Columns, p.Rows)
	up := c.open(req)
	if up == nil {
		return nil
	}
	ok, err := up.SendRequest(req.Type, true, gossh.Marshal(p))
	if ok = ok && err == nil; ok {
		c.term = &p
		c.stdin.terminal.Store(true)
	}
	_ = req.Reply(ok, nil)
	return nil
}

// resize tells the target the size of the terminal.
func (c *channel) resize(req *gossh.Request) error {
	var w windowChange
	if c.term == nil || !read(req.Payload, &w) {
		_ = req.Reply(false, nil)
		return nil
	}
	w.Columns, w.Rows = size(w.Columns, w.Rows)
	c.term.Columns, c.term.Rows, c.term.Width, c.term.Height = w.Columns, w.Rows, w.Width, w.Height
	if c.rec != nil {
		_ = c.rec.Resize(int(w.Columns), int(w.Rows)) // a failure ends the session by itself
	}
	req.Payload = gossh.Marshal(w)
	return c.pass(req)
}

func size(columns, rows uint32) (uint32, uint32) {
	if columns == 0 || rows == 0 {
		return defaultColumns, defaultRows
	}
	return min(columns, maxSide), min(rows, maxSide)
}
