package login

import (
	"errors"
	"fmt"
	"net"
	"net/url"

	"golang.org/x/oauth2"
)

// The ways a sign-in ends without tokens, for callers that branch on them.
var (
	// ErrRefused: the person, or the issuer for them, said no.
	ErrRefused = errors.New("the sign-in was refused")
	// ErrExpired: nobody answered in time.
	ErrExpired = errors.New("the sign-in was not finished in time")
	// ErrMethod: the issuer does not allow this way to sign in.
	ErrMethod = errors.New("the issuer does not allow this way to sign in")
	// ErrSignedOut: there is no valid refresh token; the person must sign in.
	ErrSignedOut = errors.New("not signed in any more")
	// ErrUnreachable: the issuer did not answer.
	ErrUnreachable = errors.New("the issuer cannot be reached")
)

// Hint tells what a person can do about err, or nothing.
func Hint(err error) string {
	switch {
	case errors.Is(err, ErrMethod):
		return "some issuers block device codes: try `hoop login --browser` on a machine with a browser, or ask whoever runs the issuer to allow the grant for this client"
	case errors.Is(err, ErrSignedOut), errors.Is(err, ErrExpired):
		return "run `hoop login`"
	case errors.Is(err, ErrUnreachable):
		return "check the network and the issuer's URL"
	default:
		return ""
	}
}

// unreachable marks errors of the network, so that callers can tell them from
// refusals.
func unreachable(err error) error {
	var network net.Error
	var request *url.Error
	if errors.As(err, &network) || errors.As(err, &request) {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return err
}

// oauthError gives the error code of a token endpoint, or "".
func oauthError(err error) (code, description string) {
	var refusal *oauth2.RetrieveError
	if errors.As(err, &refusal) {
		return refusal.ErrorCode, refusal.ErrorDescription
	}
	return "", ""
}

// explained adds the issuer's own words, without what could draw on a terminal.
func explained(kind error, code, description string) error {
	if description == "" {
		return fmt.Errorf("%w (%s)", kind, plain(code))
	}
	return fmt.Errorf("%w (%s: %s)", kind, plain(code), plain(description))
}
