package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"hoop/broker"
)

// The modes of broker.TargetTLS.
const (
	tlsVerifyFull = "verify-full"
	tlsVerifyCA   = "verify-ca"
	tlsRequire    = "require"
	tlsDisable    = "disable"
)

// verifies reports whether a mode proves who the server is. The empty mode is
// verify-full.
func verifies(mode string) bool { return mode == "" || mode == tlsVerifyFull || mode == tlsVerifyCA }

// encrypt asks the target for TLS (PostgreSQL "SSL Session Encryption") and
// does the handshake. There is none over a unix socket or where the mode is
// disable.
func (e *Engine) encrypt(ctx context.Context, conn net.Conn, t *broker.Target) (net.Conn, error) {
	conn = newWire(conn, &e.buffers)
	if t.Socket != "" || t.TLS.Mode == tlsDisable {
		return conn, nil
	}
	config, err := e.tls.config(t)
	if err != nil {
		return nil, err
	}
	if err := requestTLS(ctx, conn); err != nil {
		return nil, err
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return secure, nil
}

// requestTLS reads one byte and none more: what follows belongs to TLS. An
// error message in its place is not shown, as nothing vouches for it,
// CVE-2024-10977.
func requestTLS(ctx context.Context, conn net.Conn) error {
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(longAgo) })()
	request := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), codeSSL)
	if _, err := conn.Write(request); err != nil {
		return err
	}
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	if answer[0] != 'S' {
		return errors.New("the target does not offer TLS; target.tls.mode: disable goes without")
	}
	return nil
}

// tlsCache keeps the TLS settings of targets while their files stay as they
// are. Its zero value is empty.
type tlsCache struct {
	mu      sync.Mutex
	entries map[tlsKey]*tls.Config
}

// tlsKey is what a configuration is made from.
type tlsKey struct {
	tls           broker.TargetTLS
	host          string
	ca, cert, key fileVersion
}

type fileVersion struct {
	modified time.Time
	size     int64
}

func versionOf(path string) fileVersion {
	if st, err := os.Stat(path); err == nil {
		return fileVersion{st.ModTime(), st.Size()}
	}
	return fileVersion{}
}

const maxTLSEntries = 1000

func (c *tlsCache) config(t *broker.Target) (*tls.Config, error) {
	key := tlsKey{t.TLS, t.Host, versionOf(t.TLS.CAFile), versionOf(t.TLS.CertFile), versionOf(t.TLS.KeyFile)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if config, ok := c.entries[key]; ok {
		return config, nil
	}
	config, err := newTLSConfig(t)
	if err != nil {
		return nil, err
	}
	if c.entries == nil || len(c.entries) >= maxTLSEntries {
		c.entries = map[tlsKey]*tls.Config{}
	}
	c.entries[key] = config
	return config, nil
}

func newTLSConfig(t *broker.Target) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.TLS.ServerName, DynamicRecordSizingDisabled: true}
	if config.ServerName == "" {
		config.ServerName = t.Host
	}
	if t.TLS.CAFile != "" {
		pem, err := os.ReadFile(t.TLS.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the target's CA: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("the target's CA file %s holds no certificate", t.TLS.CAFile)
		}
	}
	if t.TLS.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.TLS.CertFile, t.TLS.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("load the client certificate for the target: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, verifyAs(config, t.TLS.Mode)
}

// verifyAs sets how much of the server's identity is proved.
func verifyAs(config *tls.Config, mode string) error {
	switch mode {
	case "", tlsVerifyFull:
	case tlsVerifyCA:
		config.InsecureSkipVerify = true // the name only: the chain is verified here
		roots := config.RootCAs
		config.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(state, roots) }
	case tlsRequire:
		config.InsecureSkipVerify = true // as asked: encrypted, nobody verified
	default:
		return fmt.Errorf("unknown TLS mode %q for the target", mode)
	}
	return nil
}

func verifyChain(state tls.ConnectionState, roots *x509.CertPool) error {
	opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, cert := range state.PeerCertificates[1:] {
		opts.Intermediates.AddCert(cert)
	}
	_, err := state.PeerCertificates[0].Verify(opts)
	return err
}
