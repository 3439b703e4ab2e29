package identity

import (
	"context"
	"crypto/ed25519"
	"time"

	"hoop/policy"
)

// Login is one client's right to be here as a principal, until it expires or is
// revoked. It is bound to a key that the client made.
type Login struct {
	ID        string            `json:"id"` // for people and the record; no secret
	Principal policy.Principal  `json:"principal"`
	Key       ed25519.PublicKey `json:"key"`
	Issued    time.Time         `json:"issued"`
	Expires   time.Time         `json:"expires"`
	Meta

	ctx  context.Context
	stop context.CancelCauseFunc
}

// Meta is what is known of how a login came about.
type Meta struct {
	Client   string `json:"client,omitempty"`   // host name and version, as the client says
	Address  string `json:"address,omitempty"`  // where it logged in from
	Binding  string `json:"binding,omitempty"`  // how it proved its key: exporter or nonce
	Workload string `json:"workload,omitempty"` // the entry that let a workload in
}

// Ended is done once the login has expired, and was not renewed, or was revoked;
// its cause is ErrExpired or wraps ErrRevoked. Live sessions end with it.
func (l *Login) Ended() context.Context { return l.ctx }

// Done is closed once Ended is done.
func (l *Login) Done() <-chan struct{} { return l.ctx.Done() }

// Chain names who acts: a login has its principal alone. Delegations put the
// agents that act for it behind.
func (l *Login) Chain() policy.Chain {
	return policy.Chain{{ID: l.Principal.ID, Name: l.Principal.Name, Kind: l.Principal.Kind}}
}

// record is a login as the store keeps it, under the hash of its token. A
// revoked one stays until it would have expired, to tell its client why.
type record struct {
	Login
	Revoked *time.Time `json:"revoked,omitempty"`
	Reason  string     `json:"reason,omitempty"`
}
