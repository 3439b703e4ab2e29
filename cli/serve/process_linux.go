package serve

import (
	"bytes"
	"os"
	"strconv"
)

// residentMemory is the second field of /proc/self/statm, in pages (proc(5)).
func residentMemory() (bytesResident int, ok bool) {
	b, err := os.ReadFile("/proc/self/statm")
	fields := bytes.Fields(b)
	if err != nil || len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.Atoi(string(fields[1]))
	return pages * os.Getpagesize(), err == nil
}

// openFiles leaves out the one that is open to count them.
func openFiles() (n int, ok bool) {
	d, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0, false
	}
	defer func() { _ = d.Close() }()
	names, err := d.Readdirnames(-1)
	return len(names) - 1, err == nil
}
