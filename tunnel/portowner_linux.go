package tunnel

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// PortOwner names the process that listens on a TCP port of this machine. It
// is false where nobody does, or where the process is another user's.
func PortOwner(port int) (pid int, program string, ok bool) {
	sockets := map[string]bool{}
	suffix := fmt.Sprintf(":%04X", port)
	for _, family := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		for s, err := range procSockets(family) {
			if err == nil && s.state == tcpListen && strings.HasSuffix(s.local, suffix) {
				sockets[fmt.Sprintf("socket:[%d]", s.inode)] = true
			}
		}
	}
	if len(sockets) == 0 {
		return 0, "", false
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil && sockets[target] {
			pid, err := strconv.Atoi(strings.Split(fd, "/")[2])
			return pid, programOf(pid), err == nil
		}
	}
	return 0, "", false
}

func programOf(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return clean(strings.TrimSpace(string(b)))
}
