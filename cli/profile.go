package cli

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"hoop/broker/api"
)

// profile is what the client remembers of the broker that it last logged in
// to. Nothing in it is secret.
type profile struct {
	Broker string `json:"broker"`
	// CA is the certificate authority to trust, PEM; the system's where empty.
	CA     string          `json:"ca,omitempty"`
	Issuer api.LoginIssuer `json:"issuer"`
}

func (a *App) profilePath() (string, error) {
	dir, err := a.configDir()
	return filepath.Join(dir, "broker.json"), err
}

// loadProfile reads the profile; HOOP_BROKER and HOOP_CA_FILE override it.
func (a *App) loadProfile() (*profile, error) {
	p := &profile{}
	path, err := a.profilePath()
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, p)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if env := brokerURL(a.Getenv("HOOP_BROKER")); env != "" && env != p.Broker {
		*p = profile{Broker: env}
	}
	if err := p.trustFile(a.Getenv("HOOP_CA_FILE")); err != nil {
		return nil, err
	}
	if p.Broker == "" {
		return nil, notSignedIn("no broker is known yet", "sign in with: hoop login https://BROKER")
	}
	return p, nil
}

// brokerURL completes what people write: the scheme may be left out.
func brokerURL(s string) string {
	s = strings.TrimRight(s, "/")
	if s != "" && !strings.Contains(s, "://") {
		s = "https://" + s
	}
	return s
}

// trustFile trusts the certificate authorities in a PEM file, if one is named.
func (p *profile) trustFile(path string) error {
	if path == "" {
		return nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the certificate authority: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return fmt.Errorf("read the certificate authority: there is no certificate in %s", path)
	}
	p.CA = string(pem)
	return nil
}

func (a *App) saveProfile(p *profile) error {
	path, err := a.profilePath()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the configuration folder: %w", err)
	}
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the profile: %w", err)
	}
	temp := path + ".new"
	if err := os.WriteFile(temp, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the profile: %w", err)
	}
	return os.Rename(temp, path)
}

// url parses and completes the address of the broker.
func (p *profile) url() (*url.URL, error) {
	u, err := url.Parse(p.Broker)
	if err != nil || u.Host == "" || u.Scheme != "https" {
		return nil, usagef("%q is not an https URL of a broker", p.Broker)
	}
	return u, nil
}

// tls trusts the profile's certificate authority, or the system's.
func (p *profile) tls() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS13}
	if p.CA == "" {
		return cfg, nil
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM([]byte(p.CA)) {
		return nil, errors.New("the broker's certificate authority is not PEM")
	}
	return cfg, nil
}

func notSignedIn(message, hint string) error {
	return &exitError{code: exitNoLogin, word: api.CodeUnauthenticated, err: errors.New(message), hint: hint}
}
