package pg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var errPortTaken = errors.New("the port was taken by another process")

// process is a running postmaster.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how; read after done
}

// launchOn starts the server on a port and waits until it is ready.
func (s *Server) launchOn(ctx context.Context, port int) error {
	logFile, err := os.OpenFile(s.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of postgres: %w", err)
	}
	defer logFile.Close()
	cmd := exec.Command(filepath.Join(s.BinDir, "postgres"), "-D", s.DataDir, "-p", strconv.Itoa(port))
	cmd.Dir, cmd.Env = s.DataDir, cleanEnv()
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.SysProcAttr = s.account.serverAttr()
	if s.process, err = startProcess(cmd); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	s.Port = port
	return s.awaitReady(ctx)
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

// awaitReady polls the state that the postmaster writes into its lock file.
func (s *Server) awaitReady(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for postgres: %w", context.Cause(ctx))
		case <-s.process.done:
			return s.failed()
		case <-tick.C:
			if s.ready() {
				return nil
			}
		}
	}
}

// ready reads line 8 of postmaster.pid, where PostgreSQL 10 and later write
// "ready" for pg_ctl.
func (s *Server) ready() bool {
	data, err := os.ReadFile(filepath.Join(s.DataDir, "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := strings.Split(string(data), "\n")
	return len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready"
}

// failed tells why the server ended while it started.
func (s *Server) failed() error {
	log, _ := os.ReadFile(s.LogFile) // what cannot be read is not shown
	if i := len(log) - 2000; i > 0 {
		log = log[i:]
	}
	err := fmt.Errorf("postgres ended while it started: %v\n%s", s.process.err, bytes.TrimSpace(log))
	if bytes.Contains(log, []byte("could not create any TCP/IP sockets")) {
		err = fmt.Errorf("%w: %w", errPortTaken, err)
	}
	return err
}

// stop ends the process: fast, then at once, then by force.
func (p *process) stop() error {
	if p == nil {
		return nil
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		_ = p.cmd.Process.Signal(sig) // it may have ended
		select {
		case <-p.done:
			return nil
		case <-time.After(10 * time.Second):
		}
	}
	return fmt.Errorf("postgres (process %d) does not end", p.cmd.Process.Pid)
}
