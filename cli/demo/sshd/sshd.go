// Package sshd runs a throwaway OpenSSH server from the program of this
// machine, for the demo and for tests that need a real one.
//
// # Scope
//
// It makes keys and a configuration in a folder, runs sshd on it as an ordinary
// process on a port of 127.0.0.1, and takes it down with its sessions. The one
// user who can log in is the account that this process has, by a key, or by a
// certificate of an authority that TrustUserCA names. It touches no
// configuration of the machine and installs nothing.
package sshd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// Options describe a server. The zero value is a complete one.
type Options struct {
	// Dir holds keys, configuration and log. Where it is empty a folder of its
	// own is made and Stop removes it.
	Dir string
	// Program is the path of sshd; searched for where empty, see FindProgram.
	Program string
	// UserCAs are lines as in authorized_keys, of authorities whose certificates
	// log in; see TrustUserCA.
	UserCAs []string
	// Settings are lines of sshd_config that come before those of this package,
	// and so win: sshd takes the first value of each setting.
	Settings []string
}

// Server is a running server.
type Server struct {
	Host string // 127.0.0.1
	Port int
	User string // who can log in
	Dir  string
	// HostKey is the server's public key, and HostCA that of the authority that
	// signed it, each as in authorized_keys: ssh-ed25519 AAAA…
	HostKey, HostCA string
	// ClientKey is the path of a private key that logs in, ClientPublicKey its
	// public half.
	ClientKey, ClientPublicKey string
	// KnownHosts is the path of a file for UserKnownHostsFile.
	KnownHosts string
	LogFile    string

	program string
	process *process
	remove  string // the folder that Stop removes
}

// Start makes a server and starts it. It returns once the server accepts. ctx
// bounds the start only; the server runs until Stop, or until this process ends
// on Linux.
func Start(ctx context.Context, o Options) (*Server, error) {
	program, err := FindProgram(o.Program)
	if err != nil {
		return nil, err
	}
	s := &Server{Host: "127.0.0.1", program: program}
	if err := s.start(ctx, &o); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, o *Options) error {
	u, err := user.Current()
	if err != nil {
		return fmt.Errorf("find out who runs sshd: %w", err)
	}
	s.User = u.Username
	if err := s.makeDir(o.Dir); err != nil {
		return err
	}
	if err := s.makeKeys(); err != nil {
		return fmt.Errorf("make keys for sshd: %w", err)
	}
	// xauth complains about a file that is not there yet.
	if err := errors.Join(s.write("user_cas", nil), s.write("home/.Xauthority", nil)); err != nil {
		return err
	}
	for _, line := range o.UserCAs {
		if err := s.TrustUserCA(line); err != nil {
			return err
		}
	}
	return s.launch(ctx, o.Settings)
}

func (s *Server) makeDir(dir string) (err error) {
	if dir == "" {
		if s.remove, err = os.MkdirTemp("", "hoop-sshd-"); err != nil {
			return fmt.Errorf("make a folder for sshd: %w", err)
		}
		dir = s.remove
	}
	if s.Dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	s.LogFile, s.KnownHosts = s.path("sshd.log"), s.path("known_hosts")
	return os.MkdirAll(s.path("home"), 0o700)
}

func (s *Server) path(name string) string { return filepath.Join(s.Dir, name) }

func (s *Server) write(name string, data []byte) error {
	if err := os.WriteFile(s.path(name), data, 0o600); err != nil {
		return fmt.Errorf("write a file of sshd: %w", err)
	}
	return nil
}

// TrustUserCA lets certificates of one more authority log in, from now on.
func (s *Server) TrustUserCA(line string) error {
	f, err := os.OpenFile(s.path("user_cas"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("trust a user CA: %w", err)
	}
	_, err = fmt.Fprintln(f, line)
	return errors.Join(err, f.Close())
}

// Address is the host:port that the server listens on.
func (s *Server) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// Log is what the server has written so far.
func (s *Server) Log() string {
	data, _ := os.ReadFile(s.LogFile) // what cannot be read is not shown
	return string(data)
}

// ClientConfig is the text of an ssh_config that reaches the server directly
// under a name.
func (s *Server) ClientConfig(name string) string {
	return fmt.Sprintf(`Host %s
  HostName %s
  Port %d
  User %s
  IdentityFile %q
  IdentitiesOnly yes
  IdentityAgent SSH_AUTH_SOCK
  UserKnownHostsFile %q
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
`, name, s.Host, s.Port, s.User, s.ClientKey, s.KnownHosts)
}

// Stop ends the server and its sessions, and removes the folder that Start
// made. It may be called more than once.
func (s *Server) Stop() error {
	err := s.process.stop()
	s.process = nil
	if s.remove != "" {
		err = errors.Join(err, os.RemoveAll(s.remove))
		s.remove = ""
	}
	return err
}
