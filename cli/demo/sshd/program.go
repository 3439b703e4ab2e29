package sshd

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
)

// ErrNoServer tells that this machine has no OpenSSH server program.
var ErrNoServer = errors.New("no sshd found")

// FindProgram gives the path of sshd: path where it is not empty, else the one
// on the PATH or in the folders where systems keep it.
func FindProgram(path string) (string, error) {
	candidates := []string{path}
	if path == "" {
		candidates = []string{"sshd", "/usr/sbin/sshd", "/usr/local/sbin/sshd", "/opt/homebrew/sbin/sshd", "/usr/lib/ssh/sshd"}
	}
	for _, c := range candidates {
		if found, err := exec.LookPath(c); err == nil {
			return found, nil
		}
	}
	hint := "install OpenSSH's server: the package openssh-server"
	if runtime.GOOS == "darwin" {
		hint = "install it with: brew install openssh"
	}
	return "", fmt.Errorf("%w: %s", ErrNoServer, hint)
}
