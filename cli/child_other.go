//go:build !unix

package cli

import "os/exec"

func prepareChild(*exec.Cmd) {}

func exitCode(e *exec.ExitError) int { return e.ExitCode() }
