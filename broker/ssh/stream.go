package ssh

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"sync/atomic"

	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
)

// sink is one stream to the client. Notices come from elsewhere.
type sink struct {
	mu      sync.Mutex
	w       io.Writer
	bytes   int64
	stopped atomic.Bool // the session ends: nothing of the target's passes any more
}

var errStopped = errors.New("the session ended")

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped.Load() {
		return 0, errStopped
	}
	n, err := s.w.Write(p)
	s.bytes += int64(n)
	return n, err
}

func (s *sink) sent() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// status is how the program at the target ended, as the target says.
type status struct {
	closed  chan struct{} // the target closed the channel: nothing is set any more
	request string        // exit-status or exit-signal, "" for neither
	payload []byte
}

// outcome words the end of a program for the record.
func (s *status) outcome() broker.Outcome {
	var code exitStatus
	var sig exitSignal
	switch {
	case s.request == "exit-status" && read(s.payload, &code):
		if code.Status == 0 {
			return outcome("ok", "")
		}
		return outcome("error", strconv.FormatUint(uint64(code.Status), 10))
	case s.request == "exit-signal" && read(s.payload, &sig):
		return outcome("error", "SIG"+oneLine(sig.Signal))
	}
	return outcome("lost", "")
}

// fromTarget takes the target's requests on the channel.
func (c *channel) fromTarget(st *status, requests <-chan *gossh.Request) error {
	defer close(st.closed)
	for req := range requests {
		switch req.Type {
		case "exit-status", "exit-signal":
			st.request, st.payload = req.Type, req.Payload
		case "eow@openssh.com", "xon-xoff": // OpenSSH PROTOCOL §2.1, RFC 4254 §6.8
			_, _ = c.ch.SendRequest(req.Type, false, req.Payload)
		}
		// keepalive@openssh.com, with which sshd asks whether somebody is there,
		// expects any answer.
		_ = req.Reply(false, nil)
	}
	return nil
}

// relay connects the streams of a program that runs, and ends the channel when
// it did.
func (c *channel) relay(t *broker.Ticket) {
	var outputs sync.WaitGroup
	stream := func(dst io.Writer, src io.Reader) {
		outputs.Add(1)
		c.spawn(func() error {
			defer outputs.Done()
			if err := c.r.e.buffers.pour(dst, src); err != nil {
				_ = c.up.Close() // the client does not take it
			}
			return nil
		})
	}
	stream(&c.out, c.up)
	stream(&c.errs, c.up.Stderr())
	c.stdin.begin(c.up)
	c.spawn(func() error {
		outputs.Wait()
		<-c.status.closed
		c.finish(t)
		return nil
	})
}

// finish tells the client how the program ended. Its end of file comes last: a
// client that has both ends closed closes the channel on it, and would not hear
// the exit status.
func (c *channel) finish(t *broker.Ticket) {
	o := c.status.outcome()
	if o.Result == "lost" && errors.Is(context.Cause(c.ctx), errChannelClosed) {
		o = outcome("cancelled", "")
	}
	o.Bytes = c.out.sent() + c.errs.sent()
	c.r.s.Finish(t, o)
	if c.status.request == "" {
		if c.ctx.Err() == nil {
			c.say("hoop: the target ended this without an exit status\n")
		}
	} else {
		_, _ = c.ch.SendRequest(c.status.request, false, c.status.payload)
	}
	_ = c.ch.CloseWrite()
	_ = c.ch.Close()
}
