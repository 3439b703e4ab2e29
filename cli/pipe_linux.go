package cli

import (
	"os"
	"syscall"
)

// pipeSize is what Linux lets everybody ask for (pipe(7)); ssh makes pipes of
// 64 KiB, two of its packets.
const pipeSize = 1 << 20

// widen makes a pipe larger, so that the two ends of it wait less for each other.
// What is no pipe, or may not grow, stays as it is.
func widen(stream any) {
	const setPipeSize = 1031 // F_SETPIPE_SZ
	f, ok := stream.(*os.File)
	if !ok {
		return
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _, _, _ = syscall.Syscall(syscall.SYS_FCNTL, fd, setPipeSize, pipeSize) })
}
