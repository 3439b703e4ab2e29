package pg

import "syscall"

const diesWithParent = false

// serverAttr makes a server that a Ctrl-C at the console does not reach.
func (a *account) serverAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
