package identity

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"strings"
)

// Caller is who sent a request, verified: the login, and how this request proved
// its key. A delegation will lengthen the chain.
type Caller struct {
	*Login
	Binding string // exporter or nonce; hides that of the login's own Meta
}

// Authenticate finds out who sent a request: its login token must be good, and
// its proof must show the login's key. The error is a *Refusal.
func (l *Logins) Authenticate(r *http.Request) (*Caller, error) {
	token, p, err := credentials(r.Header)
	if err != nil {
		return nil, err
	}
	login, err := l.find(r.Context(), token)
	if err != nil {
		return nil, err
	}
	binding, err := l.checkProof(r, p, login.Key, signed{proofContext, nonceProofContext, token})
	if err != nil {
		return nil, err
	}
	return &Caller{Login: login, Binding: binding}, nil
}

// credentials reads token and proof from a header. Each stands there once: of
// two, a proxy in between may have meant the other.
func credentials(h http.Header) (token string, p proof, err error) {
	auth, proofs := h.Values("Authorization"), h.Values(ProofHeader)
	if len(auth) == 0 {
		return "", p, refuse(ErrNoLogin, "you are not signed in", hintLogin)
	}
	if len(auth) > 1 || len(proofs) > 1 {
		return "", p, refuse(ErrProof, "the request carries several logins or proofs", "")
	}
	if token, err = parseAuthorization(auth[0]); err != nil {
		return "", p, err
	}
	if len(proofs) == 0 {
		return "", p, refuse(ErrProof, "the request does not prove the login's key ("+ProofHeader+" is missing)",
			"use this version of hoop to reach the broker")
	}
	if p, err = parseProof(proofs[0]); err != nil {
		return "", p, refuse(ErrProof, ProofHeader+" "+err.Error(), "")
	}
	return token, p, nil
}

// parseAuthorization reads "Hoop <token>"; the scheme is case-insensitive (RFC
// 9110 §11.1).
func parseAuthorization(s string) (string, error) {
	name, token, _ := strings.Cut(s, " ")
	if !strings.EqualFold(name, scheme) {
		return "", refuse(ErrNoLogin, "the Authorization header is not of the scheme "+scheme, hintLogin)
	}
	body, ok := strings.CutPrefix(token, tokenPrefix)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if !ok || err != nil || len(raw) != tokenSize || len(body) != base64.RawURLEncoding.EncodedLen(tokenSize) {
		return "", refuse(ErrUnknownLogin, "the login token is malformed", hintLogin)
	}
	return token, nil
}

// signed is what a signature is over, but for exporter or nonce.
type signed struct{ exporterContext, nonceContext, token string }

// checkProof verifies a proof in the form that the way to the broker allows, and
// tells which it was.
func (l *Logins) checkProof(r *http.Request, p proof, key ed25519.PublicKey, s signed) (string, error) {
	behind := l.proxies.Load().trusts(r)
	switch {
	case p.nonce != "" && !behind:
		return "", refuse(ErrProof, "a signed nonce is accepted only from a proxy that ends TLS, and "+quote(r.RemoteAddr)+" is not one",
			"the broker's administrator can list the proxy in identity.trusted_proxies")
	case p.nonce != "":
		return l.checkNonceProof(r, p, key, s)
	}
	exporter, err := Exporter(r.TLS)
	if err == nil && ed25519.Verify(key, overExporter(s.exporterContext, s.token, exporter), p.signature) {
		return BindingExporter, nil
	}
	if behind {
		return "", l.challenge()
	}
	return "", refuse(ErrProof, "the proof of the login's key does not belong to this TLS connection",
		"run hoop login; if a proxy ends TLS before the broker, its administrator must list it in identity.trusted_proxies")
}

// checkNonceProof verifies the signature before it uses up the nonce, so that
// nobody else can.
func (l *Logins) checkNonceProof(r *http.Request, p proof, key ed25519.PublicKey, s signed) (string, error) {
	to := RouteOf(r)
	if l.publicHost != "" {
		to.Host = l.publicHost
	}
	if !ed25519.Verify(key, overNonce(s.nonceContext, s.token, p.nonce, to), p.signature) {
		return "", refuse(ErrProof, "the proof of the login's key does not fit this request",
			"run hoop login; a proxy before the broker must pass method, path and the Host header on unchanged")
	}
	if !l.nonces.use(p.nonce) {
		return "", l.challenge()
	}
	return BindingNonce, nil
}

// challenge asks for a signature over a nonce that comes with it.
func (l *Logins) challenge() *Refusal {
	r := refuse(ErrNonce, "the request must sign a fresh nonce", "use this version of hoop to reach the broker")
	r.Code, r.Nonce = CodeNonceRequired, l.nonces.issue()
	return r
}
