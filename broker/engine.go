// Package broker admits principals to connections and owns what every engine
// shares: the session, and with it the order inspect → decide → record →
// forward.
//
// # Scope
//
// It knows no wire protocol: engines do. It holds the only way to a target's
// credential and to a verdict.
package broker

import (
	"context"
	"errors"
	"net"
)

// An Engine speaks one wire protocol to both sides of a session. Nothing from
// the client reaches the target before Session.Decide has allowed it.
type Engine interface {
	// Serve runs one client connection until either side ends it or ctx is
	// done, which is how a session is revoked: context.Cause(ctx) then says why
	// and is told to the client. It closes client.
	Serve(ctx context.Context, client net.Conn, s *Session) error
	// Refuse tells the client, in the protocol's own error frame, why it gets
	// nothing. It reads no more than the protocol demands, within a deadline of
	// its own, and closes client.
	Refuse(client net.Conn, d *Denial) error
}

// The codes of a Denial, the same words as in the API.
const (
	CodeDenied           = "denied"
	CodeApprovalRequired = "approval_required"
	CodeUnauthenticated  = "unauthenticated"
	CodeNotFound         = "not_found"
	CodeUnavailable      = "unavailable"
	CodeWithdrawn        = "withdrawn" // the client gave up waiting for an approval
)

// Denial is a refusal as a person should read it. It is an error.
type Denial struct {
	Code    string
	Message string // what was refused, and why
	Hint    string // what to do about it
	Rule    string // the rule that decided; "" where none matched
	Err     error  // what it came from, for the engine; may be nil
}

func (d *Denial) Error() string {
	if d.Rule == "" {
		return d.Message
	}
	return d.Message + " (rule " + d.Rule + ")"
}

// Unwrap gives what the denial came from.
func (d *Denial) Unwrap() error { return d.Err }

func asDenial(err error, rule string) *Denial {
	var d *Denial
	if errors.As(err, &d) {
		return d
	}
	if errors.Is(err, ErrWithdrawn) {
		return &Denial{Code: CodeWithdrawn, Message: "canceling statement due to user request", Rule: rule, Err: err}
	}
	return &Denial{Code: CodeUnavailable, Message: err.Error(), Rule: rule, Err: err}
}
