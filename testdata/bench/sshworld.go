package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"time"
)

// sshWorld is one OpenSSH server and the ways to it.
type sshWorld struct {
	world
	options sshOptions
	place   *place
	user    string
	port    int // of sshd
	hostKey string
	sshd    *process
	ways    []*way
}

// way is how a client reaches the server.
type way struct {
	name, title string
	host        string // of the ssh_config
	env         []string
	broker      *process // what is in between, on a server; nil for nothing
	proxied     string   // file in which the client's helper leaves what it used
}

func newSSHWorld(ctx context.Context, o sshOptions, log *slog.Logger, p *place) (*sshWorld, error) {
	w := &sshWorld{world: world{log: log}, options: o, place: p}
	w.world.options.hoop = o.hoop
	if err := w.build(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *sshWorld) build(ctx context.Context) error {
	u, err := user.Current()
	if err != nil {
		return err
	}
	w.user = u.Username
	if w.dir, err = os.MkdirTemp("", "hoop-bench-"); err != nil {
		return err
	}
	if w.certs, err = makeCertificates(w.dir, w.place.address); err != nil {
		return err
	}
	if err := w.makeFile(); err != nil {
		return err
	}
	for _, key := range []string{"host", "client", "relay"} {
		if out, err := exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", w.path(key)).CombinedOutput(); err != nil {
			return fmt.Errorf("make a key: %w: %s", err, out)
		}
	}
	if err := w.startSSHD(ctx); err != nil {
		return err
	}
	for _, start := range []func(context.Context) error{w.addDirect, w.addRelay, w.addHoop} {
		if err := start(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *sshWorld) path(name string) string { return filepath.Join(w.dir, name) }

// makeFile is what is transferred: bytes that nobody can compress or mistake for
// text.
func (w *sshWorld) makeFile() error {
	f, err := os.Create(w.path("file"))
	if err != nil {
		return err
	}
	defer f.Close()
	mib := w.options.mib
	if w.place.delay {
		mib = w.options.far
	}
	block := make([]byte, 1<<20)
	random := rand.NewChaCha8([32]byte{})
	for range mib {
		_, _ = random.Read(block) // it never fails
		if _, err := f.Write(block); err != nil {
			return err
		}
	}
	return f.Close()
}

const sshdConfig = `ListenAddress 0.0.0.0:%d
HostKey %s
AuthorizedKeysFile %s
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp %s
PrintMotd no
PrintLastLog no
UseDNS no
MaxStartups 100
`

// startSSHD runs OpenSSH's server. A home of its own keeps what this machine's
// shells do at their start out of the figures, where root may mount one.
func (w *sshWorld) startSSHD(ctx context.Context) error {
	program, err := findProgram("sshd")
	if err != nil {
		return err
	}
	if w.port, err = freePort(); err != nil {
		return err
	}
	key, err := os.ReadFile(w.path("host.pub"))
	if err != nil {
		return err
	}
	w.hostKey = strings.TrimSpace(string(key))
	conf := fmt.Sprintf(sshdConfig, w.port, w.path("host"), w.path("client.pub"), sftpServer())
	if err := errors.Join(os.WriteFile(w.path("sshd_config"), []byte(conf), 0o600), os.Mkdir(w.path("home"), 0o700)); err != nil {
		return err
	}
	args := []string{program, "-D", "-e", "-f", w.path("sshd_config")}
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return err
		}
		home, err := os.UserHomeDir()
		if err != nil {
			return err
		}
		args = append([]string{"unshare", "-m", "sh", "-c", `mount --bind "$0" "$1"; shift; exec "$@"`, w.path("home"), home}, args...)
	}
	if w.sshd, err = w.start("sshd", at(w.place.server, args[0], args[1:]...)); err != nil {
		return err
	}
	return w.awaitPort(ctx, w.sshd, w.port)
}

func sftpServer() string {
	for _, path := range []string{"/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/libexec/sftp-server"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return "internal-sftp"
}

// awaitPort waits until a server accepts: it is asked from where it runs, by a
// client that needs no more than a conn.
func (w *sshWorld) awaitPort(ctx context.Context, p *process, port int) error {
	for range 300 {
		select {
		case <-p.done:
			return p.failed()
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
		if w.place.server != "" {
			if listens(p.cmd.Process.Pid, port) {
				return nil
			}
			continue
		}
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return c.Close()
		}
	}
	return fmt.Errorf("%s does not listen on port %d", p.name, port)
}

// listens looks into the tables of a process's network namespace (proc(5)).
func listens(pid, port int) bool {
	for _, table := range []string{"tcp", "tcp6"} {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) > 3 && f[3] == "0A" && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
				return true
			}
		}
	}
	return false
}

// hold prints how to reach the server and waits.
func (w *sshWorld) hold(ctx context.Context) error {
	for _, y := range w.ways {
		pid := 0
		if y.broker != nil {
			pid = y.broker.cmd.Process.Pid
		}
		fmt.Printf("%s\tenv %s ssh -F %s %s\tbroker %d\n", y.title, strings.Join(y.env, " "), w.path("ssh_config"), y.host, pid)
	}
	fmt.Println("file", w.path("file"))
	<-ctx.Done()
	return nil
}
