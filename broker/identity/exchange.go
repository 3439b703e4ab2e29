package identity

import (
	"crypto/ed25519"
	"net/http"
	"time"
)

// Exchange is a login request: an ID token or workload token to be exchanged
// for a login that is bound to a key.
type Exchange struct {
	IDToken   string
	PublicKey []byte // Ed25519
	Proof     string // SignLogin or SignNonceLogin
	Nonce     string // what the client sent to the issuer as nonce; "" where it did not
	Client    string // host name and version, for people
	TTL       time.Duration
}

// Issued is a new login and its token, which is shown once.
type Issued struct {
	Token string
	*Login
}

// Exchange verifies a login request and issues the login. The proof is checked
// first: a client that must sign a nonce has not used its token up. The error is
// a *Refusal, or says what is wrong with TTL.
func (l *Logins) Exchange(r *http.Request, v *Verifier, x Exchange) (*Issued, error) {
	if len(x.PublicKey) != ed25519.PublicKeySize {
		return nil, refuse(ErrProof, "the login request holds no Ed25519 key", "use this version of hoop to log in")
	}
	p, err := parseProof(x.Proof)
	if err != nil {
		return nil, refuse(ErrProof, "the proof "+err.Error(), "use this version of hoop to log in")
	}
	binding, err := l.checkProof(r, p, x.PublicKey, signed{loginContext, nonceLoginContext, x.IDToken})
	if err != nil {
		return nil, err
	}
	who, err := v.VerifyLogin(r.Context(), x.IDToken, x.Nonce)
	if err != nil {
		return nil, err
	}
	meta := Meta{Client: printable(x.Client), Address: l.ClientAddress(r), Binding: binding, Workload: who.Workload}
	token, login, err := l.Issue(r.Context(), &who.Principal, x.PublicKey, x.TTL, meta)
	if err != nil {
		return nil, err
	}
	return &Issued{token, login}, nil
}

// printable drops what a client must not put into lists and logs.
func printable(s string) string {
	if readable("client", s) != nil {
		return ""
	}
	return s
}
