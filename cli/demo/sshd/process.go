package sshd

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

var errPortTaken = errors.New("the port was taken by another process")

// process is a running sshd.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how; read after done
}

// launch starts the server, on another port where one was taken meanwhile.
func (s *Server) launch(ctx context.Context, first []string) error {
	if err := privilegeSeparation(); err != nil {
		return err
	}
	const tries = 5
	for try := 1; ; try++ {
		port, err := freePort()
		if err != nil {
			return err
		}
		if err := s.writeConfig(port, first); err != nil {
			return err
		}
		s.Port = port
		err = s.launchOn(ctx)
		if err == nil || try == tries || !errors.Is(err, errPortTaken) {
			return err
		}
	}
}

func (s *Server) launchOn(ctx context.Context) error {
	if err := s.write("sshd.log", nil); err != nil {
		return err
	}
	// -D: in the foreground, as the child that it is.
	cmd := exec.Command(s.program, "-D", "-f", s.path("sshd_config"), "-E", s.LogFile)
	var says strings.Builder // mistakes in the configuration
	cmd.Stderr = &says
	cmd.SysProcAttr = serverAttr()
	var err error
	if s.process, err = startProcess(cmd); err != nil {
		return fmt.Errorf("start sshd: %w", err)
	}
	return s.awaitReady(ctx, &says)
}

// startProcess runs cmd from a thread that lives as long as cmd does: Linux
// sends the parent-death signal when that thread ends, not the process.
func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// awaitReady waits for the line of the log that says so.
func (s *Server) awaitReady(ctx context.Context, says *strings.Builder) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for sshd: %w", context.Cause(ctx))
		case <-s.process.done:
			log := says.String() + s.Log()
			err := fmt.Errorf("sshd ended while it started: %v\n%s", s.process.err, strings.TrimSpace(log))
			if strings.Contains(log, "Address already in use") {
				err = fmt.Errorf("%w: %w", errPortTaken, err)
			}
			return err
		case <-tick.C:
			if strings.Contains(s.Log(), "Server listening on") {
				return nil
			}
		}
	}
}

// stop ends the process, by force if it must be, and what it has started: a
// session goes on without the server that accepted it.
func (p *process) stop() error {
	if p == nil {
		return nil
	}
	sessions := descendants(p.cmd.Process.Pid)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		_ = p.cmd.Process.Signal(sig) // it may have ended
		for _, s := range sessions {
			_ = s.Signal(sig)
		}
		select {
		case <-p.done:
			return nil
		case <-time.After(10 * time.Second):
		}
	}
	return fmt.Errorf("sshd (process %d) does not end", p.cmd.Process.Pid)
}
