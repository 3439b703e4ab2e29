//go:build unix && !linux

package pg

import "syscall"

const diesWithParent = false

// serverAttr makes a server that a Ctrl-C at the terminal does not reach. Only
// Linux can also bind its life to this process's.
func (a *account) serverAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: a.credential(), Setpgid: true}
}
