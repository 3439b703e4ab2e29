package pg

import "syscall"

const diesWithParent = true

// processAttr makes a server that ends with this process, and that a Ctrl-C at
// the terminal does not reach. SIGQUIT is PostgreSQL's immediate shutdown.
func processAttr(c *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: c, Setpgid: true, Pdeathsig: syscall.SIGQUIT}
}
