// Package sshconfig writes what OpenSSH's client needs to reach connections by
// the names NAME.hoop, and takes it back.
//
// # Scope
//
// It writes files in hoop's own folder and one line of the user's ssh_config. It
// asks nobody anything and starts nothing. It holds no secret: what proves who
// somebody is never lies in these files.
package sshconfig

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Suffix makes of a connection's name the host name that ssh uses.
const Suffix = ".hoop"

// Login is the user name that stands for the user of the connection's
// credential.
const Login = "hoop"

// Files are what is to be written.
type Files struct {
	Dir     string   // hoop's own folder: absolute
	Program string   // the path of hoop: absolute
	Broker  string   // URL of the broker that the authorities belong to
	HostCAs []string // authorities of host keys, as in authorized_keys
}

// The names of the files in Dir.
const (
	configFile     = "ssh_config"
	aloneFile      = "ssh_config.alone"
	knownHostsFile = "known_hosts"
)

// Path is the file that the user's configuration includes.
func Path(dir string) string { return filepath.Join(dir, configFile) }

// AlonePath is the file for ssh -F, which works where nothing is installed.
func AlonePath(dir string) string { return filepath.Join(dir, aloneFile) }

// KnownHostsPath is the file with the broker's authority.
func (f *Files) KnownHostsPath() string { return filepath.Join(f.Dir, knownHostsFile) }

// Write writes the files where they differ from what is there.
func (f *Files) Write() error {
	config, err := f.Config()
	if err != nil {
		return err
	}
	if len(f.HostCAs) == 0 {
		return errors.New("the broker names no authority for SSH host keys")
	}
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return fmt.Errorf("make the configuration folder: %w", err)
	}
	return errors.Join(
		replace(f.KnownHostsPath(), []byte(f.KnownHosts())),
		replace(Path(f.Dir), []byte(config)),
		replace(AlonePath(f.Dir), []byte(alone(f.Dir))))
}

// replace writes a file at once, or not at all, and leaves one alone that says
// the same: several commands may do so at the same time.
func replace(path string, data []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return nil
	}
	return swap(path, data, 0o600)
}

func swap(path string, data []byte, mode os.FileMode) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	_, werr := temp.Write(data)
	if err := errors.Join(werr, temp.Chmod(mode), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// Current reports whether the files are there and were written for this broker,
// with this program.
func (f *Files) Current() bool {
	config, err := f.Config()
	if err != nil {
		return false
	}
	for path, want := range map[string]string{Path(f.Dir): config, AlonePath(f.Dir): alone(f.Dir)} {
		if data, err := os.ReadFile(path); err != nil || string(data) != want {
			return false
		}
	}
	known, err := os.ReadFile(f.KnownHostsPath())
	return err == nil && bytes.HasPrefix(known, []byte(f.knownFor()))
}

func (f *Files) knownFor() string { return "# The SSH host authority of " + f.Broker + "\n" }

// KnownHosts is the text of the file of that name (sshd(8), "SSH_KNOWN_HOSTS
// FILE FORMAT"). The second pattern is for who gives a port.
func (f *Files) KnownHosts() string {
	text := f.knownFor()
	for _, ca := range f.HostCAs {
		text += "@cert-authority *" + Suffix + ",[*" + Suffix + "]:* " + strings.TrimSpace(ca) + "\n"
	}
	return text
}

// Exists reports whether there are files in dir that should stay current.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, knownHostsFile))
	return err == nil
}

// Config is the text of ssh_config. The tunnel authenticates, so the client
// offers nothing, and notices by itself when the network is gone, so that the
// client must not give up before.
func (f *Files) Config() (string, error) {
	for _, path := range []string{f.Dir, f.Program} {
		if strings.ContainsAny(path, "\"\n\r") || strings.Contains(path, "${") {
			return "", fmt.Errorf("the path %q cannot stand in an ssh_config", path)
		}
	}
	lines := []string{
		`# Written by "hoop ssh config install", which will write it anew.`,
		"Host *" + Suffix,
		"  HostName %h",
		"  User " + Login,
		"  ProxyCommand " + f.proxyCommand(),
		"  ProxyUseFdpass no",
		"  UserKnownHostsFile " + quoted(f.KnownHostsPath()),
		"  GlobalKnownHostsFile /dev/null",
		"  StrictHostKeyChecking yes",
		"  UpdateHostKeys no",
		"  CanonicalizeHostname no",
		"  HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com",
		"  PreferredAuthentications none",
		"  PubkeyAuthentication no",
		"  Ciphers aes128-gcm@openssh.com,aes256-gcm@openssh.com",
		"  Compression no",
		"  ServerAliveInterval 0",
	}
	return strings.Join(lines, "\n") + "\n", nil
}

// proxyCommand is read by the user's shell. The host name stands in quotes:
// old clients pass on whatever somebody put there (CVE-2023-51385).
func (f *Files) proxyCommand() string {
	words := []string{f.Program, "ssh-proxy", "--config-dir", f.Dir}
	for i, w := range words {
		words[i] = shellWord(percent(w))
	}
	return strings.Join(append(words, "--", shellWord("%h")), " ")
}

func shellWord(s string) string {
	if runtime.GOOS == "windows" {
		return `"` + s + `"`
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// percent keeps a path from being read as tokens (ssh_config(5), "TOKENS").
func percent(path string) string { return strings.ReplaceAll(path, "%", "%%") }

func quoted(path string) string { return `"` + percent(path) + `"` }

// alone includes ours before the user's and the system's, which ssh does not
// read where -F names a file.
func alone(dir string) string {
	text := "# For hoop ssh, which writes it anew.\nInclude \"" + Path(dir) + "\"\nInclude ~/.ssh/config\n"
	if runtime.GOOS != "windows" {
		text += "Include /etc/ssh/ssh_config\n"
	}
	return text
}
