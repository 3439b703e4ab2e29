//go:build unix

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// checkPrivate refuses a state file that other users of the machine may read or
// change; one that is absent is fine.
func checkPrivate(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s has mode %04o, so others may use it: run chmod 600 %s", path, mode, path)
	}
	return nil
}
