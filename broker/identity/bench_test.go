package identity

import (
	"crypto/ed25519"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"hoop/broker/store"
)

// BenchmarkAuthenticate is what recognising one request costs the broker.
func BenchmarkAuthenticate(b *testing.B) {
	state, err := store.Open(filepath.Join(b.TempDir(), "state"), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = state.Close() }()
	l, err := NewLogins(b.Context(), LoginsConfig{State: state, Log: quiet()})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	_, key, _ := ed25519.GenerateKey(nil)
	token, _, err := l.Issue(b.Context(), principal(), public(key), time.Hour, Meta{})
	if err != nil {
		b.Fatal(err)
	}
	served := make(chan tls.ConnectionState, 1)
	s := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { served <- *r.TLS }))
	defer s.Close()
	resp, err := s.Client().Get(s.URL)
	if err != nil {
		b.Fatal(err)
	}
	_ = resp.Body.Close()
	exporter, err := Exporter(resp.TLS)
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/who", nil)
	mine := <-served
	r.TLS = &mine
	SetAuthorization(r.Header, token, SignProof(key, token, exporter))
	for b.Loop() {
		if _, err := l.Authenticate(r); err != nil {
			b.Fatal(err)
		}
	}
}
