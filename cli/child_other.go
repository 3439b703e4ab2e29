//go:build !unix

package cli

import (
	"os"
	"os/exec"
)

func askToStop(p *os.Process) error { return p.Kill() }

func exitCode(e *exec.ExitError) int { return e.ExitCode() }
