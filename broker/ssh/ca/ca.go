// Package ca holds the broker's two SSH certificate authorities: one signs the
// host keys that clients see, the other the keys with which the broker logs in
// to targets that trust it.
//
// # Scope
//
// It makes keys and certificates. It opens no conn and decides nothing; who may
// have a certificate is up to its caller.
package ca

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	gossh "golang.org/x/crypto/ssh"
)

// Authority is the pair of authorities and the host key of one broker. It is
// safe for concurrent use.
type Authority struct {
	host, user gossh.Signer
	own        gossh.Signer // the host key that clients see
}

// Open reads the keys in dir and makes those that are not there yet. The host
// key stays too, for clients that know no host certificates and pin it.
func Open(dir string) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the SSH keys: %w", err)
	}
	a := &Authority{}
	for name, key := range map[string]*gossh.Signer{"host_ca": &a.host, "user_ca": &a.user, "host_key": &a.own} {
		signer, err := open(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		*key = signer
	}
	return a, nil
}

// HostCA is the public key that clients trust for hosts, a line as
// authorized_keys has it, without its end.
func (a *Authority) HostCA() string { return line(a.host, "hoop-host-ca") }

// UserCA is the public key that targets trust for users: a line for
// TrustedUserCAKeys of sshd_config(5), without its end.
func (a *Authority) UserCA() string { return line(a.user, "hoop-user-ca") }

func line(s gossh.Signer, comment string) string {
	return strings.TrimSpace(string(gossh.MarshalAuthorizedKey(s.PublicKey()))) + " " + comment
}

func open(path string) (gossh.Signer, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return create(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read an SSH key: %w", err)
	}
	signer, err := gossh.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", path, err)
	}
	return signer, nil
}

// create makes a key that is on the disk, whole, before it is used: a public
// line that was handed out must not lose its private half.
func create(path string) (gossh.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := gossh.MarshalPrivateKey(key, filepath.Base(path))
	if err != nil {
		return nil, err
	}
	if err := write(path, pem.EncodeToMemory(block)); err != nil {
		return nil, fmt.Errorf("keep an SSH key: %w", err)
	}
	return gossh.NewSignerFromKey(key)
}

func write(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
