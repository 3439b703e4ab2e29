package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// sshCommand makes this program the bench of SSH.
const sshCommand = "ssh"

// sshOptions is its command line.
type sshOptions struct {
	hoop   string
	out    string
	mib    int // of one transfer over loopback
	far    int // of one with the delay, in MiB; 0 for none
	logins int // how often a command that does nothing is run in a row
	rounds int
	budget time.Duration
	hold   bool
}

// runSSH measures SSH and writes the page.
func runSSH(args []string) int {
	var o sshOptions
	set := flag.NewFlagSet(sshCommand, flag.ExitOnError)
	set.StringVar(&o.hoop, "hoop", "../../bin/hoop", "the hoop program")
	set.StringVar(&o.out, "out", "-", "the page to write")
	set.IntVar(&o.mib, "size", 1024, "MiB of one transfer over loopback")
	set.IntVar(&o.far, "far", 96, "MiB of one transfer with 80 ms of delay; 0 leaves those out")
	set.IntVar(&o.logins, "logins", 5, "how often ssh host true is run in a row")
	set.IntVar(&o.rounds, "rounds", 4, "rounds")
	set.DurationVar(&o.budget, "budget", 9*time.Minute, "start no further round after this time")
	set.BoolVar(&o.hold, "hold", false, "measure nothing: keep the targets up until interrupted, and print how to reach them")
	_ = set.Parse(args) // it exits
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := o.run(ctx, log); err != nil {
		log.Error("the bench failed", "error", err)
		return 1
	}
	return 0
}

// run measures over loopback first, then with a delay, and writes the page.
func (o sshOptions) run(ctx context.Context, log *slog.Logger) (err error) {
	if o.hoop, err = filepath.Abs(o.hoop); err != nil {
		return err
	}
	b := &sshBench{options: o, log: log, begin: time.Now(), results: results{}}
	near, err := newSSHWorld(ctx, o, log, here())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, near.close()) }()
	if o.hold {
		return near.hold(ctx)
	}
	var far *sshWorld
	if o.far > 0 {
		place, err := makeDistance(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, place.close()) }()
		if far, err = newSSHWorld(ctx, o, log, place); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, far.close()) }()
	}
	if err := b.measure(ctx, near, far); err != nil {
		return err
	}
	page := b.page(describeSSH(ctx, o.hoop))
	if o.out == "-" {
		_, err = fmt.Println(page)
		return err
	}
	return os.WriteFile(o.out, []byte(page), 0o644)
}
