package ssh

import (
	"errors"
	"io"
	"strconv"
	"sync"
	"sync/atomic"

	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
	"hoop/recorder/recording"
)

// sink is one stream to the client. Notices come from elsewhere.
type sink struct {
	mu      sync.Mutex
	w       io.Writer
	rec     *recording.Writer // nil where nothing is recorded
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
	if s.rec != nil { // what is shown was recorded
		if err := s.rec.Output(p); err != nil {
			return 0, err
		}
	}
	n, err := s.w.Write(p)
	s.bytes += int64(n)
	return n, err
}

// Close does nothing: the end of a stream is told with the exit status.
func (s *sink) Close() error { return nil }

// record has everything recorded from now on.
func (s *sink) record(rec *recording.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rec = rec
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
		case "eow@openssh.com": // OpenSSH PROTOCOL §2.1
			_, _ = c.ch.SendRequest(req.Type, false, nil)
		case "xon-xoff": // RFC 4254 §6.8
			var x xonXoff
			if read(req.Payload, &x) {
				_, _ = c.ch.SendRequest(req.Type, false, gossh.Marshal(x))
			}
		}
		// keepalive@openssh.com, with which sshd asks whether somebody is there,
		// expects any answer.
		_ = req.Reply(false, nil)
	}
	return nil
}
