package ssh

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"hoop/broker"
	"hoop/broker/approval"
)

// errInterrupted says that the client pressed Ctrl-C.
var errInterrupted = errors.New("interrupted")

// holder waits for people with one action of a channel.
type holder struct{ c *channel }

var _ broker.Holder = (*holder)(nil)

// Hold shows why it waits on the client's standard error. Other channels of the
// client go on meanwhile.
func (h *holder) Hold(ctx context.Context, notice string) error {
	waiting, withdraw := context.WithCancelCause(ctx)
	defer withdraw(nil)
	h.c.stdin.waits(withdraw)
	defer h.c.stdin.waits(nil)
	h.c.say(notice + "\n")
	tick := time.NewTicker(stillWaiting)
	defer tick.Stop()
	for {
		select {
		case <-waiting.Done():
			return h.ended(ctx, waiting)
		case <-h.c.ctx.Done():
			return h.ended(ctx, h.c.ctx)
		case <-tick.C:
			h.c.say("hoop: still waiting for an answer; Ctrl-C withdraws it\n")
		}
	}
}

// ended tells an answer from the end of the wish for one.
func (h *holder) ended(answered, waiting context.Context) error {
	cause := context.Cause(waiting)
	switch {
	case errors.Is(cause, errInterrupted), errors.Is(cause, errChannelClosed), errors.Is(cause, errClientGone):
		return broker.ErrWithdrawn
	case answered.Err() != nil:
		return nil
	}
	return cause
}

// Meaning is where a command would run and on what: all that it depends on
// besides its text, as far as the broker can tell.
func (h *holder) Meaning(ctx context.Context, _ *broker.Action) (approval.Meaning, error) {
	up, err := h.c.r.target(ctx)
	if err != nil {
		return approval.Meaning{}, err
	}
	m := h.c.r.meaning(up)
	for _, e := range h.c.env {
		m.Settings = append(m.Settings, "env "+e.Name+"="+e.Value)
	}
	if t := h.c.term; t != nil {
		m.Settings = append(m.Settings, "pty="+strconv.Quote(t.Term))
	}
	slices.Sort(m.Settings)
	return m, nil
}

// meaning is what every action of a session depends on.
func (r *relay) meaning(up *upstream) approval.Meaning {
	return approval.Meaning{Objects: []string{"host key " + up.hostKey}, Settings: []string{"login=" + r.login}}
}

// waiter waits for people where there is no channel to say so on. It has the
// client hear something now and then, so that it does not take the broker for
// dead.
type waiter struct {
	r    *relay
	what string
}

var _ broker.Holder = (*waiter)(nil)

// sign is how often a client that waits for an answer to a request is sent
// something.
const sign = 5 * time.Second

// Hold says it on a session channel if there is one.
func (w *waiter) Hold(ctx context.Context, notice string) error {
	w.r.mention(w.what + "\n" + notice + "\n")
	tick := time.NewTicker(sign)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errClientGone) {
				return broker.ErrWithdrawn
			}
			return nil
		case <-tick.C:
			if _, _, err := w.r.front.SendRequest("keepalive@openssh.com", false, nil); err != nil {
				return broker.ErrWithdrawn
			}
		}
	}
}

// Meaning is the login and the target.
func (w *waiter) Meaning(ctx context.Context, _ *broker.Action) (approval.Meaning, error) {
	up, err := w.r.target(ctx)
	if err != nil {
		return approval.Meaning{}, err
	}
	return w.r.meaning(up), nil
}
