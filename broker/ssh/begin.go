package ssh

import (
	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
	"hoop/policy"
	"hoop/policy/shell"
)

// begin runs a command, a shell or a subsystem, where policy lets it.
func (c *channel) begin(req *gossh.Request) error {
	a, what := c.action(req)
	if a == nil || c.begun { // RFC 4254 §6.5: only one of them can succeed
		_ = req.Reply(false, nil)
		return nil
	}
	t, err := c.r.s.Decide(c.ctx, a)
	if err != nil {
		c.refuse(req, what, err)
		return nil
	}
	if err := c.start(req, a, t); err != nil {
		c.r.s.Finish(t, outcome("error", "not started"))
		c.refuse(req, what, err)
	}
	return nil
}

// start runs what was allowed. Its error means that nothing runs, and that the
// client has not been told.
func (c *channel) start(req *gossh.Request, a *broker.Action, t *broker.Ticket) error {
	p, d, err := c.prepare(a, t)
	if err != nil {
		return err
	}
	ok, err := c.ask(req, a, t)
	if err != nil {
		p.close(outcome("error", "not started"))
		return err
	}
	if !ok {
		p.close(outcome("error", "refused by the target"))
		c.r.s.Finish(t, outcome("error", "refused by the target"))
		_ = req.Reply(false, nil)
		return nil
	}
	c.begun, c.rec = true, p.rec
	_ = req.Reply(true, nil)
	p.run(a.Verb == policy.SSHSFTP, d)
	return nil
}

// ask has the target run it. It reports whether the target did.
func (c *channel) ask(req *gossh.Request, a *broker.Action, t *broker.Ticket) (bool, error) {
	if t.Approved && a.Verb == policy.SSHExec && c.r.secret.Kind == broker.SSHCA {
		if err := c.pin(a.Text); err != nil {
			return false, err
		}
		c.begun = true // its certificate is for nothing else
	}
	if err := c.reach(); err != nil {
		return false, err
	}
	ok, err := c.up.SendRequest(req.Type, true, req.Payload)
	if err != nil {
		return false, &broker.Denial{Code: broker.CodeUnavailable, Message: "the target closed the channel", Err: err}
	}
	return ok, nil
}

// action words a request for policy and record, and says what it is to a
// person. Nil where it is malformed.
func (c *channel) action(req *gossh.Request) (*broker.Action, string) {
	facts := &policy.SSH{Login: c.r.login, PTY: c.term != nil}
	a := &broker.Action{Action: policy.Action{SSH: facts}, Holder: &holder{c: c}}
	if req.Type == "shell" {
		if len(req.Payload) > 0 {
			return nil, ""
		}
		a.Verb = policy.SSHShell
		return a, "shell"
	}
	var e execRequest
	if !read(req.Payload, &e) {
		return nil, ""
	}
	a.Text = e.Command
	switch {
	case req.Type == "exec":
		a.Verb = policy.SSHExec
		shell.Describe(e.Command, facts)
		return a, "command"
	case e.Command == "sftp":
		a.Verb, facts.Name = policy.SSHSFTP, e.Command
		return a, "sftp"
	}
	a.Verb, facts.Name = policy.SSHSubsystem, e.Command
	return a, "subsystem"
}
