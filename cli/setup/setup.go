// Package setup makes the folder that a new broker starts from: a commented
// configuration, a first policy, and keys.
//
// # Scope
//
// It writes files that are not there yet and never overwrites one.
package setup

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed" // the templates
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"text/template"
	"time"

	"hoop/broker/credential"
)

//go:embed hoop.yaml.tmpl
var hoopYAML string

//go:embed policy.yaml.tmpl
var policyYAML string

// Options says what to write.
type Options struct {
	Dir string
	// Listen is the broker's address, host:port.
	Listen string
	// Hosts are the names and addresses that the certificate is for.
	Hosts []string
	// EmbeddedIssuer adds the issuer for one laptop.
	EmbeddedIssuer bool
}

// Page reports whether approvals can be answered in a browser at once: the
// embedded issuer needs nothing set up, and links lead to Listen.
func (o Options) Page() bool {
	host, _, err := net.SplitHostPort(o.Listen)
	ip := net.ParseIP(host)
	return o.EmbeddedIssuer && err == nil && host != "" && (ip == nil || !ip.IsUnspecified())
}

// The files of a broker's folder.
const (
	ConfigFile = "hoop.yaml"
	PolicyFile = "policy.yaml"
	UsersFile  = "users.yaml"
	CAFile     = "tls/ca.pem"
	CertFile   = "tls/broker.pem"
	KeyFile    = "tls/broker-key.pem"
	StoreKey   = "keys/credentials.age"
)

// Write makes the folder and gives the paths of what it wrote. It fails with
// fs.ErrExist before writing anything where a configuration is there already.
func Write(o Options) ([]string, error) {
	if _, err := os.Stat(filepath.Join(o.Dir, ConfigFile)); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", filepath.Join(o.Dir, ConfigFile), fs.ErrExist)
	}
	for _, d := range []string{"", "tls", "keys", "data"} {
		if err := os.MkdirAll(filepath.Join(o.Dir, d), 0o700); err != nil {
			return nil, fmt.Errorf("make the folder: %w", err)
		}
	}
	certs, err := NewCertificate(o.Hosts)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{CAFile: certs.CA, CertFile: certs.Cert, KeyFile: certs.Key}
	for name, text := range map[string]string{ConfigFile: hoopYAML, PolicyFile: policyYAML} {
		if files[name], err = render(text, o); err != nil {
			return nil, err
		}
	}
	if o.EmbeddedIssuer {
		files[UsersFile] = []byte("users: []\n")
	}
	var written []string
	for _, name := range []string{ConfigFile, PolicyFile, UsersFile, CAFile, CertFile, KeyFile} {
		if files[name] == nil {
			continue
		}
		path := filepath.Join(o.Dir, name)
		if err := writeNew(path, files[name]); err != nil {
			return written, err
		}
		written = append(written, path)
	}
	store := filepath.Join(o.Dir, StoreKey)
	if _, err := credential.CreateKey(store, credential.Secret{}); err != nil {
		return written, fmt.Errorf("make the key of the credential store: %w", err)
	}
	return append(written, store), nil
}

func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), f.Close())
	}
	return f.Close()
}

func render(text string, o Options) ([]byte, error) {
	t, err := template.New("").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, o); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return b.Bytes(), nil
}

// Certificate is a certificate with its key and the authority that signed it,
// all PEM.
type Certificate struct{ CA, Cert, Key []byte }

// lifetime of a certificate; a year is what browsers accept too.
const lifetime = 365 * 24 * time.Hour

// NewCertificate makes an authority whose key is thrown away and one server
// certificate of it, so that the authority can vouch for nothing else.
func NewCertificate(hosts []string) (*Certificate, error) {
	out, err := newCertificate(hosts)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return out, nil
}

func newCertificate(hosts []string) (*Certificate, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := x509.Certificate{Subject: pkix.Name{CommonName: "hoop broker CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, MaxPathLenZero: true}
	caDER, err := sign(&ca, &ca, &caKey.PublicKey, caKey)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf := x509.Certificate{Subject: pkix.Name{CommonName: hosts[0]}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, h)
		}
	}
	der, err := sign(&leaf, &ca, &key.PublicKey, caKey)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	caPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return &Certificate{CA: caPEM, Cert: append(certPEM, caPEM...),
		Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})}, nil
}

func sign(c, parent *x509.Certificate, pub *ecdsa.PublicKey, key *ecdsa.PrivateKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	c.SerialNumber = serial
	c.NotBefore = time.Now().Add(-time.Hour)
	c.NotAfter = time.Now().Add(lifetime)
	return x509.CreateCertificate(rand.Reader, c, parent, pub, key)
}
