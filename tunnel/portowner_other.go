//go:build !linux

package tunnel

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// PortOwner names the process that listens on a TCP port of this machine. It
// is false where that cannot be found out.
func PortOwner(port int) (pid int, program string, ok bool) {
	out := run("lsof", "-nP", "-iTCP:"+strconv.Itoa(port), "-sTCP:LISTEN", "-Fpc")
	for line := range strings.Lines(out) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "p") && pid == 0:
			pid, _ = strconv.Atoi(line[1:])
		case strings.HasPrefix(line, "c") && program == "":
			program = clean(line[1:])
		}
	}
	return pid, program, pid > 0
}

func programOf(pid int) string {
	return clean(strings.TrimSpace(run("ps", "-o", "comm=", "-p", strconv.Itoa(pid))))
}

// run gives what a system tool prints, nothing if it is not there.
func run(name string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, name, args...).Output()
	return string(out)
}
