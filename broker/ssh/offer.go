package ssh

import (
	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
	"hoop/policy"
)

// offers are what the client offers to the target for as long as the session
// lasts. The relay's lock guards them.
type offers struct{ agent, x11 *standing }

// finish ends what was offered, when the session ends.
func (o *offers) finish(r *relay) {
	for _, x := range []*standing{o.agent, o.x11} {
		if x != nil {
			x.finish(r)
		}
	}
	*o = offers{}
}

// offerAgent offers the client's agent to the target: ssh -A.
func (c *channel) offerAgent(req *gossh.Request) error {
	return c.offer(req, &c.r.offers.agent, policy.SSHAgent, "agent forwarding")
}

// offerX11 offers the client's display, RFC 4254 §6.3.1. The cookie in it is
// the client's own and stays between it and the target.
func (c *channel) offerX11(req *gossh.Request) error {
	return c.offer(req, &c.r.offers.x11, policy.SSHX11, "X11 forwarding")
}

// offer has the target told of something that policy lets it use.
func (c *channel) offer(req *gossh.Request, slot **standing, verb, what string) error {
	a := &broker.Action{Holder: &holder{c: c}, Action: policy.Action{Verb: verb, Text: what, SSH: &policy.SSH{Login: c.r.login}}}
	t, err := c.r.s.Decide(c.ctx, a)
	if err != nil {
		c.say(refusalText(what, err)) // clients say nothing of it
		_ = req.Reply(false, nil)
		return nil
	}
	ok := false
	if up := c.open(req); up != nil {
		ok, err = up.SendRequest(req.Type, true, req.Payload)
		ok = ok && err == nil
		_ = req.Reply(ok, nil)
	}
	c.made(slot, &standing{action: a, ticket: t}, ok)
	return nil
}

// made keeps an offer that the target took. There is one of a sort: a target
// does not say which one it means.
func (c *channel) made(slot **standing, x *standing, ok bool) {
	c.r.mu.Lock()
	kept := ok && *slot == nil
	if kept {
		*slot = x
	}
	c.r.mu.Unlock()
	if !kept {
		result := outcome("ok", "")
		if !ok {
			result = outcome("error", "refused by the target")
		}
		c.r.s.Finish(x.ticket, result)
	}
}
