package pg

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Exec runs SQL in a database as the superuser, through psql, and stops at the
// first error. It returns what the statements print, unaligned and without
// headers.
func (s *Server) Exec(ctx context.Context, database, sql string) (string, error) {
	return s.psql(ctx, database, "-", strings.NewReader(sql))
}

// ExecFile runs a file of SQL and psql commands in a database as the superuser
// and stops at the first error.
func (s *Server) ExecFile(ctx context.Context, database, path string) error {
	_, err := s.psql(ctx, database, path, nil)
	return err
}

func (s *Server) psql(ctx context.Context, database, file string, stdin io.Reader) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.BinDir, "psql"),
		"--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1", "--file", file)
	cmd.Env = append(cleanEnv(), "PGHOST="+s.SocketDir, "PGPORT="+strconv.Itoa(s.Port), "PGUSER="+s.Superuser,
		"PGPASSWORD="+s.Password, "PGDATABASE="+database)
	cmd.Stdin = stdin
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("run SQL in %s: %w: %s", database, err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSuffix(stdout.String(), "\n"), nil
}
