package ssh

import (
	"fmt"

	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
	"hoop/broker/ssh/ca"
)

// pin gives the channel a connection of its own to the target, whose
// certificate lets run the approved command and nothing else: the target itself
// refuses whatever differs from what people saw. The terminal and the variables
// that they saw too are made anew.
func (c *channel) pin(command string) error {
	up, err := c.r.dial(c.ctx, &ca.Login{Command: command, Forced: true, PTY: c.term != nil})
	if err != nil {
		return err
	}
	if first, err := c.r.target(c.ctx); err != nil || first.hostKey != up.hostKey {
		_ = up.conn.Close()
		return &broker.Denial{Code: broker.CodeDenied, Message: "what was approved is not what would run now: the target has another host key",
			Hint: "run it again to ask again"}
	}
	c.spawn(func() error { return answerTarget(up.requests) })
	c.spawn(func() error { return refuseChannels(up.channels) })
	if c.up != nil {
		_ = c.up.Close()
	}
	if err := c.openAt(up); err != nil {
		_ = up.conn.Close()
		return err
	}
	closed := c.status.closed
	c.spawn(func() error {
		<-closed
		_ = up.conn.Close()
		return nil
	})
	return c.repeat()
}

// repeat asks for the terminal and the variables that the channel had.
func (c *channel) repeat() error {
	if c.term != nil {
		if err := c.must("pty-req", gossh.Marshal(*c.term)); err != nil {
			return err
		}
	}
	for _, v := range c.env {
		if err := c.must("env", gossh.Marshal(v)); err != nil {
			return err
		}
	}
	return nil
}

// must sends a request that the target took once and has to take again.
func (c *channel) must(name string, payload []byte) error {
	ok, err := c.up.SendRequest(name, true, payload)
	if err == nil && ok {
		return nil
	}
	_ = c.up.Close()
	return &broker.Denial{Code: broker.CodeUnavailable, Message: fmt.Sprintf("the target refused %s for the approved command", name), Err: err}
}

// refuseChannels lets the target open nothing.
func refuseChannels(channels <-chan gossh.NewChannel) error {
	for n := range channels {
		_ = n.Reject(gossh.Prohibited, "nobody asked for this")
	}
	return nil
}
