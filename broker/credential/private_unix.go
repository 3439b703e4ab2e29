//go:build unix

package credential

import (
	"fmt"
	"os"
	"syscall"
)

// checkPrivate refuses a file that another user of the machine may read or
// change. A file of root that the group may read is let through for a broker
// that is not root: so Kubernetes mounts secrets (fsGroup, mode 0440).
func checkPrivate(path string, info os.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: cannot tell its owner", path)
	}
	uid := os.Geteuid()
	if int(st.Uid) != uid && st.Uid != 0 {
		return fmt.Errorf("%s belongs to uid %d, not to uid %d that runs this: chown it", path, st.Uid, uid)
	}
	forbidden := os.FileMode(0o077)
	if st.Uid == 0 && uid != 0 {
		forbidden = 0o037
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		return fmt.Errorf("%s has mode %04o, so others may use it: run chmod 600 %s", path, mode, path)
	}
	return nil
}
