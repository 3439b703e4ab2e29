package ssh

import (
	"sync/atomic"

	"hoop/broker"
	"hoop/policy"
)

// standing is an action under which the target may open channels to the client
// until it ends: a listener, the client's agent, its display.
type standing struct {
	action *broker.Action
	ticket *broker.Ticket
	bytes  atomic.Int64 // that went to the client
}

// counts reports whether the policy in force now would let it begin: what was
// revoked brings nothing new. People who had to be asked were, at its beginning.
func (x *standing) counts(r *relay) bool {
	return r.s.Preview(x.action).Effect != policy.Deny
}

func (x *standing) finish(r *relay) {
	o := outcome("ok", "")
	o.Bytes = x.bytes.Load()
	r.s.Finish(x.ticket, o)
}
