//go:build unix

package pg

import (
	"os"
	"syscall"
)

func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid}
}

// onceAttr runs a program as the account.
func (a *account) onceAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: a.credential()}
}

func (a *account) mayPass(st os.FileInfo) bool {
	need := os.FileMode(0o001)
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		switch {
		case sys.Uid == a.uid:
			need = 0o100
		case sys.Gid == a.gid:
			need = 0o010
		}
	}
	return st.Mode()&need != 0
}
