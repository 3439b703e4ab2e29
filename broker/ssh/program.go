package ssh

import (
	"errors"
	"io"
	"strings"
	"sync"

	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
	"hoop/policy"
	"hoop/policy/mask"
	"hoop/recorder/recording"
)

// maxRecorded is how much of the output of a command without a terminal a
// recording keeps, in bytes; of a terminal it keeps all.
const maxRecorded = 4 << 20

// program is what runs on a channel, from the verdict to its end.
type program struct {
	c       *channel
	ticket  *broker.Ticket
	rec     *recording.Writer // nil where nothing is recorded
	filters []*filter
	outputs sync.WaitGroup // of what goes to the client
	fault   error          // why hoop ended it; guarded by c.errs.mu
}

// prepare does what must stand before the target is asked: a program that
// cannot be recorded or masked does not run.
func (c *channel) prepare(a *broker.Action, t *broker.Ticket) (*program, *mask.Detectors, error) {
	p := &program{c: c, ticket: t}
	d, err := c.detectors(&t.Verdict)
	if err != nil {
		return nil, nil, err
	}
	if d != nil && a.Verb == policy.SSHExec && speaksBinary(a.Text) {
		return nil, nil, unmaskable(errBinary)
	}
	if a.Verb == policy.SSHSFTP { // each operation stands in the audit log
		return p, d, nil
	}
	m := recording.Meta{Command: a.Text, Cap: maxRecorded}
	if c.term != nil {
		m.PTY, m.Cap = true, 0
		m.Term, m.Cols, m.Rows = c.term.Term, int(c.term.Columns), int(c.term.Rows)
	}
	if p.rec, err = c.r.s.StartRecording(t, m); err != nil {
		return nil, nil, err
	}
	return p, d, nil
}

// run connects the streams and sees to the program's end.
func (p *program) run(sftp bool, d *mask.Detectors) {
	c := p.c
	c.out.record(p.rec)
	c.errs.record(p.rec)
	if sftp {
		p.inspect()
	} else {
		p.output(p.masked(&c.out, d), c.up)
		c.stdin.begin(func(src io.Reader) error { return c.r.e.buffers.pour(p, src) })
	}
	p.output(p.masked(&c.errs, d), c.up.Stderr())
	c.spawn(func() error {
		p.outputs.Wait()
		<-c.status.closed
		p.finish()
		return nil
	})
}

// masked puts detectors before a stream to the client.
func (p *program) masked(dst *sink, d *mask.Detectors) io.WriteCloser {
	if d == nil {
		return dst
	}
	f := newFilter(dst, d, p.c.term != nil)
	p.filters = append(p.filters, f)
	return f
}

// output carries one stream of the program to the client.
func (p *program) output(dst io.WriteCloser, src io.Reader) {
	p.carry(func() error {
		err := p.c.r.e.buffers.pour(dst, src)
		_ = dst.Close()
		return err
	})
}

// carry runs what brings output to the client. An error ends the program.
func (p *program) carry(f func() error) {
	p.outputs.Add(1)
	p.c.spawn(func() error {
		defer p.outputs.Done()
		if err := f(); err != nil {
			p.fail(err)
		}
		return nil
	})
}

// Write passes input on.
func (p *program) Write(keys []byte) (int, error) {
	if err := p.typed(keys); err != nil {
		return 0, err
	}
	return p.c.up.Write(keys)
}

// typed is told what goes to a terminal. What cannot be recorded must not.
func (p *program) typed(keys []byte) error {
	if p.c.term == nil {
		return nil
	}
	if len(p.filters) > 0 {
		p.filters[0].typed(keys)
	}
	if p.rec == nil {
		return nil
	}
	return p.rec.Input(keys)
}

// fail ends a program whose output cannot be passed on.
func (p *program) fail(err error) {
	p.c.errs.mu.Lock()
	if p.fault == nil {
		p.fault = err
	}
	p.c.errs.mu.Unlock()
	_ = p.c.up.Close()
}

// finish tells the client how the program ended, and then the record.
func (p *program) finish() {
	o := p.outcome()
	if cause := p.c.cause(); cause == nil || errors.Is(cause, errChannelClosed) { // else the session ends, and says why
		p.tell()
	}
	p.c.r.s.Finish(p.ticket, o)
	p.close(o) // which waits for the disk
}

// tell says how the program ended. The end of file comes last: a client that has
// both ends closed closes the channel on it, and would not hear the exit status.
func (p *program) tell() {
	c := p.c
	switch {
	case errors.Is(p.fault, errBinary):
		c.say(refusalText("output", unmaskable(errBinary)))
		_, _ = c.ch.SendRequest("exit-status", false, gossh.Marshal(exitStatus{exitDenied}))
	case c.tellStatus():
	case c.cause() == nil && p.fault == nil:
		c.say("hoop: the target ended this without an exit status\n")
	}
	_ = c.ch.CloseWrite()
	_ = c.ch.Close()
}

// outcome is how it ended, for the record.
func (p *program) outcome() broker.Outcome {
	c := p.c
	o := c.status.outcome()
	switch cause := c.cause(); {
	case errors.Is(p.fault, errBinary):
		o = outcome("error", "binary output")
	case o.Result != "lost":
	case errors.Is(cause, errChannelClosed), errors.Is(cause, errClientGone):
		o = outcome("cancelled", "")
	}
	o.Bytes, o.Masked = c.out.sent()+c.errs.sent(), sum(p.filters)
	return o
}

// close ends the recording.
func (p *program) close(o broker.Outcome) {
	if p.rec == nil {
		return
	}
	st := p.c.status
	var code exitStatus
	var sig exitSignal
	switch {
	case st == nil: // the target was never asked
	case st.request == "exit-status" && read(st.payload, &code):
		_ = p.rec.Exit(int(code.Status))
	case st.request == "exit-signal" && read(st.payload, &sig):
		_ = p.rec.ExitSignal(oneLine(sig.Signal))
	}
	_, _ = p.rec.Close(strings.TrimSpace(o.Result + " " + o.Code)) // the audit log has what became of it
}
