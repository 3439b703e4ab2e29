package identity

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// A client proves with every request that it holds the key that its login is
// bound to. On its own TLS connection to the broker it signs the connection's
// exporter, so that the proof is worth nothing on another one. Where a load
// balancer ends TLS, both sides have different exporters, and it signs a nonce of
// the broker with the request's method, host and path instead: weaker, so the
// record says which it was.

const (
	// ProofHeader carries the proof beside "Authorization: Hoop <token>".
	ProofHeader = "Hoop-Proof"
	// NonceHeader carries the nonce to sign, in a 401 answer.
	NonceHeader = "Hoop-Nonce"
	// ExporterLabel derives the value to sign from a TLS connection (RFC 8446
	// §7.5, RFC 5705 §4).
	ExporterLabel = "EXPORTER-hoop-pop"

	scheme       = "Hoop"
	exporterSize = 32

	// What a signature is for stands first in what is signed, so that none can
	// pass for one of another kind.
	proofContext      = "hoop-proof-v1\x00"
	nonceProofContext = "hoop-proof-n1\x00"
	loginContext      = "hoop-login-v1\x00"
	nonceLoginContext = "hoop-login-n1\x00"
)

// Bindings of a caller, as they stand in the record.
const (
	BindingExporter = "exporter"
	BindingNonce    = "nonce"
)

// Exporter derives the value that a proof signs from a TLS connection. Both ends
// get the same 32 bytes. The connection must be of TLS 1.3, or of TLS 1.2 with
// extended master secret.
func Exporter(state *tls.ConnectionState) ([]byte, error) {
	if state == nil {
		return nil, errors.New("the connection is not TLS")
	}
	value, err := state.ExportKeyingMaterial(ExporterLabel, nil, exporterSize)
	if err != nil {
		return nil, fmt.Errorf("deriving the exporter of the TLS connection: %w", err)
	}
	return value, nil
}

// Route is what a nonce proof binds besides the nonce.
type Route struct {
	Method string
	Host   string // as the client dials it; the default port 443 may be left out
	Path   string // with the query
}

// RouteOf reads the route of a request, the same for who sends and who serves it.
func RouteOf(r *http.Request) Route {
	host := r.Host
	if host == "" && r.URL != nil {
		host = r.URL.Host
	}
	path := r.RequestURI
	if !strings.HasPrefix(path, "/") {
		path = r.URL.RequestURI()
	}
	return Route{Method: r.Method, Host: host, Path: path}
}

// SetAuthorization puts a login token and the proof for it into a request's
// header.
func SetAuthorization(h http.Header, token, proof string) {
	h.Set("Authorization", scheme+" "+token)
	h.Set(ProofHeader, proof)
}

// SignProof makes the proof for a login token on a TLS connection.
func SignProof(key ed25519.PrivateKey, token string, exporter []byte) string {
	return proof{signature: ed25519.Sign(key, overExporter(proofContext, token, exporter))}.String()
}

// SignNonceProof makes the proof for a login token and one request.
func SignNonceProof(key ed25519.PrivateKey, token, nonce string, to Route) string {
	return proof{nonce, ed25519.Sign(key, overNonce(nonceProofContext, token, nonce, to))}.String()
}

// SignLogin makes the proof that binds an ID token to a key at login: who steals
// the token on its way cannot bind it to another.
func SignLogin(key ed25519.PrivateKey, idToken string, exporter []byte) string {
	return proof{signature: ed25519.Sign(key, overExporter(loginContext, idToken, exporter))}.String()
}

// SignNonceLogin is SignLogin behind a load balancer.
func SignNonceLogin(key ed25519.PrivateKey, idToken, nonce string, to Route) string {
	return proof{nonce, ed25519.Sign(key, overNonce(nonceLoginContext, idToken, nonce, to))}.String()
}

func overExporter(context, token string, exporter []byte) []byte {
	sum := sha256.Sum256([]byte(token))
	return append(append([]byte(context), sum[:]...), exporter...)
}

// overNonce puts the length before each part, so that none can move into the
// next.
func overNonce(context, token, nonce string, to Route) []byte {
	sum := sha256.Sum256([]byte(token))
	out := append([]byte(context), sum[:]...)
	for _, part := range []string{nonce, to.Method, canonicalHost(to.Host), to.Path} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(part)))
		out = append(out, part...)
	}
	return out
}

func canonicalHost(host string) string {
	return strings.TrimSuffix(strings.ToLower(host), ":443")
}

// proof is the parsed ProofHeader: "v1 <signature>" over an exporter, or
// "n1 <nonce> <signature>".
type proof struct {
	nonce     string // "" for the exporter form
	signature []byte
}

const maxNonce = 128 // bytes of text

var errProofSyntax = errors.New("is neither \"v1 <signature>\" nor \"n1 <nonce> <signature>\"")

func (p proof) String() string {
	sig := base64.RawURLEncoding.EncodeToString(p.signature)
	if p.nonce == "" {
		return "v1 " + sig
	}
	return "n1 " + p.nonce + " " + sig
}

func parseProof(s string) (proof, error) {
	var p proof
	form, rest, _ := strings.Cut(s, " ")
	switch form {
	case "v1":
	case "n1":
		p.nonce, rest, _ = strings.Cut(rest, " ")
		if p.nonce == "" || len(p.nonce) > maxNonce {
			return proof{}, errProofSyntax
		}
	default:
		return proof{}, errProofSyntax
	}
	// Strict also refuses stray bits at the end. Line breaks, which Go's decoder
	// skips, make the text longer than the signature's.
	sig, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if err != nil || len(sig) != ed25519.SignatureSize || len(rest) != base64.RawURLEncoding.EncodedLen(len(sig)) {
		return proof{}, errProofSyntax
	}
	p.signature = sig
	return p, nil
}
