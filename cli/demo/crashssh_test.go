package demo

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"hoop/cli/demo/sshd"
	"hoop/recorder/recording"
)

var sshCrashes = flag.Int("ssh-crashes", 1, "how often TestCrashSSH kills the broker; make crash says 25")

// How many sessions there are when the broker is killed, and how many of them
// show a line now and then all the time; the others run command after command.
const (
	sshSessions = 50
	sshTickers  = 5
	// unflushed is how much of a recording's end may be missing: the second
	// that it may lie in memory, and two for a machine that is busy.
	unflushed = 3 * time.Second
)

// The broker is killed under fifty busy SSH sessions, again and again. Whatever
// the target ran is in the audit log, and each recording can be read up to its
// end, which is marked.
func TestCrashSSH(t *testing.T) {
	dir := t.TempDir()
	server, ranLog := loggingSSHD(t, dir)
	w := upApartWith(t, allowAlice, server)
	at := w.listen("alice", SSHConnection)
	load := newSSHLoad(t, net.JoinHostPort(at.Host, strconv.Itoa(at.Port)))
	for n := range *sshCrashes {
		load.awaitBusy(n)
		load.atOnce()
		time.Sleep(time.Duration(rand.Int64N(int64(80 * time.Millisecond)))) //nolint:gosec // chance is the point, not secrecy
		load.killed.Store(time.Now().UnixNano())
		w.kill()
		within(t, time.Minute, w.command("alice", "audit", "verify", "--config", w.path("hoop.yaml")))
		w.start()
	}
	load.end()
	w.kill()
	t.Log(within(t, time.Minute, w.command("alice", "audit", "verify", "--config", w.path("hoop.yaml"))))
	settled(ranLog)
	ran, kept := marksIn(t, ranLog), marksKept(t, w.path("data/audit"))
	missing := 0
	for mark := range ran {
		if !kept[mark] {
			missing++
			t.Errorf("the target ran %s, which the audit log does not have", mark)
		}
	}
	t.Logf("%d crashes under %d sessions, %d answers, %d reconnects: the target ran %d commands, the audit log has %d, %d are missing in it",
		*sshCrashes, sshSessions, load.answered.Load(), load.reconnects.Load(), len(ran), len(kept), missing)
	if len(ran) < sshSessions**sshCrashes {
		t.Errorf("the target ran only %d commands: that is no load", len(ran))
	}
	w.start() // which ends the recordings that were cut off
	load.checkRecordings(w.path("data/recordings"))
}

// loggingSSHD is a server that writes each command down before it runs it.
func loggingSSHD(t *testing.T, dir string) (server *sshd.Server, log string) {
	log = filepath.Join(dir, "ran")
	wrapper := filepath.Join(dir, "run")
	text := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"$SSH_ORIGINAL_COMMAND\" >> %s\nexec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n", log)
	if err := errors.Join(os.WriteFile(wrapper, []byte(text), 0o700), os.WriteFile(log, nil, 0o600)); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	server, err := sshd.Start(t.Context(), sshd.Options{Settings: []string{"ForceCommand " + wrapper}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	return server, log
}

// settled waits until nothing of the killed broker begins any more.
func settled(log string) {
	var last int64 = -1
	for range 60 {
		info, err := os.Stat(log)
		if err != nil || info.Size() == last {
			return
		}
		last = info.Size()
		time.Sleep(time.Second)
	}
}

func marksIn(t *testing.T, log string) map[string]bool {
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	ran := map[string]bool{}
	for _, m := range mark.FindAllString(string(text), -1) {
		ran[m] = true
	}
	return ran
}

// sshLoad is fifty clients that come back after each crash.
type sshLoad struct {
	t    *testing.T
	addr string
	stop context.CancelFunc
	all  sync.WaitGroup

	round, answered, reconnects, killed atomic.Int64
	busy                                [sshSessions]atomic.Int64 // the round in which a client last had an answer, from 1

	together sync.RWMutex // held to keep clients from going on
	burst    atomic.Bool

	mu    sync.Mutex
	shown map[string]int // mark of a ticker → the last line that must be in its recording
}

func newSSHLoad(t *testing.T, addr string) *sshLoad {
	l := &sshLoad{t: t, addr: addr, shown: map[string]int{}}
	var ctx context.Context
	ctx, l.stop = context.WithCancel(t.Context())
	for client := range sshSessions {
		l.all.Go(func() { l.client(ctx, client) })
	}
	t.Cleanup(l.end)
	return l
}

func (l *sshLoad) end() {
	l.stop()
	l.all.Wait()
}

// awaitBusy begins a round, and returns once every client has had an answer in
// it and has gone on for a while.
func (l *sshLoad) awaitBusy(crash int) {
	l.t.Helper()
	round := int64(crash) + 1
	l.round.Store(round)
	n := 0
	for end := time.Now().Add(2 * time.Minute); n < sshSessions; time.Sleep(10 * time.Millisecond) {
		if n = 0; time.Now().After(end) {
			l.t.Fatalf("only %d of %d sessions are busy", n, sshSessions)
		}
		for i := range l.busy {
			if l.busy[i].Load() == round {
				n++
			}
		}
	}
	time.Sleep(unflushed + 2*time.Second)
}

// atOnce has every client that is not a ticker begin with a command at the same
// moment, of which some are on their way to the target and some are not when
// the broker is killed.
func (l *sshLoad) atOnce() {
	l.together.Lock()
	l.burst.Store(true)
	l.together.Unlock()
}

func (l *sshLoad) client(ctx context.Context, client int) {
	for n := 0; ctx.Err() == nil; {
		c, err := l.dial(ctx)
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		l.reconnects.Add(1)
		l.burst.Store(false)
		stop := context.AfterFunc(ctx, func() { _ = c.Close() })
		for err == nil {
			n++
			err = l.ask(c, client, n)
		}
		stop()
		_ = c.Close()
	}
}

// dial logs in through the door, which is alice's own.
func (l *sshLoad) dial(ctx context.Context) (*ssh.Client, error) {
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", l.addr)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	c, channels, requests, err := ssh.NewClientConn(conn, SSHConnection, &ssh.ClientConfig{
		User: "hoop", HostKeyCallback: ssh.InsecureIgnoreHostKey(), //nolint:gosec // host keys are tested elsewhere
	})
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	return ssh.NewClient(c, channels, requests), nil
}

