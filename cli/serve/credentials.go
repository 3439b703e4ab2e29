package serve

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hoop/broker"
	"hoop/broker/config"
	"hoop/broker/credential"
	"hoop/broker/issuer"
	"hoop/broker/ssh"
)

// OpenCredentials opens the store of secrets that a configuration names. ask
// is called where its key is protected by a passphrase that no file holds.
func OpenCredentials(cfg *config.Config, ask func() (credential.Secret, error)) (*credential.Store, error) {
	sc := cfg.CredentialStore
	data := cfg.Abs(cfg.DataDir)
	dir, keyFile := cfg.Abs(sc.Dir), cfg.Abs(sc.KeyFile)
	if dir == "" {
		dir = filepath.Join(data, "credentials")
	}
	if keyFile == "" {
		keyFile = filepath.Join(data, "store.key")
	}
	sc.PassphraseFile = cfg.Abs(sc.PassphraseFile)
	key, err := credential.ReadKey(keyFile, sc.Passphrase(ask))
	if err != nil {
		return nil, err
	}
	return credential.OpenStore(dir, key)
}

// secrets resolves the credentials of a configuration.
type secrets struct {
	cfg      *config.Config
	resolver credential.Resolver
}

func newSecrets(cfg *config.Config, ask func() (credential.Secret, error)) (*secrets, error) {
	s := &secrets{cfg: cfg, resolver: credential.Resolver{Dir: cfg.Dir}}
	if !cfg.UsesStore() {
		return s, nil
	}
	store, err := OpenCredentials(cfg, ask)
	if err != nil {
		return nil, err
	}
	s.resolver.Store = store
	return s, nil
}

// secret is what an engine presents to the target.
func (s *secrets) secret(ctx context.Context, name string) (*broker.Secret, error) {
	c, ok := s.cfg.Credentials[name]
	if !ok {
		return nil, fmt.Errorf("there is no credential %q", name)
	}
	kind := broker.SecretKind(c.Kind)
	if kind == broker.SSHCA {
		return &broker.Secret{User: c.User, Kind: kind}, nil
	}
	v, err := s.resolver.Resolve(ctx, c.Source)
	if err != nil {
		return nil, fmt.Errorf("credential %q: %w", name, err)
	}
	if kind == broker.SSHKey {
		return &broker.Secret{User: c.User, Kind: kind, PrivateKey: []byte(v.Reveal())}, nil
	}
	return &broker.Secret{User: c.User, Password: v.Reveal()}, nil
}

// check resolves every credential once and names those that cannot be had.
func (s *secrets) check(ctx context.Context) config.Problems {
	var ps config.Problems
	for name, c := range s.cfg.Credentials {
		if broker.SecretKind(c.Kind) == broker.SSHCA {
			continue
		}
		if err := s.resolver.Check(ctx, c.Source); err != nil {
			ps = append(ps, s.cfg.Problem("credentials."+name, err.Error()))
			continue
		}
		if broker.SecretKind(c.Kind) != broker.SSHKey {
			continue
		}
		if key, err := s.secret(ctx, name); err != nil {
			ps = append(ps, s.cfg.Problem("credentials."+name, err.Error()))
		} else if err := ssh.CheckKey(key.PrivateKey); err != nil {
			ps = append(ps, s.cfg.Problem("credentials."+name, err.Error()))
		}
	}
	return ps
}

// maskKey reads the root of the keys for hash masks, made at the first start.
// Tokens stay joinable as long as it stays.
func maskKey(dir string) ([]byte, error) {
	path := filepath.Join(dir, "mask.key")
	key, err := os.ReadFile(path)
	if err == nil && len(key) != 32 {
		return nil, fmt.Errorf("%s is damaged: it must hold 32 bytes", path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key = make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	if err := os.WriteFile(path, key, 0o600); err != nil {
		return nil, fmt.Errorf("make the mask key: %w", err)
	}
	return key, nil
}

// Check resolves what a configuration names outside itself: credentials,
// certificates, the users of the embedded issuer. The error is of type
// config.Problems where a place can be named.
func Check(ctx context.Context, cfg *config.Config, ask func() (credential.Secret, error)) error {
	s, err := newSecrets(cfg, ask)
	if err != nil {
		return err
	}
	ps := s.check(ctx)
	if cfg.TLS.CertFile == "" {
		ps = append(ps, cfg.Problem("tls", "cert_file and key_file are missing"))
	} else if _, err := tls.LoadX509KeyPair(cfg.Abs(cfg.TLS.CertFile), cfg.Abs(cfg.TLS.KeyFile)); err != nil {
		ps = append(ps, cfg.Problem("tls", err.Error()))
	}
	ps = append(ps, checkSSH(cfg)...)
	if e := cfg.EmbeddedIssuer; e != nil {
		if _, err := issuer.ReadUsers(cfg.Abs(e.UsersFile)); err != nil {
			ps = append(ps, cfg.Problem("embedded_issuer.users_file", err.Error()))
		}
	}
	if len(ps) > 0 {
		return ps
	}
	return nil
}

// checkSSH reads the keys that SSH targets must have.
func checkSSH(cfg *config.Config) config.Problems {
	var ps config.Problems
	for i, c := range cfg.Connections {
		if c.Protocol != "ssh" {
			continue
		}
		t := broker.Target{SSH: broker.TargetSSH{HostKeys: c.Target.HostKeys, HostCAs: c.Target.HostCAs}}
		if err := ssh.CheckTarget(&t); err != nil {
			ps = append(ps, cfg.Problem(fmt.Sprintf("connections[%d].target", i), err.Error()))
		}
	}
	return ps
}
