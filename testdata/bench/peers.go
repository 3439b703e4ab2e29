package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const pgbouncerINI = `[databases]
bench = host=127.0.0.1 port=%d dbname=bench
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s/users.txt
pool_mode = session
max_client_conn = %d
default_pool_size = %d
ignore_startup_parameters = extra_float_digits
client_tls_sslmode = require
client_tls_cert_file = %s/server.pem
client_tls_key_file = %s/server-key.pem
server_tls_sslmode = verify-full
server_tls_ca_file = %s/ca.pem
log_connections = 0
log_disconnections = 0
`

// startPgBouncer runs Debian's PgBouncer with session pooling and TLS on both
// sides: the nearest thing that many have in place today.
func (w *world) startPgBouncer(ctx context.Context) (*target, error) {
	program, err := findProgram("pgbouncer")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(w.dir, "pgbouncer")
	n := w.options.idle + 50
	ini := fmt.Sprintf(pgbouncerINI, w.pgPort, port, dir, n, n, dir, dir, dir)
	if err := errors.Join(w.account.give(dir, nil), w.giveCertificates(dir),
		w.account.give(filepath.Join(dir, "users.txt"), []byte(`"app" "`+password+"\"\n")),
		w.account.give(filepath.Join(dir, "pgbouncer.ini"), []byte(ini))); err != nil {
		return nil, err
	}
	cmd := w.account.as(exec.Command(program, filepath.Join(dir, "pgbouncer.ini")))
	cmd.Dir = dir
	p, err := w.start("pgbouncer", cmd)
	if err != nil {
		return nil, err
	}
	t := &target{title: "PgBouncer, TLS on both sides", port: port, tls: true, between: []*process{p}, broker: []*process{p}}
	return t, w.await(ctx, p, t.dsn(w))
}

const haproxyCfg = `global
  maxconn %d
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen postgres
  bind 127.0.0.1:%d
  server one 127.0.0.1:%d
`

// startHAProxy runs HAProxy in TCP mode without TLS: the cheapest thing that
// still is a process in between.
func (w *world) startHAProxy(ctx context.Context) (*target, error) {
	program, err := findProgram("haproxy")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(w.dir, "haproxy.cfg")
	if err := os.WriteFile(path, fmt.Appendf(nil, haproxyCfg, w.options.idle+100, port, w.pgPort), 0o600); err != nil {
		return nil, err
	}
	p, err := w.start("haproxy", exec.Command(program, "-db", "-f", path))
	if err != nil {
		return nil, err
	}
	t := &target{title: "HAProxy, plain TCP", port: port, between: []*process{p}, broker: []*process{p}}
	return t, w.await(ctx, p, t.dsn(w))
}

// findProgram looks on the PATH and where Debian keeps servers.
func findProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	path := filepath.Join("/usr/sbin", name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is not installed: apt-get install %s", name, name)
	}
	return path, nil
}
