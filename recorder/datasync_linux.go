package recorder

import (
	"os"

	"golang.org/x/sys/unix"
)

// datasync waits for data and size to reach the disk, not for the times.
func datasync(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
