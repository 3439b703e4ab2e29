package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	_ "embed" // the configuration
)

//go:embed ssh.yaml
var sshYAML string

// common stands in every host's block. Nothing of this machine's own
// configuration counts, and no conn is shared.
const common = `  User %s
  IdentityFile %s
  IdentitiesOnly yes
  UserKnownHostsFile %s
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
  ControlMaster no
`

// addHost writes one host's block.
func (w *sshWorld) addHost(name string, port int, key string, more ...string) error {
	known := w.path("known_hosts")
	block := fmt.Sprintf("Host %s\n  HostName %s\n  Port %d\n", name, w.place.address, port) + fmt.Sprintf(common, w.user, w.path("client"), known)
	for _, m := range more {
		block += "  " + m + "\n"
	}
	return errors.Join(appendTo(w.path("ssh_config"), block), appendTo(known, fmt.Sprintf("[%s]:%d %s\n", w.place.address, port, key)))
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

const gcm = "aes128-gcm@openssh.com"

// addDirect is OpenSSH alone, with the cipher that it prefers and with the one
// that hoop uses.
func (w *sshWorld) addDirect(context.Context) error {
	w.ways = append(w.ways, &way{name: "direct", title: "direct, OpenSSH's default cipher", host: "direct"},
		&way{name: "gcm", title: "direct, aes128-gcm", host: "direct-gcm"})
	return errors.Join(w.addHost("direct", w.port, w.hostKey), w.addHost("direct-gcm", w.port, w.hostKey, "Ciphers "+gcm))
}

// addRelay is the least that somebody who ends SSH in between can do.
func (w *sshWorld) addRelay(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	p, err := w.start("ssh-relay", at(w.place.server, self, sshRelayCommand, "-listen", fmt.Sprint(port), "-to", fmt.Sprint(w.port),
		"-user", w.user, "-host-key", w.path("relay"), "-key", w.path("client")))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(w.path("relay.pub"))
	if err != nil {
		return err
	}
	w.ways = append(w.ways, &way{name: "relay", title: "plain x/crypto relay, aes128-gcm", host: "relay", broker: p})
	return errors.Join(w.addHost("relay", port, strings.TrimSpace(string(key)), "Ciphers "+gcm), w.awaitPort(ctx, p, port))
}

// addHoop is a broker, and hoop ssh-proxy for each ssh.
func (w *sshWorld) addHoop(ctx context.Context) error {
	dir := w.path("hoop")
	port, err := freePort()
	if err != nil {
		return err
	}
	token, jwks, err := makeToken()
	if err != nil {
		return err
	}
	key, err := os.ReadFile(w.path("client"))
	if err != nil {
		return err
	}
	conf := strings.NewReplacer("{{address}}", w.place.address.String(), "{{port}}", fmt.Sprint(port), "{{ssh}}", fmt.Sprint(w.port), "{{cert}}", w.certs.cert,
		"{{key}}", w.certs.key, "{{issuer}}", issuerURL, "{{dir}}", dir, "{{user}}", w.user, "{{host_key}}", w.hostKey).Replace(sshYAML)
	err = os.Mkdir(dir, 0o700)
	for name, text := range map[string]string{"hoop.yaml": conf, "key": string(key), "token": token, "jwks.json": jwks} {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	if err != nil {
		return err
	}
	broker, err := w.start("hoop-broker", at(w.place.server, w.options.hoop, "broker", "run", "--config", filepath.Join(dir, "hoop.yaml")))
	if err != nil {
		return err
	}
	if err := w.awaitPort(ctx, broker, port); err != nil {
		return err
	}
	y := &way{name: "hoop", title: "hoop", host: "bench.hoop", broker: broker, proxied: w.path("proxied"), env: []string{
		fmt.Sprintf("HOOP_BROKER=https://%s:%d", w.place.address, port), "HOOP_CA_FILE=" + w.certs.ca,
		"HOOP_CONFIG_DIR=" + w.path("client-config"), "HOOP_KEYRING=file"}}
	w.ways = append(w.ways, y)
	return w.signIn(ctx, y, filepath.Join(dir, "token"))
}

// signIn does what a person does once, and puts the measuring helper before
// hoop's own.
func (w *sshWorld) signIn(ctx context.Context, y *way, token string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	block := fmt.Sprintf("Host %s\n  ProxyCommand %s %s %s %s ssh-proxy %%h\n  GlobalKnownHostsFile /dev/null\n  ControlMaster no\n", y.host, self, proxiedCommand, y.proxied, w.options.hoop)
	if err := appendTo(w.path("ssh_config"), block); err != nil {
		return err
	}
	for _, args := range [][]string{{"login", "--token-file", token}, {"ssh", "config", "install", "--file", w.path("ssh_config")}} {
		ctx, stop := context.WithTimeout(ctx, time.Minute)
		cmd := at(w.place.client, w.options.hoop, args...)
		cmd.Env = append(os.Environ(), y.env...)
		out, err := runFor(ctx, cmd)
		stop()
		if err != nil {
			return fmt.Errorf("hoop %s: %w: %s", args[0], err, out)
		}
	}
	return w.proxyFirst(block)
}

// proxyFirst puts the bench's own block before the one that hoop has put first:
// ssh takes the first value of each setting.
func (w *sshWorld) proxyFirst(block string) error {
	text, err := os.ReadFile(w.path("ssh_config"))
	if err != nil {
		return err
	}
	rest := strings.ReplaceAll(string(text), block, "")
	return os.WriteFile(w.path("ssh_config"), []byte(block+"Host *\n"+rest), 0o600)
}

func runFor(ctx context.Context, cmd *exec.Cmd) (string, error) {
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	out, err := cmd.CombinedOutput()
	return string(out), err
}
