package identity

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	fetchTimeout = 10 * time.Second
	maxDocument  = 1 << 20 // bytes of a discovery document or key set
	// minRefetch bounds how often one document is fetched. Whoever sends tokens
	// with invented key ids makes the verifier look for new keys each time; the
	// issuer must not feel that.
	minRefetch = 2 * time.Second
)

// statusError is an answer other than 200.
type statusError struct{ status int }

func (e *statusError) Error() string {
	return fmt.Sprintf("the issuer answered %d %s", e.status, http.StatusText(e.status))
}

// newClient makes the HTTP client for one issuer.
func newClient(c *IssuerConfig, now func() time.Time) (*http.Client, error) {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		roots, err := withCA(c.CAFile)
		if err != nil {
			return nil, err
		}
		base.TLSClientConfig.RootCAs = roots
	}
	return &http.Client{
		Timeout:   fetchTimeout,
		Transport: &transport{base: base, now: now, last: map[string]document{}},
		// Keys come from the issuer itself, not from where it may point.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

func withCA(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading ca_file: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file %s holds no certificate", path)
	}
	return roots, nil
}

// transport fetches documents: bounded, whole, and each at most once every
// minRefetch. Every answer but 200 is an error, so that the causes stay typed.
type transport struct {
	base http.RoundTripper
	now  func() time.Time

	mu   sync.Mutex
	last map[string]document
}

type document struct {
	body   []byte
	header http.Header
	at     time.Time
}

// RoundTrip answers from what was just fetched, or fetches. What redeems a code
// is no document: each has an answer of its own.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		return t.base.RoundTrip(r)
	}
	url := r.URL.String()
	t.mu.Lock()
	d, ok := t.last[url]
	t.mu.Unlock()
	if age := t.now().Sub(d.at); !ok || age < 0 || age >= minRefetch {
		var err error
		if d, err = t.fetch(r); err != nil {
			return nil, err
		}
		t.mu.Lock()
		t.last[url] = d
		t.mu.Unlock()
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: d.header.Clone(), Body: io.NopCloser(bytes.NewReader(d.body)), ContentLength: int64(len(d.body)), Request: r,
	}, nil
}

func (t *transport) fetch(r *http.Request) (document, error) {
	resp, err := t.base.RoundTrip(r)
	if err != nil {
		return document{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return document{}, &statusError{resp.StatusCode}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil {
		return document{}, err
	}
	if len(body) > maxDocument {
		return document{}, fmt.Errorf("the issuer's answer is longer than %d bytes", maxDocument)
	}
	return document{body: body, header: resp.Header, at: t.now()}, nil
}
