package ssh

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"hoop/broker/enginetest"
)

// TestPromisesOpenSSH runs what a person notices of the suite with the ssh of
// this machine, one connection for many commands (ControlMaster).
func TestPromisesOpenSSH(t *testing.T) {
	enginetest.Run(t, promisesOf(t, openSSH{}),
		"order", "denial", "approval", "approval to open", "revocation", "refuse", "nothing forbidden ran")
}

type openSSH struct{}

// Connect starts a master, which tells that it is connected.
func (openSSH) Connect(ctx context.Context, w *enginetest.Way) (enginetest.Client, error) {
	m := &master{told: w.Told, over: make(chan struct{})}
	var err error
	if m.dir, err = os.MkdirTemp("", "ctl"); err != nil { // paths of sockets are short
		return nil, err
	}
	port, err := m.bridge(ctx, w)
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	cmd := exec.Command("ssh", "-F", "/dev/null", "-M", "-S", m.socket(), "-N", "-p", strconv.Itoa(port), //nolint:gosec // fixed words
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-o", "PubkeyAuthentication=no",
		"-o", "PermitLocalCommand=yes", "-o", "LocalCommand=echo connected", "hoop@127.0.0.1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	cmd.Stderr = m
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	m.process = cmd.Process
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })()
	line, _ := bufio.NewReader(out).ReadString('\n')
	go func() { defer close(m.over); _ = cmd.Wait() }()
	if line == "connected\n" {
		return m, nil
	}
	<-m.over
	return nil, errors.Join(&enginetest.RefusedError{Text: m.says()}, m.Close())
}

// master is an ssh that others share.
type master struct {
	dir     string
	told    func(string)
	door    net.Listener
	bridged sync.WaitGroup
	process *os.Process
	over    chan struct{}

	mu  sync.Mutex
	all strings.Builder
}

func (m *master) socket() string { return filepath.Join(m.dir, "s") }

// Write takes what ssh says to its user.
func (m *master) Write(b []byte) (int, error) {
	m.told(string(b))
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all.Write(b)
}

func (m *master) says() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all.String()
}

// bridge leads one TCP connection to the broker.
func (m *master) bridge(ctx context.Context, w *enginetest.Way) (port int, err error) {
	if m.door, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return 0, err
	}
	far, err := w.Dial(ctx)
	if err != nil {
		return 0, err
	}
	m.bridged.Go(func() {
		defer far.Close()
		near, err := m.door.Accept()
		if err != nil {
			return
		}
		defer near.Close()
		m.bridged.Go(func() { _, _ = io.Copy(far, near); _ = far.Close() })
		_, _ = io.Copy(near, far)
	})
	return m.door.Addr().(*net.TCPAddr).Port, nil
}

// Do runs a command over the master's connection.
func (m *master) Do(ctx context.Context, text string) (string, error) {
	cmd := exec.CommandContext(ctx, "ssh", "-F", "/dev/null", "-S", m.socket(), "hoop@127.0.0.1", text) //nolint:gosec // the suite's own words
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	var out, says bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, io.MultiWriter(&says, teller(m.told))
	open, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	defer open.Close()
	err = cmd.Run()
	if err != nil && ctx.Err() == nil && strings.Contains(says.String(), "hoop: ") {
		return out.String(), &enginetest.RefusedError{Text: fmt.Sprintf("%s%v", says.String(), err)}
	}
	return out.String(), err
}

// Ended waits for the master's end.
func (m *master) Ended(ctx context.Context) error {
	select {
	case <-m.over:
		return errors.New(m.says())
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *master) Close() error {
	if m.process != nil {
		_ = m.process.Kill()
		<-m.over
	}
	if m.door != nil {
		_ = m.door.Close()
	}
	m.bridged.Wait()
	return os.RemoveAll(m.dir)
}
