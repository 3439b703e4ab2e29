package cli

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"hoop/broker/api"
	"hoop/cli/sshconfig"
)

// sshProtocol is for SSH clients.
func sshProtocol() *protocol {
	return &protocol{
		socket: "ssh.sock",
		refuse: refuseSSH,
		tap:    func(to net.Conn) tap { return sshTap{to} },
		env:    sshEnv,
		uri:    sshURI,
		ready: func(d *door) map[string]any {
			return map[string]any{"host": "127.0.0.1", "port": d.port, "socket_dir": d.dir, "user": sshconfig.Login, "uri": sshURI(d),
				"host_key_alias": d.conn.Name + sshconfig.Suffix}
		},
		text:  sshText,
		other: map[string]func(*door) string{"config": sshHostBlock},
		run:   (*App).runOnSSH,
		use:   func(name string) string { return "hoop ssh " + name },
	}
}

// sshTap has nothing to say: once keys are agreed on, only the broker can speak.
type sshTap struct{ net.Conn }

func (sshTap) end(string) bool { return false }

// How long a client that is refused gets to read why, and the version that it
// sees (RFC 4253 §4.2).
const (
	refusalTime = 2 * time.Second
	sshVersion  = "SSH-2.0-OpenSSH_hoop\r\n"
)

// refuseSSH greets and disconnects with a reason: the message may come before
// keys are agreed on (RFC 4253 §11.1).
func refuseSSH(c net.Conn, f *failure) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(refusalTime))
	text := "hoop: " + f.Message
	if f.Hint != "" {
		text += " (" + f.Hint + ")"
	}
	if _, err := c.Write(append([]byte(sshVersion), disconnectPacket(text)...)); err != nil {
		return
	}
	// Closing with bytes unread would reset the conn, and the client might not
	// see what was written.
	if half, ok := c.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, c)
	}
}

// disconnectPacket is SSH_MSG_DISCONNECT as it stands before there is a cipher
// (RFC 4253 §6).
func disconnectPacket(text string) []byte {
	const (
		msgDisconnect    = 1
		hostNotAllowed   = 1 // SSH_DISCONNECT_HOST_NOT_ALLOWED_TO_CONNECT
		block, leastTail = 8, 4
	)
	payload := append([]byte{msgDisconnect}, binary.BigEndian.AppendUint32(nil, hostNotAllowed)...)
	payload = append(binary.BigEndian.AppendUint32(payload, uint32(len(text))), text...) //nolint:gosec // a short text
	payload = binary.BigEndian.AppendUint32(payload, 0)                                  // no language
	tail := block - (5+len(payload))%block
	if tail < leastTail {
		tail += block
	}
	packet := binary.BigEndian.AppendUint32(nil, uint32(1+len(payload)+tail)) //nolint:gosec // as above
	packet = append(append(packet, byte(tail)), payload...)
	return append(packet, make([]byte, tail)...)
}

func sshEnv(d *door) []string {
	return []string{"HOOP_CONNECTION=" + d.conn.Name, "HOOP_SOCKET_DIR=" + d.dir, "HOOP_SSH_HOST=127.0.0.1",
		"HOOP_SSH_PORT=" + strconv.Itoa(d.port), "HOOP_SSH_USER=" + sshconfig.Login}
}

// sshURI is for programs that know no ssh_config.
func sshURI(d *door) string {
	if d.port == 0 {
		return "ssh://" + sshconfig.Login + "@" + d.conn.Name + sshconfig.Suffix
	}
	return "ssh://" + sshconfig.Login + "@127.0.0.1:" + strconv.Itoa(d.port)
}

func sshText(d *door) string {
	host := d.conn.Name + sshconfig.Suffix
	if d.port == 0 {
		return fmt.Sprintf("  ssh         ssh -o %s %s\n", shellQuote("ProxyCommand=nc -U "+filepath.Join(d.dir, d.speaks.socket)), host)
	}
	return fmt.Sprintf("  ssh         ssh -p %d -o HostKeyAlias=%s -o UserKnownHostsFile=%s %s@127.0.0.1\n"+
		"  others      host 127.0.0.1, port %d, user %s, no password\n",
		d.port, host, shellQuote(d.knownHosts), sshconfig.Login, d.port, sshconfig.Login)
}

// sshHostBlock is an entry for ssh_config.
func sshHostBlock(d *door) string {
	lines := []string{"Host " + d.conn.Name, "  User " + sshconfig.Login, "  HostKeyAlias " + d.conn.Name + sshconfig.Suffix,
		fmt.Sprintf("  UserKnownHostsFile %q", d.knownHosts), "  StrictHostKeyChecking yes", "  PubkeyAuthentication no"}
	if d.port != 0 {
		lines = append(lines, "  HostName 127.0.0.1", "  Port "+strconv.Itoa(d.port))
	} else {
		lines = append(lines, "  ProxyCommand nc -U "+shellQuote(filepath.Join(d.dir, d.speaks.socket)))
	}
	return strings.Join(lines, "\n") + "\n"
}

// runOnSSH runs a program that finds a prepared ssh, or ssh itself.
func (a *App) runOnSSH(ctx context.Context, c *api.Client, conn *api.Connection, o *connectOptions) error {
	files, err := a.sshFiles(ctx, c)
	if err != nil {
		return err
	}
	env := append(os.Environ(), purposeEnv(o.why)...)
	if len(o.command) == 0 {
		return a.runSSH(ctx, files, env, nil, conn.Name+sshconfig.Suffix, nil)
	}
	bin, err := files.WriteWrappers(findProgram)
	if err != nil {
		return err
	}
	remote := "ssh -F " + shellQuote(sshconfig.AlonePath(files.Dir))
	env = append(env, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"),
		"HOOP_CONNECTION="+conn.Name, "HOOP_SSH_HOST="+conn.Name+sshconfig.Suffix, "HOOP_SSH_CONFIG="+sshconfig.AlonePath(files.Dir))
	if runtime.GOOS == "windows" { // no scripts for programs to find there
		env = append(env, "GIT_SSH_COMMAND="+remote, "RSYNC_RSH="+remote)
	}
	return a.runChild(ctx, o.command, env, forwarded()...)
}

// findProgram finds a program on the user's own PATH.
func findProgram(name string) (string, error) { return findIn(os.Getenv("PATH"), name) }
