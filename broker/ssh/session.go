package ssh

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"

	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
	"hoop/recorder/recording"
)

// channel is a session channel, RFC 4254 §6: one program at the target.
type channel struct {
	r      *relay
	ch     gossh.Channel   // the client's
	ctx    context.Context //nolint:containedctx // ends with the channel
	cancel context.CancelCauseFunc
	group  sync.WaitGroup

	session context.Context //nolint:containedctx // ends with the client's connection

	// pending are the client's requests. They are taken off the wire at once:
	// x/crypto stands still for a whole connection while one waits.
	pending chan *gossh.Request
	stdin   *stdin
	out     sink
	errs    sink

	// What follows is the request loop's.
	term     *ptyRequest // nil without a terminal
	env      []setenv    // as they were allowed
	envBytes int
	begun    bool // there was an exec, shell or subsystem
	rec      *recording.Writer
	up       gossh.Channel // the target's
	status   *status       // of up
}

// maxPending is how many requests of one channel may wait, and maxQueued how many
// bytes of them in all channels of a session: each may have a quarter of a megabyte.
const (
	maxPending = 256
	maxQueued  = 4 << 20
)

// cause says why the channel ended, nil while it did not. The session's end
// comes first: what it closes may end before the channel's context does.
func (c *channel) cause() error {
	if err := context.Cause(c.session); err != nil {
		return err
	}
	return context.Cause(c.ctx)
}

// errChannelClosed says that the client closed a channel.
var errChannelClosed = errors.New("the client closed the channel")

// serveSession accepts at once, which saves a round trip: the target's channel
// is opened when the first request needs it.
func (r *relay) serveSession(ctx context.Context, n gossh.NewChannel) error {
	r.mu.Lock()
	noMore := r.noMore && r.begun
	r.begun = true
	r.mu.Unlock()
	if noMore {
		return rejected(n.Reject(gossh.Prohibited, "hoop: the client said that no more sessions come"))
	}
	ch, requests, err := n.Accept()
	if err != nil {
		return nil
	}
	c := &channel{r: r, ch: bulkChannel{ch, r.below}, pending: make(chan *gossh.Request, maxPending)}
	c.session = ctx
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	defer c.cancel(nil)
	c.out.w, c.errs.w = c.ch, ch.Stderr()
	c.stdin = newStdin(c)
	r.add(c)
	defer r.remove(c)
	c.spawn(func() error { return c.receive(requests) })
	c.spawn(c.stdin.take)
	if err := r.e.guard(r.s, c.serve); err != nil {
		r.cancel(err)
	}
	c.group.Wait()
	return nil
}

// serve answers requests until the client closes the channel.
func (c *channel) serve() error {
	for req := range c.pending {
		size := int64(len(req.Payload))
		if err := c.handle(req); err != nil {
			return err
		}
		c.r.queued.Add(-size)
	}
	return nil
}

// queue keeps a request until those before it are answered; false where there
// are too many.
func (c *channel) queue(req *gossh.Request) bool {
	size := int64(len(req.Payload))
	if c.r.queued.Add(size) <= maxQueued {
		select {
		case c.pending <- req:
			return true
		default:
		}
	}
	c.r.queued.Add(-size)
	return false
}

// spawn runs f for the channel, which waits for it.
func (c *channel) spawn(f func() error) {
	c.group.Go(func() {
		if err := c.r.e.guard(c.r.s, f); err != nil {
			c.r.cancel(err)
		}
	})
}

// receive queues requests until the client closes the channel or is gone.
func (c *channel) receive(requests <-chan *gossh.Request) error {
	defer close(c.pending)
	defer c.cancel(errChannelClosed)
	for req := range requests {
		if req.Type == "signal" && c.stdin.interrupt() {
			continue
		}
		if !c.queue(req) {
			_ = req.Reply(false, nil)
		}
	}
	return nil
}

// handle answers one request. An error ends the session.
func (c *channel) handle(req *gossh.Request) error {
	switch req.Type {
	case "pty-req":
		return c.pty(req)
	case "env":
		return c.setenv(req)
	case "exec", "shell", "subsystem":
		return c.begin(req)
	case "window-change":
		return c.resize(req)
	case "signal", "break", "eow@openssh.com":
		return c.pass(req)
	case "auth-agent-req@openssh.com":
		return c.offerAgent(req)
	case "x11-req":
		return c.offerX11(req)
	case "keepalive@openssh.com":
		_ = req.Reply(false, nil)
		return nil
	}
	_ = c.r.unknown(c.ctx, "request "+req.Type)
	_ = req.Reply(false, nil)
	return nil
}

// pass forwards a request that acts on a program that was allowed, and answers
// with the target's own reply.
func (c *channel) pass(req *gossh.Request) error {
	if c.up == nil {
		_ = req.Reply(false, nil)
		return nil
	}
	ok, err := c.up.SendRequest(req.Type, req.WantReply, req.Payload)
	_ = req.Reply(ok && err == nil, nil)
	return nil
}

// reach opens the target's side of the channel, once.
func (c *channel) reach() error {
	if c.up != nil {
		return nil
	}
	up, err := c.r.target(c.ctx)
	if err != nil {
		return err
	}
	return c.openAt(up)
}

// open gives the target's side of the channel. Where there is none the client
// has been told, and the channel ends.
func (c *channel) open(req *gossh.Request) gossh.Channel {
	if err := c.reach(); err != nil {
		c.refuse(req, req.Type, err)
		return nil
	}
	return c.up
}

// openAt opens the channel at the target.
func (c *channel) openAt(up *upstream) error {
	ch, requests, err := up.conn.OpenChannel(typeSession, nil)
	if err != nil {
		return &broker.Denial{Code: broker.CodeUnavailable, Message: "the target opens no session: " + c.r.foreign(err.Error()), Err: err}
	}
	st := &status{closed: make(chan struct{})}
	c.up, c.status = bulkChannel{ch, up.below}, st
	context.AfterFunc(c.ctx, func() { _ = ch.Close() }) // whatever waits for its answers
	c.spawn(func() error { return c.fromTarget(st, requests) })
	return nil
}

// say shows a text on the standard error of the client.
func (c *channel) say(text string) {
	if c.stdin.terminal.Load() { // the client's terminal is raw
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	_, _ = c.errs.Write([]byte(text))
}

// silence keeps from the client whatever the target still says.
func (c *channel) silence() {
	c.out.stopped.Store(true)
	c.errs.stopped.Store(true)
}

// tell says the last word of a session on the channel.
func (c *channel) tell(text string) {
	if c.stdin.terminal.Load() {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	c.errs.mu.Lock()
	defer c.errs.mu.Unlock()
	_, _ = c.errs.w.Write([]byte(text))
	_ = c.ch.Close()
}

// end says a last word, with an exit status, and closes the channel.
func (c *channel) end(text string, code uint32) {
	c.say(text)
	_, _ = c.ch.SendRequest("exit-status", false, gossh.Marshal(exitStatus{code}))
	_ = c.ch.CloseWrite()
	_ = c.ch.Close()
}

// refuse answers a request for a program that must not run as if it had run:
// only so do clients show a reason.
func (c *channel) refuse(req *gossh.Request, what string, err error) {
	c.begun = true
	_ = req.Reply(true, nil)
	c.end(refusalText(what, err), refusalStatus(err))
}

var etx = []byte{3} // Ctrl-C

func hasInterrupt(keys []byte) bool { return bytes.Contains(keys, etx) }
