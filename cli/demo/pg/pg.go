// Package pg runs a throwaway PostgreSQL server from the binaries of this
// machine, for the demo and for tests that need a real one.
//
// # Scope
//
// It makes a new cluster, starts it, runs SQL in it and takes it down. It never
// touches a cluster that it did not make, installs nothing, and gives up
// durability unless asked: what such a server holds is lost on purpose.
package pg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
)

// Superuser is the role that owns every cluster made here.
const Superuser = "postgres"

// Options describe a server. The zero value is a complete one.
type Options struct {
	// Dir holds the cluster, its log and its socket; it must not hold a cluster
	// yet. Where it is empty, or the account the server runs under may not
	// enter it, a directory of its own is made and Stop removes it.
	Dir string
	// BinDir holds the binaries; searched for where empty, see FindBinaries.
	BinDir string
	// Settings go into postgresql.conf and override what is set here.
	Settings map[string]string
	// Auth is the method of pg_hba.conf on TCP and on the unix socket:
	// scram-sha-256 where empty.
	Auth string
	// HBA lines stand before the general ones in pg_hba.conf.
	HBA []string
	// TLS switches ssl on.
	TLS *TLS
	// Durable keeps fsync on.
	Durable bool
}

// TLS names PEM files; they are copied, so the server need not read them.
type TLS struct {
	CertFile, KeyFile string
	CAFile            string // for client certificates; optional
}

// Server is a running server.
type Server struct {
	BinDir    string // the binaries it runs from
	DataDir   string
	Host      string // 127.0.0.1
	Port      int
	SocketDir string
	Superuser string
	Password  string // of Superuser
	LogFile   string

	process *process
	account *account
	remove  []string // directories that Stop removes
}

// Start makes a cluster and starts a server on it, on a free port of 127.0.0.1
// and on a unix socket. It returns once queries are answered. ctx bounds the
// start only; the server runs until Stop, or until this process ends on Linux.
func Start(ctx context.Context, opts Options) (*Server, error) {
	bin, err := FindBinaries(opts.BinDir)
	if err != nil {
		return nil, err
	}
	s := &Server{BinDir: bin, Host: "127.0.0.1", Superuser: Superuser, Password: rand.Text()}
	if err := s.start(ctx, opts); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, opts Options) error {
	var err error
	if s.account, err = findAccount(); err != nil {
		return err
	}
	if err := s.makeDirs(opts.Dir); err != nil {
		return err
	}
	if err := s.initdb(ctx, opts); err != nil {
		return err
	}
	return s.launch(ctx)
}

// makeDirs chooses where the cluster lies and makes the directories.
func (s *Server) makeDirs(dir string) error {
	if dir == "" || !s.account.mayEnter(dir) {
		tmp, err := os.MkdirTemp("", "hoop-pg-")
		if err != nil {
			return fmt.Errorf("make a directory for postgres: %w", err)
		}
		s.remove = append(s.remove, tmp)
		dir = tmp
		// The socket in it is for every account: its password guards it.
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	s.DataDir, s.LogFile = filepath.Join(dir, "data"), filepath.Join(dir, "postgres.log")
	if s.SocketDir = filepath.Join(dir, "run"); len(s.SocketDir) > maxSocketDir {
		if s.SocketDir, err = os.MkdirTemp("", "hoop-pg-"); err != nil {
			return fmt.Errorf("make a directory for the socket: %w", err)
		}
		s.remove = append(s.remove, s.SocketDir)
	}
	if err := s.account.mkdir(s.DataDir, 0o700); err != nil {
		return err
	}
	return s.account.mkdir(s.SocketDir, 0o755)
}

// maxSocketDir leaves room for "/.s.PGSQL.65535" in the 104 bytes that macOS
// gives a socket's path.
const maxSocketDir = 104 - 16

// launch starts the server, on another port where one was taken meanwhile.
func (s *Server) launch(ctx context.Context) error {
	const tries = 5
	for try := 1; ; try++ {
		port, err := freePort()
		if err != nil {
			return err
		}
		err = s.launchOn(ctx, port)
		if err == nil || try == tries || !errors.Is(err, errPortTaken) {
			return err
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// URL is the connection string of the superuser for a database over TCP. It
// holds the password.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(s.Superuser, s.Password),
		Host: net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), Path: "/" + database,
	}
	return u.String()
}

// Stop ends the server and all its sessions, and removes what Start made
// outside Options.Dir. It may be called more than once.
func (s *Server) Stop() error {
	err := s.process.stop()
	s.process = nil
	for _, dir := range s.remove {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	s.remove = nil
	return err
}

// settings are those of Options over ours.
func (s *Server) settings(opts Options) map[string]string {
	set := map[string]string{
		"listen_addresses":        s.Host,
		"unix_socket_directories": s.SocketDir,
		"timezone":                "UTC",
		"log_timezone":            "UTC",
	}
	if !opts.Durable {
		set["fsync"], set["full_page_writes"], set["synchronous_commit"] = "off", "off", "off"
	}
	if opts.TLS != nil {
		set["ssl"] = "on"
		set["ssl_cert_file"], set["ssl_key_file"] = "server.crt", "server.key"
		if opts.TLS.CAFile != "" {
			set["ssl_ca_file"] = "ca.crt"
		}
	}
	maps.Copy(set, opts.Settings)
	return set
}
