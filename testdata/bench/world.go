package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"syscall"
)

// world is everything that runs while the bench measures.
type world struct {
	options   options
	log       *slog.Logger
	dir       string
	account   *account
	certs     *certificates
	pgbench   string
	pgPort    int
	processes []*process
	targets   []*target
}

// target is one way from a client to the server.
type target struct {
	name  string
	title string
	port  int
	tls   bool   // the client speaks TLS itself
	role  string // "app" where empty
	// between are the processes between client and server, broker those of
	// them that run on a server rather than beside the client.
	between, broker []*process
}

// dsn is how a client reaches the target.
func (t *target) dsn(w *world) string {
	mode := "sslmode=disable"
	if t.tls {
		mode = "sslmode=verify-full sslrootcert=" + w.certs.ca
	}
	return fmt.Sprintf("host=127.0.0.1 port=%d user=%s password=%s dbname=bench %s", t.port, cmp.Or(t.role, "app"), password, mode)
}

// env is the same for programs that use libpq.
func (t *target) env(w *world) []string {
	env := append(os.Environ(), "PGHOST=127.0.0.1", fmt.Sprint("PGPORT=", t.port), "PGUSER="+cmp.Or(t.role, "app"), "PGPASSWORD="+password,
		"PGDATABASE=bench", "PGSSLMODE=disable", "PGGSSENCMODE=disable")
	if t.tls {
		env = append(env, "PGSSLMODE=verify-full", "PGSSLROOTCERT="+w.certs.ca)
	}
	return env
}

// newWorld starts the server and every target that was asked for.
func newWorld(ctx context.Context, o options, log *slog.Logger) (*world, error) {
	w := &world{options: o, log: log}
	if err := w.build(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *world) build(ctx context.Context) error {
	var err error
	if w.pgbench, err = exec.LookPath("pgbench"); err != nil {
		return fmt.Errorf("find pgbench: %w", err)
	}
	if w.dir, err = os.MkdirTemp("", "hoop-bench-"); err != nil {
		return err
	}
	if err := os.Chmod(w.dir, 0o755); err != nil { // servers of another account live in it
		return err
	}
	if w.account, err = findAccount(); err != nil {
		return err
	}
	if w.certs, err = makeCertificates(w.dir); err != nil {
		return err
	}
	w.log.Info("starting PostgreSQL and loading tables", "rows", w.options.rows)
	if err := w.startPostgres(ctx); err != nil {
		return err
	}
	for _, s := range []struct {
		name  string
		start func(context.Context) (*target, error)
	}{
		{"tcp", w.startDirect}, {"tls", w.startDirectTLS}, {"pgbouncer", w.startPgBouncer},
		{"haproxy", w.startHAProxy}, {"relay", w.startRelay}, {"hoop", w.startHoop},
	} {
		if !w.options.wants(w.options.only, s.name) {
			continue
		}
		w.log.Info("starting", "target", s.name)
		t, err := s.start(ctx)
		if err != nil {
			return fmt.Errorf("start %s: %w", s.name, err)
		}
		t.name = s.name
		w.targets = append(w.targets, t)
	}
	return nil
}

func (w *world) startDirect(context.Context) (*target, error) {
	return &target{title: "direct TCP", port: w.pgPort}, nil
}

func (w *world) startDirectTLS(context.Context) (*target, error) {
	return &target{title: "direct TLS", port: w.pgPort, tls: true}, nil
}

// hold prints how to reach every target and waits.
func (w *world) hold(ctx context.Context) error {
	for _, t := range w.targets {
		pids := []int{}
		for _, p := range t.between {
			pids = append(pids, p.cmd.Process.Pid)
		}
		if _, err := fmt.Printf("%s\t%s\tprocesses %v\n", t.name, t.dsn(w), pids); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// close ends everything in reverse order and deletes the folder.
func (w *world) close() error {
	var errs []error
	for i := len(w.processes) - 1; i >= 0; i-- {
		p := w.processes[i]
		signal := os.Signal(syscall.SIGTERM)
		if p.name == "postgres" {
			signal = syscall.SIGQUIT // nothing in it is worth a checkpoint
		}
		errs = append(errs, p.stop(signal))
	}
	if w.dir != "" {
		errs = append(errs, os.RemoveAll(w.dir))
	}
	return errors.Join(errs...)
}

// freePort asks the kernel for one. Another program may take it before it is
// used; then that program's start fails, and with it the bench.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // a TCP listener has a TCP address
	return port, l.Close()
}
