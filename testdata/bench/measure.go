package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os/exec"
	"slices"
	"time"
)

// bench measures a world.
type bench struct {
	world   *world
	options options
	log     *slog.Logger
	begin   time.Time
	rounds  int // finished ones
	results results
}

// key names one number: a target, a workload and what was measured of it.
type key struct{ target, workload, metric string }

// results holds one value per round.
type results map[key][]float64

func (r results) add(target, workload, metric string, v float64) {
	k := key{target, workload, metric}
	r[k] = append(r[k], v)
}

// median gives false where nothing was measured.
func (r results) median(target, workload, metric string) (float64, bool) {
	v := slices.Clone(r[key{target, workload, metric}])
	if len(v) == 0 {
		return 0, false
	}
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2, true
	}
	return v[len(v)/2], true
}

// workload is one thing that is done on every target.
type workload struct {
	name string
	run  func(context.Context, *target, string) error
}

// measure runs the rounds, then what is measured once.
func (b *bench) measure(ctx context.Context) error {
	if err := b.warmUp(ctx); err != nil {
		return err
	}
	work := b.workloads()
	for b.rounds < b.options.rounds {
		start := time.Now()
		if err := b.round(ctx, work); err != nil {
			return err
		}
		b.rounds++
		took := time.Since(start)
		b.log.Info("round done", "round", b.rounds, "of", b.options.rounds, "took", took.Round(time.Second))
		if left := b.options.budget - time.Since(b.begin); left < took+b.idleTime() {
			b.log.Warn("no time for a further round", "rounds", b.rounds)
			break
		}
	}
	if !b.options.wants(b.options.work, "idle") {
		return nil
	}
	for _, t := range b.world.targets {
		if err := b.idle(ctx, t); err != nil {
			return fmt.Errorf("idle sessions, %s: %w", t.name, err)
		}
	}
	return nil
}

// warmUp has every target answer, and waits for what its start still costs.
func (b *bench) warmUp(ctx context.Context) error {
	for _, t := range b.world.targets {
		for _, protocol := range protocols {
			cmd := exec.CommandContext(ctx, b.world.pgbench, "-S", "-n", "-M", protocol, "-c", "4", "-t", "100", "bench")
			cmd.Env = t.env(b.world)
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("warm up %s: %w\n%s", t.name, err, out)
			}
		}
		if err := quiet(ctx, t.between); err != nil {
			return err
		}
	}
	return nil
}

// quiet waits until processes have used no processor for half a second, but not
// for longer than half a minute.
func quiet(ctx context.Context, ps []*process) error {
	last := time.Duration(-1)
	for range 60 {
		u, err := usageOf(ps)
		if err != nil || u.cpu == last {
			return err
		}
		last = u.cpu
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
	return nil
}

// idleTime is about what the idle sessions will take.
func (b *bench) idleTime() time.Duration {
	return time.Duration(len(b.world.targets)) * (5*time.Second + time.Duration(b.options.idle)*12*time.Millisecond)
}

// round does everything once. The targets of one workload come directly after
// one another, in an order drawn anew, so that what disturbs the machine for a
// while disturbs no target more than the others.
func (b *bench) round(ctx context.Context, work []workload) error {
	for _, w := range work {
		targets := slices.Clone(b.world.targets)
		rand.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
		for _, t := range targets {
			if err := b.one(ctx, w, t); err != nil {
				return fmt.Errorf("%s, %s: %w", w.name, t.name, err)
			}
		}
	}
	return nil
}

// one runs a workload with the processor time of what lies in between.
func (b *bench) one(ctx context.Context, w workload, t *target) error {
	before, err := usageOf(t.between)
	if err != nil {
		return err
	}
	if err := w.run(ctx, t, w.name); err != nil {
		return err
	}
	after, err := usageOf(t.between)
	if err != nil {
		return err
	}
	b.results.add(t.name, w.name, "cpu", (after.cpu - before.cpu).Seconds())
	return nil
}

func (b *bench) workloads() []workload {
	var work []workload
	want := func(name string) bool { return b.options.wants(b.options.work, name) }
	if want("pgbench") {
		for _, clients := range clientCounts {
			for _, protocol := range protocols {
				work = append(work, b.pgbenchWorkload(clients, protocol))
			}
		}
	}
	if want("connect") {
		work = append(work, workload{"connect", b.connect})
	}
	if want("bulk") {
		work = append(work, workload{"select", b.selectAll}, workload{"copy", b.copyOut})
	}
	return work
}

var (
	clientCounts = [...]int{1, 8, 32}
	protocols    = [...]string{"simple", "extended", "prepared"}
)

var errUnexpected = errors.New("the server answered something else")
