package ssh

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
	"hoop/policy"
)

// serveDirect has the target connect to somewhere for the client: -L, -D and
// -W. RFC 4254 §7.2.
func (r *relay) serveDirect(ctx context.Context, n gossh.NewChannel) error {
	facts, text := directFacts(n)
	if facts == nil {
		return rejected(n.Reject(gossh.ConnectionFailed, "hoop: the request is malformed"))
	}
	facts.Login = r.login
	t, err := r.s.Decide(ctx, &broker.Action{Holder: &waiter{r: r, what: "hoop: a forward to " + oneLine(text)},
		Action: policy.Action{Verb: policy.SSHForwardLocal, Text: text, SSH: facts}})
	if err != nil {
		return rejected(n.Reject(gossh.Prohibited, forwardRefusal(err)))
	}
	up, err := r.target(ctx)
	if err != nil {
		r.s.Finish(t, outcome("error", "unavailable"))
		return rejected(n.Reject(gossh.ConnectionFailed, forwardRefusal(err)))
	}
	r.s.Finish(t, r.join(n, up.conn, n.ExtraData()))
	return nil
}

func directFacts(n gossh.NewChannel) (*policy.SSH, string) {
	var d direct
	var local directLocal
	switch {
	case len(n.ExtraData()) > maxConnPayload:
	case n.ChannelType() == typeDirect && read(n.ExtraData(), &d) && d.Port <= maxPort:
		return &policy.SSH{Host: d.Host, Port: int(d.Port)}, net.JoinHostPort(d.Host, strconv.Itoa(int(d.Port)))
	case n.ChannelType() == typeDirectLocal && read(n.ExtraData(), &local) && plainSocket(local.Path):
		return &policy.SSH{Path: local.Path}, local.Path
	}
	return nil, ""
}

// maxPort is the last one. Of larger numbers some servers take the lower bits, and
// old ones of OpenSSH take some for the sign that the host is a socket's path.
const maxPort = 1<<16 - 1

// plainSocket reports whether a path leads nowhere but where it reads. What .. does
// after a link cannot be asked of the target here.
func plainSocket(path string) bool {
	return path != "" && !strings.ContainsRune(path, 0) && !slices.Contains(strings.Split(path, "/"), "..")
}

// forwardRefusal fits into the one line that clients show.
func forwardRefusal(err error) string {
	text := "hoop: " + oneLine(err.Error())
	var d *broker.Denial
	if errors.As(err, &d) && d.Hint != "" {
		text += "; " + oneLine(d.Hint)
	}
	return text
}

// join opens a channel of the same sort on the other side and carries bytes
// until both ends are through.
func (r *relay) join(n gossh.NewChannel, other gossh.Conn, extra []byte) broker.Outcome {
	far, requests, err := other.OpenChannel(n.ChannelType(), extra)
	if err != nil {
		var refused *gossh.OpenChannelError
		if errors.As(err, &refused) {
			_ = n.Reject(refused.Reason, r.foreign(refused.Message))
		} else {
			_ = n.Reject(gossh.ConnectionFailed, "hoop: the other side is gone")
		}
		return outcome("error", "refused by the other side")
	}
	r.discard(requests)
	near, requests, err := n.Accept()
	if err != nil {
		_ = far.Close()
		return outcome("lost", "")
	}
	r.discard(requests)
	o := outcome("ok", "")
	o.Bytes = r.both(near, far)
	return o
}

// discard answers requests on a forward's channel, of which there are none, until
// it is closed.
func (r *relay) discard(requests <-chan *gossh.Request) {
	r.spawn(func() error {
		gossh.DiscardRequests(requests)
		return nil
	})
}

// both carries both directions, each to its own end of file, and gives the
// bytes that went to near.
func (r *relay) both(near, far gossh.Channel) int64 {
	down := &sink{w: near}
	var done sync.WaitGroup
	carry := func(dst gossh.Channel, pour func() error) {
		done.Go(func() {
			err := r.e.guard(r.s, pour)
			if err != nil {
				_ = near.Close()
				_ = far.Close()
				return
			}
			_ = dst.CloseWrite()
		})
	}
	carry(near, func() error { return r.e.buffers.pour(down, far) })
	carry(far, func() error { return r.e.buffers.pour(far, near) })
	done.Wait()
	_ = near.Close()
	_ = far.Close()
	return down.sent()
}
