package sshd

import (
	"fmt"
	"net"
	"os"
	"strings"
)

// writeConfig writes sshd_config for a port, and known_hosts for who comes
// directly.
func (s *Server) writeConfig(port int, first []string) error {
	lines := append([]string{
		fmt.Sprintf("ListenAddress %s:%d", s.Host, port),
		fmt.Sprintf("HostKey %q", s.path("host_key")),
		fmt.Sprintf("HostCertificate %q", s.path("host_key-cert.pub")),
		fmt.Sprintf("PidFile %q", s.path("sshd.pid")),
		fmt.Sprintf("AuthorizedKeysFile %q", s.path("authorized_keys")),
		fmt.Sprintf("TrustedUserCAKeys %q", s.path("user_cas")),
		fmt.Sprintf("SetEnv %q", "HOME="+s.path("home")), // what shells there read is nobody's own
	}, first...)
	lines = append(lines, settings...)
	err := s.write("sshd_config", []byte(strings.Join(lines, "\n")+"\n"))
	if err != nil {
		return err
	}
	return s.write("known_hosts", fmt.Appendf(nil, "[%s]:%d %s\n", s.Host, port, s.HostKey))
}

// settings allow whatever a client may ask for: what stands between it and the
// server is to be tested, not the server.
var settings = []string{ //nolint:gochecknoglobals // a table
	"UsePAM no", // so that nothing but this file counts, whoever runs it
	"StrictModes no",
	"PermitRootLogin yes",
	"AuthenticationMethods publickey",
	"PasswordAuthentication no",
	"KbdInteractiveAuthentication no",
	"Subsystem sftp internal-sftp",
	"AllowAgentForwarding yes",
	"AllowTcpForwarding yes",
	"AllowStreamLocalForwarding yes",
	"GatewayPorts clientspecified",
	"X11Forwarding yes",
	"X11UseLocalhost yes",
	"AcceptEnv LANG LC_* HOOP_TEST_*",
	"PrintMotd no",
	"PrintLastLog no",
	"UseDNS no",
	"MaxStartups 1000",
	"MaxSessions 1000",
	"MaxAuthTries 20",
	"LogLevel VERBOSE",
}

// privilegeSeparation makes the folder that sshd demands where it is root.
func privilegeSeparation() error {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, dir := range []string{"/run/sshd", "/var/empty"} {
		if _, err := os.Stat(dir); err == nil {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make the folder that sshd wants to be locked into: %w", err)
		}
	}
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
