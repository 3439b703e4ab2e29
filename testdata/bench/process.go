package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program that the bench started.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// start runs a program in the background with its output in a file.
func (w *world) start(name string, cmd *exec.Cmd) (*process, error) {
	p := &process{name: name, cmd: cmd, log: filepath.Join(w.dir, name+".log"), done: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	if cmd.Stdout == nil {
		cmd.Stdout = out
	}
	cmd.Stderr = out
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { defer close(p.done); _ = cmd.Wait() }()
	w.processes = append(w.processes, p)
	return p, nil
}

// stop asks a program to end, and makes it end where it does not.
func (p *process) stop(signal os.Signal) error {
	_ = p.cmd.Process.Signal(signal) // it may have ended
	select {
	case <-p.done:
		return nil
	case <-time.After(10 * time.Second):
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return nil
}

// failed gives the end of what a program wrote before it ended.
func (p *process) failed() error {
	text, _ := os.ReadFile(p.log)
	if len(text) > 2000 {
		text = text[len(text)-2000:]
	}
	return fmt.Errorf("%s has ended: %s", p.name, strings.TrimSpace(string(text)))
}

// usage is what a group of processes has cost.
type usage struct {
	cpu time.Duration // user and system, with waited-for children
	rss int64         // bytes resident now
}

// usageOf sums processes and all that descends from them.
func usageOf(roots []*process) (usage, error) {
	var sum usage
	stats, err := allStats()
	if err != nil {
		return sum, err
	}
	for _, r := range roots {
		if _, ok := stats[r.cmd.Process.Pid]; !ok {
			return sum, r.failed()
		}
		sum.add(stats, r.cmd.Process.Pid)
	}
	return sum, nil
}

func (u *usage) add(stats map[int]stat, pid int) {
	s := stats[pid]
	u.cpu += s.cpu
	u.rss += s.rss
	for child, c := range stats {
		if c.parent == pid {
			u.add(stats, child)
		}
	}
}

// stat is one line of /proc/PID/stat (proc(5)).
type stat struct {
	parent int
	cpu    time.Duration
	rss    int64
}

func allStats() (map[int]stat, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(paths) == 0 {
		return nil, errors.New("the bench reads /proc, which this machine does not have")
	}
	stats := map[int]stat{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if s, ok := parseStat(string(text)); ok {
			stats[pid] = s
		}
	}
	return stats, nil
}

// clockTick is USER_HZ, 100 on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// parseStat counts fields from behind the name, which may hold spaces: state is
// field 3, ppid 4, utime to cstime 14 to 17, rss 24 (in pages).
func parseStat(text string) (stat, bool) {
	i := strings.LastIndexByte(text, ')')
	if i < 0 {
		return stat{}, false
	}
	f := strings.Fields(text[i+1:])
	if len(f) < 22 {
		return stat{}, false
	}
	num := func(field int) int64 { n, _ := strconv.ParseInt(f[field-3], 10, 64); return n }
	ticks := num(14) + num(15) + num(16) + num(17)
	return stat{parent: int(num(4)), cpu: time.Duration(ticks) * clockTick, rss: num(24) * int64(os.Getpagesize())}, true
}

// selfCPU is the processor time of this program, which is the client in some
// of the workloads.
func selfCPU() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
