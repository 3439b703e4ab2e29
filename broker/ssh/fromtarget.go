package ssh

import (
	"context"
	"sync/atomic"

	gossh "golang.org/x/crypto/ssh"
)

// maxFromTarget is how many channels the target may have open at once.
const maxFromTarget = 100

// fromTarget serves the channels that the target opens: only what the client
// was allowed to ask for.
func (r *relay) fromTarget(ctx context.Context, channels <-chan gossh.NewChannel) error {
	var open atomic.Int64
	for n := range channels {
		x := r.expected(n)
		if x == nil || !x.counts(r) {
			_ = n.Reject(gossh.Prohibited, "nobody asked for this")
			continue
		}
		if open.Add(1) > maxFromTarget {
			open.Add(-1)
			_ = n.Reject(gossh.ResourceShortage, "too many channels")
			continue
		}
		r.spawn(func() error {
			defer open.Add(-1)
			return r.joinClient(ctx, n, x)
		})
	}
	return nil
}

// expected gives what a channel of the target belongs to, nil where the client
// did not ask for it.
func (r *relay) expected(n gossh.NewChannel) *standing {
	r.mu.Lock()
	defer r.mu.Unlock()
	var at listener
	var d direct
	var local forwardedLocal
	switch n.ChannelType() {
	case typeForwarded:
		if !read(n.ExtraData(), &d) {
			return nil
		}
		at.port = d.Port
	case typeForwardedLocal:
		if !read(n.ExtraData(), &local) {
			return nil
		}
		at.path = local.Path
	case typeForwardedAgent:
		return r.offers.agent
	case typeForwardedX11:
		return r.offers.x11
	default:
		return nil
	}
	return r.remotes.listening[at]
}

func (r *relay) joinClient(ctx context.Context, n gossh.NewChannel, x *standing) error {
	if r.front == nil || ctx.Err() != nil {
		return rejected(n.Reject(gossh.ConnectionFailed, "the client is gone"))
	}
	x.bytes.Add(r.join(n, r.front, r.introduction(n)).Bytes)
	return nil
}
