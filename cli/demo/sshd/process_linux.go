package sshd

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// serverAttr makes a server that ends with this process, and that a Ctrl-C at
// the terminal does not reach.
func serverAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// descendants are the processes that came of one, each parent before its
// children.
func descendants(pid int) []*os.Process {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is well-formed
	var out []*os.Process
	for _, f := range files {
		data, _ := os.ReadFile(f) // it may have ended
		for _, word := range strings.Fields(string(data)) {
			child, err := strconv.Atoi(word)
			if err != nil {
				continue
			}
			if p, err := os.FindProcess(child); err == nil {
				out = append(append(out, p), descendants(child)...)
			}
		}
	}
	return out
}
