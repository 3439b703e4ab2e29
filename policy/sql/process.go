package sql

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// process is one running worker, used by one goroutine at a time.
type process struct {
	cmd     *exec.Cmd
	in, out *os.File
	dead    chan struct{} // closed when the process has ended
}

// startTimeout is how long a worker may take to be ready.
const startTimeout = 2 * time.Minute

// start runs a worker and waits until it is ready. The worker inherits no
// environment and no file but its two pipes.
func start(ctx context.Context, argv []string) (*process, error) {
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("open a pipe to the worker: %w", err)
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		_, _ = childIn.Close(), in.Close()
		return nil, fmt.Errorf("open a pipe from the worker: %w", err)
	}
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), in: in, out: out, dead: make(chan struct{})}
	p.cmd.Stdin, p.cmd.Stdout = childIn, childOut
	p.cmd.Env = []string{"GOMEMLIMIT=512MiB", "GOTRACEBACK=none"}
	p.cmd.SysProcAttr = workerAttr()
	err = p.cmd.Start()
	_, _ = childIn.Close(), childOut.Close()
	if err != nil {
		_, _ = in.Close(), out.Close()
		return nil, fmt.Errorf("start the worker: %w", err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.dead)
	}()
	if err := p.ready(ctx); err != nil {
		p.stop()
		return nil, fmt.Errorf("wait for the worker: %w", err)
	}
	return p, nil
}

func (p *process) ready(ctx context.Context) error {
	release := context.AfterFunc(ctx, func() { _ = p.out.SetReadDeadline(time.Now()) })
	defer release()
	if err := p.out.SetReadDeadline(time.Now().Add(startTimeout)); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	payload, err := readFrame(p.out, maxReply)
	if err != nil {
		return err
	}
	_, err = decodeReply(payload, "")
	return err
}

// ask has the worker analyse a text. After an error the process is of no use.
func (p *process) ask(text string, within time.Duration) (*reply, error) {
	deadline := time.Now().Add(within)
	_, _ = p.in.SetWriteDeadline(deadline), p.out.SetReadDeadline(deadline)
	if err := writeFrame(p.in, []byte(text)); err != nil {
		return nil, fmt.Errorf("send a text to the worker: %w", err)
	}
	payload, err := readFrame(p.out, maxReply)
	if err != nil {
		return nil, fmt.Errorf("await the worker's reply: %w", err)
	}
	return decodeReply(payload, text)
}

// stop ends the process and waits for its end.
func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	_, _ = p.in.Close(), p.out.Close()
	<-p.dead
}

// obituary says how a process that has ended did.
func (p *process) obituary() string { return p.cmd.ProcessState.String() }
