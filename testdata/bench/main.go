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
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// options is the command line.
type options struct {
	hoop    string        // the program to measure
	out     string        // the page to write; "-" is standard output
	quick   bool          // one short round, while developing
	rounds  int           // how often everything is measured
	queries int           // of one pgbench run with several clients
	rows    int           // rows of customers
	idle    int           // idle sessions per target
	budget  time.Duration // after it no further round begins
	only    string        // comma-separated targets; all where empty
	work    string        // comma-separated workloads; all where empty
	// connection is the one of hoop.yaml that is measured.
	connection string
	hold       bool // measure nothing: keep the targets up to look at them
}

func main() {
	if len(os.Args) > 1 {
		if run := commands()[os.Args[1]]; run != nil {
			os.Exit(run(os.Args[2:]))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := run(ctx, parse(), log); err != nil {
		log.Error("the bench failed", "error", explain(err))
		os.Exit(1)
	}
}

// commands are what else this program is: parts of a world, and the bench of SSH.
func commands() map[string]func([]string) int {
	return map[string]func([]string) int{relayCommand: runRelay, sshCommand: runSSH, sshRelayCommand: runSSHRelay, proxiedCommand: runProxied}
}

func parse() options {
	var o options
	flag.StringVar(&o.hoop, "hoop", "../../bin/hoop", "the hoop program")
	flag.StringVar(&o.out, "out", "-", "the page to write")
	flag.BoolVar(&o.quick, "quick", false, "one short round: for developing, not for publishing")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds")
	flag.IntVar(&o.queries, "queries", 12_000, "queries of one pgbench run; one client sends a third of them")
	flag.IntVar(&o.rows, "rows", 1_000_000, "rows of the table that is read whole")
	flag.IntVar(&o.idle, "idle", 1000, "idle sessions per target")
	flag.DurationVar(&o.budget, "budget", 12*time.Minute, "start no further round after this time")
	flag.StringVar(&o.only, "only", "", "measure only these targets (comma-separated)")
	flag.StringVar(&o.work, "work", "", "measure only these workloads: pgbench, bulk, connect, idle")
	flag.StringVar(&o.connection, "connection", "bench", "the connection of hoop.yaml: bench (labels, analysis cached), exact, or plain (no labels)")
	flag.BoolVar(&o.hold, "hold", false, "measure nothing: keep the targets up until interrupted, and print how to reach them")
	flag.Parse()
	if o.quick {
		o.rounds, o.rows, o.idle, o.queries = min(o.rounds, 2), min(o.rows, 200_000), min(o.idle, 200), min(o.queries, 6000)
	}
	return o
}

func (o *options) wants(list, name string) bool {
	if list == "" {
		return true
	}
	for _, w := range strings.Split(list, ",") {
		if w == name {
			return true
		}
	}
	return false
}

// explain adds what a server said beside its message.
func explain(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return err.Error() + " " + pg.Detail + " " + pg.Hint
	}
	return err.Error()
}

// run builds the world, measures, writes the page and takes all down.
func run(ctx context.Context, o options, log *slog.Logger) (err error) {
	if o.hoop, err = filepath.Abs(o.hoop); err != nil {
		return err
	}
	if _, err := os.Stat(o.hoop); err != nil {
		return fmt.Errorf("find hoop: %w", err)
	}
	begin := time.Now()
	w, err := newWorld(ctx, o, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if o.hold {
		return w.hold(ctx)
	}
	b := &bench{world: w, options: o, log: log, begin: begin, results: results{}}
	if err := b.measure(ctx); err != nil {
		return err
	}
	page := b.page(ctx, describe(ctx, w))
	if o.out == "-" {
		_, err = fmt.Println(page)
		return err
	}
	if err := os.MkdirAll(filepath.Dir(o.out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(o.out, []byte(page), 0o644)
}
