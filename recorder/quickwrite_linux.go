//go:build amd64 || arm64

package recorder

import (
	"io/fs"
	"os"
	"syscall"
	"unsafe"
)

// writeQuick writes without telling Go's scheduler, which for a call that may
// block wakes a thread each time: more work than the write itself, before every
// statement.
func writeQuick(f *os.File, p []byte, offset int64) (n int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	if raw.Control(func(fd uintptr) { n, err = pwrite(fd, p, offset) }) != nil {
		err = fs.ErrClosed
	}
	if err != nil {
		err = &fs.PathError{Op: "write", Path: f.Name(), Err: err}
	}
	return n, err
}

func pwrite(fd uintptr, p []byte, offset int64) (done int, err error) {
	for done < len(p) {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_PWRITE64, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p[done:]))),
			uintptr(len(p)-done), uintptr(offset+int64(done)), 0, 0)
		switch {
		case errno == syscall.EINTR:
		case errno != 0:
			return done, errno
		default:
			done += int(n)
		}
	}
	return done, nil
}
