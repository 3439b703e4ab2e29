package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// killAfter is how long a child that was told to stop may take.
const killAfter = 10 * time.Second

// runChild runs a program on hoop's own standard streams and passes signals to
// it and its exit code back, as a childExit. It ends the program when ctx is
// done.
func (a *App) runChild(ctx context.Context, argv, env []string, forward ...os.Signal) error {
	path, err := lookPath(argv[0], env)
	if err != nil {
		return cannotRun(argv[0], err)
	}
	c := exec.CommandContext(ctx, path, argv[1:]...) //nolint:gosec // running it is the point
	c.Args[0], c.Env, c.WaitDelay = argv[0], env, killAfter
	c.Stdin, c.Stdout, c.Stderr = a.In, a.Out, a.Err
	c.Cancel = func() error { return askToStop(c.Process) }
	a.hasChild.Store(true)
	defer a.hasChild.Store(false)
	if err := c.Start(); err != nil {
		return cannotRun(argv[0], err)
	}
	stop := a.passSignals(c.Process, forward)
	err = c.Wait()
	stop()
	var exit *exec.ExitError
	switch {
	case context.Cause(ctx) == errTimeout: //nolint:errorlint // the very value
		return errTimeout
	case errors.As(err, &exit):
		return childExit(exitCode(exit))
	case err != nil:
		return fmt.Errorf("run %s: %w", argv[0], err)
	}
	return nil
}

// passSignals gives the child the signals that hoop gets. What the keyboard
// sends reaches every process at the terminal by itself: psql answers Ctrl-C by
// cancelling its query, and must not get it twice.
func (a *App) passSignals(child *os.Process, forward []os.Signal) (stop func()) {
	keyboard := isTerminal(a.In)
	got := make(chan os.Signal, 4)
	signal.Notify(got, forward...)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s := range got {
			if keyboard && (s == os.Interrupt || s == syscall.SIGQUIT) {
				continue
			}
			_ = child.Signal(s) // it may have ended already
		}
	}()
	return func() { signal.Stop(got); close(got); <-done }
}

// forwarded are the signals that a program run by connect gets.
func forwarded() []os.Signal {
	return []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}
}

// cannotRun tells a program that is not there from one that will not start, as
// shells do (POSIX Shell "Exit Status for Commands").
func cannotRun(name string, err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOEXEC) {
		return &exitError{code: exitNotExecutable, word: "not_executable", err: fmt.Errorf("%s cannot be executed: %w", name, err)}
	}
	e := &exitError{code: exitNoCommand, word: "no_command", err: fmt.Errorf("%s is not installed or not on the PATH", name)}
	switch name {
	case "psql":
		e.hint = "install PostgreSQL's client, or give another program after --"
	case "ssh":
		e.hint = "install OpenSSH's client"
	}
	return e
}

// lookPath finds a program on the PATH of an environment, the last entry of
// which counts.
func lookPath(name string, env []string) (string, error) {
	if strings.ContainsRune(name, os.PathSeparator) {
		return exec.LookPath(name)
	}
	path := ""
	for _, v := range env {
		if p, ok := strings.CutPrefix(v, "PATH="); ok {
			path = p
		}
	}
	return findIn(path, name)
}

// findIn looks into each folder of a PATH. The error is that of a program which
// is there but cannot be executed, if there is one.
func findIn(path, name string) (string, error) {
	failure := fs.ErrNotExist
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) { // as package os/exec: never from the current folder
			continue
		}
		found, err := exec.LookPath(filepath.Join(dir, name))
		if err == nil {
			return found, nil
		}
		if errors.Is(err, fs.ErrPermission) {
			failure = fs.ErrPermission
		}
	}
	return "", failure
}