// ask runs commands, each with a mark of its own.
func (l *sshLoad) ask(c *ssh.Client, client, n int) error {
	mark := fmt.Sprintf("mark_%d_%d_%d_", l.round.Load(), client, n)
	if client < sshTickers {
		return l.tick(c, client, mark+"a")
	}
	l.together.RLock()
	defer l.together.RUnlock()
	if l.burst.Load() {
		n = 2
	}
	var err error
	switch n % 4 {
	case 0:
		err = run(c, "echo "+mark+"a", false)
	case 1:
		err = run(c, "echo "+mark+"a; printf '%20000s' x", true)
	case 2:
		errs := make(chan error)
		for _, part := range []string{"a", "b", "c"} {
			go func() { errs <- run(c, "echo "+mark+part, false) }()
		}
		err = errors.Join(<-errs, <-errs, <-errs)
	case 3:
		err = run(c, "cat /etc/passwd # "+mark+"a", false)
	}
	if err == nil {
		l.answered.Add(1)
		l.busy[client].Store(l.round.Load())
	}
	return err
}

func run(c *ssh.Client, command string, pty bool) error {
	s, err := c.NewSession()
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	if pty {
		if err := s.RequestPty("xterm", 24, 80, ssh.TerminalModes{}); err != nil {
			return err
		}
	}
	s.Stdout = io.Discard
	return s.Run(command)
}

// tick shows a line now and then until the session ends, and remembers which of
// them came long enough before the broker was killed.
func (l *sshLoad) tick(c *ssh.Client, client int, mark string) error {
	s, err := c.NewSession()
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	out, err := s.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.Start("i=0; while [ $i -lt 100000 ]; do echo " + mark + " tick $i.; i=$((i+1)); sleep 0.5; done"); err != nil {
		return err
	}
	var came []time.Time
	for lines := bufio.NewScanner(out); lines.Scan(); {
		came = append(came, time.Now())
		l.answered.Add(1)
		l.busy[client].Store(l.round.Load())
	}
	must := -1
	for i, at := range came {
		if at.Before(time.Unix(0, l.killed.Load()).Add(-unflushed)) {
			must = i
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shown[mark] = must
	return errors.New("the session ended")
}

// checkRecordings reads each recording to its end, which must be marked, and
// wants what tickers showed in time to be in theirs.
func (l *sshLoad) checkRecordings(dir string) {
	l.t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, f fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".cast" && filepath.Base(filepath.Dir(path)) != "live" { // marks of those that are written
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	lost, checked, lines := 0, 0, 0
	for _, path := range files {
		command, shown, end := readRecording(l.t, path)
		if end == nil {
			l.t.Errorf("%s has no end", filepath.Base(path))
			continue
		}
		if end.Lost {
			lost++
		}
		m := mark.FindString(command)
		if must, ok := l.shown[m]; ok && must >= 0 {
			checked++
			lines += must
			if want := fmt.Sprintf("%s tick %d.\n", m, must); !strings.Contains(shown, want) {
				l.t.Errorf("%s ends before %q, which was shown %s before the crash; it ends with %q", filepath.Base(path), want, unflushed, shown[max(0, len(shown)-80):])
			}
		}
	}
	l.t.Logf("%d recordings, all with an end, %d of them cut off by a crash; %d of those had to have %d lines, and do", len(files), lost, checked, lines)
	if want := sshTickers * *sshCrashes; lost < want || checked < want {
		l.t.Errorf("%d recordings were cut off and %d looked into, want %d at least", lost, checked, want)
	}
}

func readRecording(t *testing.T, path string) (command, shown string, end *recording.End) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r, err := recording.NewReader(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var all strings.Builder
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.Header.Command, all.String(), end
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		end = nil
		switch ev.Code {
		case recording.CodeOutput:
			all.WriteString(ev.Data)
		case recording.CodeNote:
			n, err := ev.Note()
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			end = n.End
		}
	}
}
