package pg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// initdb makes the cluster in DataDir and configures it.
func (s *Server) initdb(ctx context.Context, opts Options) error {
	if _, err := os.Stat(filepath.Join(s.DataDir, "PG_VERSION")); err == nil {
		return fmt.Errorf("make a cluster: %s holds one already", s.DataDir)
	}
	if err := s.runInitdb(ctx); err != nil {
		return err
	}
	if err := s.writeHBA(opts); err != nil {
		return fmt.Errorf("write pg_hba.conf: %w", err)
	}
	if opts.TLS != nil {
		if err := s.copyTLS(opts.TLS); err != nil {
			return fmt.Errorf("install the server's certificate: %w", err)
		}
	}
	if err := s.writeConf(opts); err != nil {
		return fmt.Errorf("write postgresql.conf: %w", err)
	}
	return nil
}

func (s *Server) runInitdb(ctx context.Context) error {
	pwfile := s.DataDir + ".pw" // beside: initdb wants an empty directory
	defer os.Remove(pwfile)
	if err := s.account.write(pwfile, []byte(s.Password+"\n")); err != nil {
		return fmt.Errorf("hand initdb the password: %w", err)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.BinDir, "initdb"),
		"--pgdata", s.DataDir, "--username", s.Superuser, "--pwfile", pwfile,
		"--encoding", "UTF8", "--locale", "C", "--auth", "scram-sha-256", "--no-sync")
	cmd.Dir, cmd.Env = s.DataDir, cleanEnv()
	cmd.SysProcAttr = s.account.onceAttr()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func (s *Server) writeHBA(opts Options) error {
	method := opts.Auth
	if method == "" {
		method = "scram-sha-256"
	}
	local := method
	if method == "cert" { // only over TLS
		local = "scram-sha-256"
	}
	lines := append(slices.Clone(opts.HBA),
		"local all all "+local,
		"host all all 127.0.0.1/32 "+method,
		"local replication all "+local,
		"host replication all 127.0.0.1/32 "+method,
	)
	return s.account.write(filepath.Join(s.DataDir, "pg_hba.conf"), []byte(strings.Join(lines, "\n")+"\n"))
}

func (s *Server) copyTLS(t *TLS) error {
	for name, from := range map[string]string{"server.crt": t.CertFile, "server.key": t.KeyFile, "ca.crt": t.CAFile} {
		if from == "" && name == "ca.crt" {
			continue
		}
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := s.account.write(filepath.Join(s.DataDir, name), data); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) writeConf(opts Options) error {
	f, err := os.OpenFile(filepath.Join(s.DataDir, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	set := s.settings(opts)
	for _, name := range slices.Sorted(maps.Keys(set)) {
		_, werr := fmt.Fprintf(f, "%s = '%s'\n", name, strings.ReplaceAll(set[name], "'", "''"))
		err = errors.Join(err, werr)
	}
	return errors.Join(err, f.Close())
}

// cleanEnv is the environment without what steers PostgreSQL's programs.
func cleanEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "PG") })
}
