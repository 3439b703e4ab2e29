package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// proxiedCommand makes this program the parent of a ProxyCommand, which ssh does
// not wait for: it keeps what that used.
const proxiedCommand = "proxied"

// runProxied runs a command on its own standard input and output, no byte of
// which it touches, and writes the seconds of processor time to a file.
func runProxied(args []string) int {
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, os.Interrupt)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// Were its ends still open here, neither side would see the other's end.
	_, _ = os.Stdin.Close(), os.Stdout.Close()
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	_ = cmd.Wait() // ssh has told what there is to tell
	text, err := json.Marshal((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
	if err == nil {
		err = os.WriteFile(args[0]+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(args[0]+".new", args[0])
	}
	if err != nil {
		return 1
	}
	return cmd.ProcessState.ExitCode()
}

// takeProxied reads such a file once it is there.
func takeProxied(path string) (float64, error) {
	for range 100 {
		text, err := os.ReadFile(path)
		if err == nil {
			var seconds float64
			if err := json.Unmarshal(text, &seconds); err != nil {
				return 0, err
			}
			return seconds, os.Remove(path)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return 0, fmt.Errorf("the client's helper did not end: %s is missing", path)
}
