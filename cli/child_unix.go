//go:build unix

package cli

import (
	"os"
	"os/exec"
	"syscall"
)

// askToStop lets a child finish its own way.
func askToStop(p *os.Process) error { return p.Signal(syscall.SIGTERM) }

// exitCode is the child's own, or 128 and the signal as a shell gives it.
func exitCode(e *exec.ExitError) int {
	if ws, ok := e.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return e.ExitCode()
}
