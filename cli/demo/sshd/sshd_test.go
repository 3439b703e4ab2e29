package sshd

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func start(t *testing.T, o Options) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// client is OpenSSH's, on the server's configuration.
func client(t *testing.T, s *Server, args ...string) *exec.Cmd {
	t.Helper()
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte(s.ClientConfig("there")), 0o600); err != nil {
		t.Fatal(err)
	}
	return exec.CommandContext(t.Context(), "ssh", append([]string{"-F", config, "there"}, args...)...)
}

func TestServerAnswersAndGoes(t *testing.T) {
	s := start(t, Options{})
	out, err := client(t, s, "echo hello; exit 7").CombinedOutput()
	var exit *exec.ExitError
	if string(out) != "hello\n" || !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Fatalf("got %q, %v; the server's log:\n%s", out, err, s.Log())
	}
	long := client(t, s, "echo up; sleep 60")
	pipe, err := long.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := long.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := pipe.Read(make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := long.Wait(); err == nil { // the test's own limit, had the session lived on
		t.Error("a session outlived its server")
	}
	if _, err := net.Dial("tcp", s.Address()); err == nil {
		t.Error("the port still answers after Stop")
	}
	if _, err := os.Stat(s.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestCertificatesOfATrustedAuthorityLogIn(t *testing.T) {
	ca, _, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	key, _, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, Options{Dir: t.TempDir()})
	cert := &ssh.Certificate{Key: key.PublicKey(), CertType: ssh.UserCert, ValidPrincipals: []string{s.User}, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewCertSigner(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	hostCA, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s.HostCA))
	if err != nil {
		t.Fatal(err)
	}
	check := &ssh.CertChecker{IsHostAuthority: func(k ssh.PublicKey, _ string) bool { return string(k.Marshal()) == string(hostCA.Marshal()) }}
	config := &ssh.ClientConfig{User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: check.CheckHostKey,
		HostKeyAlgorithms: []string{ssh.CertAlgoED25519v01}}
	if c, err := ssh.Dial("tcp", s.Address(), config); err == nil {
		c.Close()
		t.Fatal("a certificate of nobody's logged in")
	}
	if err := s.TrustUserCA(line(ca.PublicKey())); err != nil {
		t.Fatal(err)
	}
	c, err := ssh.Dial("tcp", s.Address(), config)
	if err != nil {
		t.Fatalf("%v; the server's log:\n%s", err, s.Log())
	}
	c.Close()
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	if _, err := Start(t.Context(), Options{Program: filepath.Join(t.TempDir(), "sshd")}); !errors.Is(err, ErrNoServer) {
		t.Errorf("a missing program gave: %v", err)
	}
	_, err := Start(t.Context(), Options{Settings: []string{"NoSuchSetting yes"}})
	if err == nil || !strings.Contains(err.Error(), "NoSuchSetting") {
		t.Errorf("an unknown setting gave: %v", err)
	}
}
