//go:build unix

package cli

import (
	"os/exec"
	"syscall"
)

// prepareChild lets a child that is told to stop finish its own way: a
// SIGTERM, not a SIGKILL, when hoop is told to stop.
func prepareChild(c *exec.Cmd) {
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
}

// exitCode is the child's own, or 128 and the signal as a shell gives it.
func exitCode(e *exec.ExitError) int {
	if ws, ok := e.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return e.ExitCode()
}
