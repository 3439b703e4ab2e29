// Package identity turns what a client presents into a verified principal with
// its actor chain: an ID token or workload token at login, and from then on a
// login token together with a proof that the client holds the login's key.
//
// # Scope
//
// It says who somebody is, never what they may do. It reads no user directory:
// what an issuer does not put into the token is unknown here, and what is
// unknown is refused with the cure. It mints no ID tokens, and keeps of login
// tokens only a hash.
package identity
