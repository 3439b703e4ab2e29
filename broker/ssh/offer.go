package ssh

import (
	"sync/atomic"

	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
	"hoop/policy"
)

// offer is something of the client's that the target may use for as long as
// the session lasts.
type offer struct {
	ticket *broker.Ticket
	bytes  atomic.Int64
}

// offers are what the client offers. The relay's lock guards them.
type offers struct{ agent, x11 *offer }

func (o *offer) counter() *atomic.Int64 {
	if o == nil {
		return nil
	}
	return &o.bytes
}

// finish ends what was offered, when the session ends.
func (o *offers) finish(r *relay) {
	for _, x := range []*offer{o.agent, o.x11} {
		if x != nil {
			end := outcome("ok", "")
			end.Bytes = x.bytes.Load()
			r.s.Finish(x.ticket, end)
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
func (c *channel) offer(req *gossh.Request, slot **offer, verb, what string) error {
	t, err := c.r.s.Decide(c.ctx, &broker.Action{Holder: &holder{c: c},
		Action: policy.Action{Verb: verb, Text: what, SSH: &policy.SSH{Login: c.r.login}}})
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
	c.made(slot, t, ok)
	return nil
}

// made keeps an offer that the target took. There is one of a sort: a target
// does not say which one it means.
func (c *channel) made(slot **offer, t *broker.Ticket, ok bool) {
	c.r.mu.Lock()
	kept := ok && *slot == nil
	if kept {
		*slot = &offer{ticket: t}
	}
	c.r.mu.Unlock()
	if !kept {
		result := outcome("ok", "")
		if !ok {
			result = outcome("error", "refused by the target")
		}
		c.r.s.Finish(t, result)
	}
}
