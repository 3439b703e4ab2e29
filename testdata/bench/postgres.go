package main

import (
	"context"
	_ "embed" // the table
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

//go:embed customers.sql
var customersSQL string

// password is that of every account of the throw-away cluster.
const password = "bench-only-password"

// The settings of the server: nothing that waits for a disk or changes plans
// between two runs.
const postgresConf = `
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
port = %d
max_connections = %d
shared_buffers = 1GB
max_wal_size = 8GB
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
jit = off
max_parallel_workers_per_gather = 0
password_encryption = scram-sha-256
ssl = on
ssl_cert_file = 'server.pem'
ssl_key_file = 'server-key.pem'
`

// account is whom servers run as that refuse root; nil is ourselves.
type account struct{ uid, gid int }

func findAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uerr := strconv.Atoi(u.Uid)
		gid, gerr := strconv.Atoi(u.Gid)
		return &account{uid, gid}, errors.Join(uerr, gerr)
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no account postgres or nobody")
}

// as makes a command of the account.
func (a *account) as(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if a != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)} //nolint:gosec // read from the user database
	}
	return cmd
}

// give makes a folder or file the account's.
func (a *account) give(path string, data []byte) error {
	var err error
	if data == nil {
		err = os.MkdirAll(path, 0o700)
	} else {
		err = os.WriteFile(path, data, 0o600)
	}
	if err == nil && a != nil {
		err = os.Chown(path, a.uid, a.gid)
	}
	return err
}

// giveCertificates copies the server's certificate and key into a folder.
func (w *world) giveCertificates(dir string) error {
	for _, from := range []string{w.certs.ca, w.certs.cert, w.certs.key} {
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := w.account.give(filepath.Join(dir, filepath.Base(from)), data); err != nil {
			return err
		}
	}
	return nil
}

// startPostgres makes the cluster, starts it and loads the tables.
func (w *world) startPostgres(ctx context.Context) error {
	bin, err := postgresBin()
	if err != nil {
		return err
	}
	data := filepath.Join(w.dir, "pg")
	pwfile := filepath.Join(w.dir, "pgpass")
	if err := errors.Join(w.account.give(data, nil), w.account.give(pwfile, []byte(password+"\n"))); err != nil {
		return err
	}
	initdb := w.account.as(exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "--pwfile", pwfile,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"))
	initdb.Dir = w.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if w.pgPort, err = freePort(); err != nil {
		return err
	}
	conf := fmt.Sprintf(postgresConf, w.pgPort, 2*w.options.idle+150) // PgBouncer keeps what it once opened
	hba := "hostssl bench " + relayRole + " 127.0.0.1/32 password\nhost all all 127.0.0.1/32 scram-sha-256\n"
	if err := errors.Join(w.giveCertificates(data), w.account.give(filepath.Join(data, "pg_hba.conf"), []byte(hba)), appendFile(filepath.Join(data, "postgresql.conf"), conf)); err != nil {
		return err
	}
	cmd := w.account.as(exec.Command(filepath.Join(bin, "postgres"), "-D", data))
	cmd.Dir = data
	p, err := w.start("postgres", cmd)
	if err != nil {
		return err
	}
	if err := w.await(ctx, p, w.direct("postgres", "postgres")); err != nil {
		return err
	}
	return w.load(ctx)
}

// postgresBin finds a server's programs, the newest Debian version first.
func postgresBin() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if path, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		if _, err := os.Stat(filepath.Join(dirs[i], "initdb")); err == nil {
			return dirs[i], nil
		}
	}
	return "", errors.New("PostgreSQL is not installed: apt-get install postgresql")
}

func (w *world) direct(role, database string) string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=%s password=%s dbname=%s sslmode=disable", w.pgPort, role, password, database)
}

// await connects until that works, for at most 30 seconds.
func (w *world) await(ctx context.Context, p *process, dsn string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, dsn)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-p.done:
			return p.failed()
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w (%s)", p.name, err, p.failed())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// load makes the tables of pgbench and customers, owned by the role app.
func (w *world) load(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, w.direct("postgres", "postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	statements := []string{"CREATE ROLE app LOGIN PASSWORD '" + password + "'", "CREATE DATABASE bench OWNER app",
		"CREATE ROLE " + relayRole + " LOGIN PASSWORD '" + password + "' IN ROLE app",
		"ALTER ROLE app SET log_min_messages = fatal"} // what hoop asks for where columns are labelled
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("prepare the database: %w", err)
		}
	}
	init := exec.CommandContext(ctx, w.pgbench, "-i", "-q", "-s", "10", "-h", "127.0.0.1", "-p", strconv.Itoa(w.pgPort), "-U", "app", "bench")
	init.Env = append(os.Environ(), "PGPASSWORD="+password, "PGSSLMODE=disable")
	if out, err := init.CombinedOutput(); err != nil {
		return fmt.Errorf("pgbench -i: %w\n%s", err, out)
	}
	app, err := pgx.Connect(ctx, w.direct("app", "bench"))
	if err != nil {
		return err
	}
	defer func() { _ = app.Close(ctx) }()
	for _, sql := range strings.Split(strings.ReplaceAll(customersSQL, "{{rows}}", strconv.Itoa(w.options.rows)), ";\n") {
		if _, err := app.Exec(ctx, sql); err != nil {
			return fmt.Errorf("load customers: %w", err)
		}
	}
	return nil
}

func appendFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
