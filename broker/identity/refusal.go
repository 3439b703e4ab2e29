package identity

import (
	"errors"
	"net/http"
	"strconv"
)

// The codes of a Refusal, the same words as in the API.
const (
	CodeUnauthenticated = "unauthenticated"
	// CodeNonceRequired asks the client to sign the nonce that comes with it.
	CodeNonceRequired = "nonce_required"
	CodeUnavailable   = "unavailable"
)

// Reasons of a Refusal, for errors.Is.
var (
	ErrNoLogin      = errors.New("no login was presented")
	ErrUnknownLogin = errors.New("the login is unknown")
	ErrExpired      = errors.New("the login has expired")
	ErrRevoked      = errors.New("the login was revoked")
	ErrProof        = errors.New("the proof of the key does not hold")
	ErrNonce        = errors.New("a fresh nonce must be signed")
	ErrToken        = errors.New("the token is not acceptable")
	ErrReplayed     = errors.New("the token was used before")
	ErrGroups       = errors.New("the token does not tell the groups")
	ErrUnavailable  = errors.New("who this is cannot be checked now")
)

// Refusal says why somebody was not let in, as a person should read it. It is
// an error, and unwraps to one of the reasons above.
type Refusal struct {
	Code    string
	Message string
	Hint    string
	// Nonce is set where the client may try again by signing it.
	Nonce string

	reason error
	cause  error
}

func (r *Refusal) Error() string { return r.Message }

// Unwrap gives the reason, and what it came from where there is something.
func (r *Refusal) Unwrap() []error {
	if r.cause == nil {
		return []error{r.reason}
	}
	return []error{r.reason, r.cause}
}

// Status is the HTTP status that fits the refusal: 401 or 503.
func (r *Refusal) Status() int {
	if r.Code == CodeUnavailable {
		return http.StatusServiceUnavailable
	}
	return http.StatusUnauthorized
}

// SetHeader adds what the client needs beside the body: the challenge that
// RFC 9110 §11.6.1 demands of every 401, and the nonce.
func (r *Refusal) SetHeader(h http.Header) {
	if r.Status() == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", scheme)
	}
	if r.Nonce != "" {
		h.Set(NonceHeader, r.Nonce)
	}
}

const hintLogin = "run hoop login"

func refuse(reason error, message, hint string) *Refusal {
	return &Refusal{Code: CodeUnauthenticated, Message: message, Hint: hint, reason: reason}
}

func unavailable(message string, cause error) *Refusal {
	return &Refusal{Code: CodeUnavailable, Message: message, reason: ErrUnavailable, cause: cause,
		Hint: "nothing was let in; try again in a moment, and see the broker's log"}
}

// quote shows a foreign string in a message, cut to a bearable length.
func quote(s string) string {
	const most = 120
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strconv.Quote(s)
}
