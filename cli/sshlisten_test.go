package cli

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSSHListenerServesItsOwnerOnly: as for databases, over TCP and over the
// socket, and another user learns why.
func TestSSHListenerServesItsOwnerOnly(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "hoop-own-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	waysOf(t)
	l := start(t, hoopCommand(t, asAlice(t), "connect", "demo-ssh", "--listen", "--format", "config", "--port", freePort(t), "--socket-dir", filepath.Join(dir, "s")))
	port := l.shows(`Port (\d+)`)
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte(l.out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	me := uint32(os.Getuid()) //nolint:gosec // small
	if out, code := as(t, me, "ssh", "-F", config, "demo-ssh", "echo owner; exit 4"); code != 4 || out != "owner\n" {
		t.Errorf("TCP: the owner gets %d %q", code, out)
	}
	for path, want := range map[string]os.FileMode{dir + "/s": 0o700, dir + "/s/ssh.sock": 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, want %o", path, err, want)
		}
	}
	c, err := net.Dial("unix", dir+"/s/ssh.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	greeting := make([]byte, 8)
	if _, err := io.ReadFull(c, greeting); err != nil || string(greeting) != "SSH-2.0-" {
		t.Errorf("socket: the owner reads %q, %v", greeting, err)
	}
	out, code := as(t, 65534, "ssh", "-F", "/dev/null", "-p", port, "127.0.0.1", "true")
	if code != 255 || !strings.Contains(out, "hoop: this listener belongs to uid "+itoa(os.Getuid())+"; you are uid 65534") {
		t.Errorf("TCP: a stranger gets %d %q", code, out)
	}
}

func TestConnectOnATerminalIsSSH(t *testing.T) {
	t.Parallel()
	waysOf(t)
	x := onTerminal(t, hoopCommand(t, asAlice(t), "connect", "demo-ssh"))
	x.type_("echo i'n's'i'de; exit 3\r")
	x.wait("inside")
	if code := x.end(); code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
}

// brokerWithWeb has the connection web, and ann may use it.
func brokerWithWeb(t *testing.T) *brokerProcess {
	t.Helper()
	waysOf(t)
	server := world(t).SSH
	b := newBroker(t, brokerOptions{})
	b.writeShop(t, `
credentials: {web: {user: `+server.User+`, kind: ssh_key, file: `+server.ClientKey+`}}
connections:
- {name: web, protocol: ssh, credential: web, target: {host: 127.0.0.1, port: `+itoa(server.Port)+`, host_keys: ["`+server.HostKey+`"]}}
rules:
- {name: work, who: {groups: [engineer]}, effect: allow}
`)
	b.reload(t, "configuration reloaded")
	return b
}

// TestSSHOutlivesItsNetwork: the client notices nothing of a cut, but for a
// line.
func TestSSHOutlivesItsNetwork(t *testing.T) {
	t.Parallel()
	b := brokerWithWeb(t)
	c := newCutter(t, b.listen)
	env := clientEnv(signInThrough(t, b, c))
	ssh := hoopCommand(t, env, "ssh", "web", "cat; exit 7")
	in, err := ssh.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, ssh)
	for _, word := range []string{"before\n", "between\n", "after\n"} {
		if _, err := io.WriteString(in, word); err != nil {
			t.Fatal(err)
		}
		p.shows(strings.TrimSpace(word))
		if n := c.cut(); n == 0 {
			t.Error("nothing was cut")
		}
	}
	_ = in.Close()
	if code := p.wait(); code != 7 || p.out.String() != "before\nbetween\nafter\n" {
		t.Errorf("exit code %d, output %q", code, p.out.String())
	}
	if !strings.Contains(p.err.String(), "hoop: reconnected") {
		t.Errorf("standard error: %s", p.err.String())
	}
}

// TestSSHSaysWhyItsSessionEnded: somebody takes the connection away.
func TestSSHSaysWhyItsSessionEnded(t *testing.T) {
	t.Parallel()
	b := brokerWithWeb(t)
	p := start(t, hoopCommand(t, b.ann(t), "ssh", "web", "echo up; sleep 100"))
	p.shows("up")
	b.writeShop(t, "rules: []\n")
	b.reload(t, "configuration reloaded")
	p.shows("no longer registered")
	if code := p.wait(); code != 255 {
		t.Errorf("exit code %d, want 255", code)
	}
}
