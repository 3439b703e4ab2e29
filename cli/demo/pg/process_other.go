//go:build !linux

package pg

import "syscall"

const diesWithParent = false

// processAttr makes a server that a Ctrl-C at the terminal does not reach. Only
// Linux can also bind its life to this process's.
func processAttr(c *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: c, Setpgid: true}
}
