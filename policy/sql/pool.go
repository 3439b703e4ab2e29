package sql

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// errDown is the answer while no worker can be started.
var errDown = errors.New("the SQL analyser is not running")

// errLost is the answer to the one text with which a worker broke.
var errLost = errors.New("the SQL analyser could not cope with the text")

// waitTimeout is how long a text waits for a worker unless Options say otherwise.
const waitTimeout = 2 * time.Minute

// pool keeps workers running and hands texts to them.
type pool struct {
	argv    []string
	timeout func(text string) time.Duration
	wait    time.Duration
	log     *slog.Logger

	asks  chan *ask
	used  chan struct{} // closed once a first text was analysed
	use   sync.Once
	alive atomic.Int32
	down  atomic.Bool // the last start failed and nothing runs

	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup
}

// ask is one text that waits for its analysis.
type ask struct {
	text string
	done chan struct{}
	r    *reply
	err  error
}

func newPool(argv []string, workers int, timeout func(string) time.Duration, wait time.Duration, log *slog.Logger) *pool {
	ctx, stop := context.WithCancel(context.Background())
	p := &pool{argv: argv, timeout: timeout, wait: wait, log: log, asks: make(chan *ask), used: make(chan struct{}), ctx: ctx, stop: stop}
	for i := range workers {
		p.wg.Go(func() { p.keep(i) })
	}
	return p
}

func (p *pool) close() {
	p.stop()
	p.wg.Wait()
}

// analyse waits for a free worker and for its reply.
func (p *pool) analyse(ctx context.Context, text string) (*reply, error) {
	if p.down.Load() {
		return nil, errDown
	}
	a := &ask{text: text, done: make(chan struct{})}
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	select {
	case p.asks <- a:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.ctx.Done():
		return nil, errDown
	case <-timer.C:
		return nil, errDown
	}
	select {
	case <-a.done:
		return a.r, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// keep runs one worker after another. The workers beyond the first are spares:
// they start once the first has been of use.
func (p *pool) keep(index int) {
	if index > 0 {
		select {
		case <-p.used:
		case <-p.ctx.Done():
			return
		}
	}
	for pause := time.Second; p.ctx.Err() == nil; pause = min(2*pause, time.Minute) {
		w, err := p.begin()
		if err == nil {
			p.serve(w)
			pause = time.Second / 2
			continue
		}
		if p.ctx.Err() != nil {
			return
		}
		p.down.Store(p.alive.Load() == 0)
		p.log.Error("SQL worker does not start", "error", err, "retry_in", pause)
		select {
		case <-time.After(pause):
		case <-p.ctx.Done():
		}
	}
}

func (p *pool) begin() (*process, error) {
	began := time.Now()
	w, err := start(p.ctx, p.argv)
	if err != nil {
		return nil, err
	}
	p.alive.Add(1)
	p.down.Store(false)
	p.log.Debug("SQL worker ready", "pid", w.cmd.Process.Pid, "after", time.Since(began))
	return w, nil
}

// serve hands texts to a worker until it breaks or retires.
func (p *pool) serve(w *process) {
	defer p.alive.Add(-1)
	defer w.stop()
	for {
		select {
		case a := <-p.asks:
			if !p.answer(w, a) {
				return
			}
		case <-w.dead:
			p.log.Warn("SQL worker ended", "state", w.obituary())
			return
		case <-p.ctx.Done():
			return
		}
	}
}

func (p *pool) answer(w *process, a *ask) bool {
	defer close(a.done)
	r, err := w.ask(a.text, p.timeout(a.text))
	p.use.Do(func() { close(p.used) })
	if err != nil {
		p.log.Warn("SQL worker lost a text", "bytes", len(a.text), "error", err)
		a.err = errLost
		return false
	}
	a.r = r
	return !r.Retiring
}
