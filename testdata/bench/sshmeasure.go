package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"time"
)

// sshBench measures two worlds.
type sshBench struct {
	options sshOptions
	log     *slog.Logger
	begin   time.Time
	rounds  int
	results results
	titles  []*way
}

// sshWork is one thing that is done on every way.
type sshWork struct {
	name  string
	bytes func(o *sshOptions, far bool) float64
	run   func(w *sshWorld, y *way) *exec.Cmd
}

func wholeFile(o *sshOptions, far bool) float64 {
	if far {
		return float64(o.far << 20)
	}
	return float64(o.mib << 20)
}

// sshWorks lists what is measured. A name is that of a column.
func sshWorks() []sshWork {
	return []sshWork{
		{"cat down", wholeFile, func(w *sshWorld, y *way) *exec.Cmd { return w.ssh(y, "cat "+w.path("file")) }},
		{"cat up", wholeFile, func(w *sshWorld, y *way) *exec.Cmd { return w.feed(w.ssh(y, "cat >/dev/null")) }},
		{"scp down", wholeFile, func(w *sshWorld, y *way) *exec.Cmd {
			return w.client(y, "scp", "-q", "-F", w.path("ssh_config"), y.host+":"+w.path("file"), w.path("copy"))
		}},
		{"scp up", wholeFile, func(w *sshWorld, y *way) *exec.Cmd {
			return w.client(y, "scp", "-q", "-F", w.path("ssh_config"), w.path("file"), y.host+":"+w.path("copy"))
		}},
	}
}

func (w *sshWorld) ssh(y *way, command string) *exec.Cmd {
	return w.client(y, "ssh", "-F", w.path("ssh_config"), y.host, command)
}

// client is a program on the client's side, which sees hoop's environment alone.
func (w *sshWorld) client(y *way, name string, args ...string) *exec.Cmd {
	cmd := at(w.place.client, name, args...)
	cmd.Env = append(os.Environ(), y.env...)
	return cmd
}

// feed gives a command the file as its input.
func (w *sshWorld) feed(cmd *exec.Cmd) *exec.Cmd {
	f, err := os.Open(w.path("file"))
	if err == nil {
		cmd.Stdin = f
	}
	return cmd
}

// measure runs the rounds.
func (b *sshBench) measure(ctx context.Context, near, far *sshWorld) error {
	b.titles = near.ways
	worlds := []*sshWorld{near}
	if far != nil {
		worlds = append(worlds, far)
	}
	for _, w := range worlds {
		for _, y := range w.ways {
			if err := b.login(ctx, w, y, 1, false); err != nil {
				return err
			}
		}
	}
	for b.rounds < b.options.rounds {
		start := time.Now()
		for _, w := range worlds {
			if err := b.round(ctx, w); err != nil {
				return err
			}
		}
		b.rounds++
		took := time.Since(start)
		b.log.Info("round done", "round", b.rounds, "of", b.options.rounds, "took", took.Round(time.Second))
		if b.options.budget-time.Since(b.begin) < took {
			b.log.Warn("no time for a further round", "rounds", b.rounds)
			break
		}
	}
	return nil
}

// round does everything once in one world, the ways of one work directly after
// one another in an order drawn anew.
func (b *sshBench) round(ctx context.Context, w *sshWorld) error {
	each := func(f func(y *way) error) error {
		ways := slices.Clone(w.ways)
		rand.Shuffle(len(ways), func(i, j int) { ways[i], ways[j] = ways[j], ways[i] })
		for _, y := range ways {
			if err := f(y); err != nil {
				return err
			}
		}
		return nil
	}
	for _, work := range sshWorks() {
		if err := each(func(y *way) error { return b.transfer(ctx, w, y, work) }); err != nil {
			return err
		}
	}
	return each(func(y *way) error { return b.login(ctx, w, y, b.options.logins, true) })
}

// transfer runs one command, with what each side of it used.
func (b *sshBench) transfer(ctx context.Context, w *sshWorld, y *way, work sshWork) error {
	defer func() { _ = os.Remove(w.path("copy")) }() // where there is one
	before, err := w.used(y)
	if err != nil {
		return err
	}
	cmd := work.run(w, y)
	start := time.Now()
	if err := b.do(ctx, cmd, work.name, y); err != nil {
		return err
	}
	took := time.Since(start)
	helper := 0.0
	if y.proxied != "" {
		if helper, err = takeProxied(y.proxied); err != nil {
			return err
		}
	}
	after, err := w.used(y)
	if err != nil {
		return err
	}
	name := work.name
	if w.place.delay {
		name += " far"
	}
	size := work.bytes(&b.options, w.place.delay)
	add := func(metric string, v float64) { b.results.add(y.name, name, metric, v) }
	add("mbs", size/1e6/took.Seconds())
	add("ssh", (cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()).Seconds()/(size/1e9))
	add("helper", helper/(size/1e9))
	add("broker", (after.broker-before.broker).Seconds()/(size/1e9))
	add("sshd", (after.sshd-before.sshd).Seconds()/(size/1e9))
	return nil
}

// do runs a command with its output thrown away.
func (b *sshBench) do(ctx context.Context, cmd *exec.Cmd, what string, y *way) error {
	errs, err := os.CreateTemp("", "hoop-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = errs.Close(); _ = os.Remove(errs.Name()) }()
	cmd.Stderr = errs
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	err = cmd.Wait()
	if f, ok := cmd.Stdin.(*os.File); ok {
		_ = f.Close()
	}
	if err != nil {
		text, _ := os.ReadFile(errs.Name())
		return fmt.Errorf("%s, %s: %w: %s", what, y.title, err, text)
	}
	return nil
}

type sshUsed struct{ broker, sshd time.Duration }

// used is what the servers have used. sshd's children are counted once they are
// gone, which is waited for.
func (w *sshWorld) used(y *way) (sshUsed, error) {
	var u sshUsed
	for range 100 {
		stats, err := allStats()
		if err != nil {
			return u, err
		}
		children := 0
		for _, s := range stats {
			if s.parent == w.sshd.cmd.Process.Pid {
				children++
			}
		}
		if u.sshd = stats[w.sshd.cmd.Process.Pid].cpu; children == 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if y.broker == nil {
		return u, nil
	}
	sum, err := usageOf([]*process{y.broker})
	u.broker = sum.cpu
	return u, err
}

// login runs a command that does nothing, some times in a row.
func (b *sshBench) login(ctx context.Context, w *sshWorld, y *way, times int, keep bool) error {
	for range times {
		cmd := w.ssh(y, "true")
		start := time.Now()
		if err := b.do(ctx, cmd, "ssh true", y); err != nil {
			return err
		}
		took := time.Since(start)
		if y.proxied != "" {
			if _, err := takeProxied(y.proxied); err != nil {
				return err
			}
		}
		if name := map[bool]string{false: "true", true: "true far"}[w.place.delay]; keep {
			b.results.add(y.name, name, "ms", float64(took.Microseconds())/1000)
		}
	}
	return nil
}
