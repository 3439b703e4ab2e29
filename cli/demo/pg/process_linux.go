package pg

import "syscall"

const diesWithParent = true

// serverAttr makes a server that ends with this process, and that a Ctrl-C at
// the terminal does not reach. SIGQUIT is PostgreSQL's immediate shutdown.
func (a *account) serverAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: a.credential(), Setpgid: true, Pdeathsig: syscall.SIGQUIT}
}
