package pg

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// account is what the server runs as: PostgreSQL refuses root. Nil means this
// process's own account.
type account struct {
	uid, gid uint32
}

// findAccount gives nil unless this process is root.
func findAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uerr, gerr); err != nil {
			return nil, fmt.Errorf("look up the account %s: %w", name, err)
		}
		return &account{uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return nil, errors.New("postgres does not run as root, and there is neither an account named postgres nor nobody")
}

// own gives a file or directory to the account.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Chown(path, int(a.uid), int(a.gid))
}

func (a *account) mkdir(path string, mode os.FileMode) error {
	if err := os.MkdirAll(path, mode); err != nil {
		return fmt.Errorf("make a directory for postgres: %w", err)
	}
	if err := os.Chmod(path, mode); err != nil {
		return fmt.Errorf("make a directory for postgres: %w", err)
	}
	if err := a.own(path); err != nil {
		return fmt.Errorf("give a directory to the account of postgres: %w", err)
	}
	return nil
}

// write makes a file that only the account may read.
func (a *account) write(path string, data []byte) error {
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	return a.own(path)
}

// mayEnter reports whether every directory down to dir lets the account pass.
func (a *account) mayEnter(dir string) bool {
	if a == nil {
		return true
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	for ; ; dir = filepath.Dir(dir) {
		st, err := os.Stat(dir)
		if err == nil && !a.mayPass(st) {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}
