// Package api is the broker's HTTP + JSON interface: the handler that serves it
// and the client that calls it share this file of types.
//
// # Scope
//
// It carries requests and answers. It does not decide who may do what (package
// broker does) nor who somebody is (package identity does).
package api

import (
	"fmt"
	"time"

	"hoop/broker"
	"hoop/policy"
	"hoop/recorder"
)

// Version stands in every path: /v1/….
const Version = 1

// The codes of an Error, each with the exit code of the command line.
const (
	CodeUsage            = "usage"             // 2
	CodeDenied           = "denied"            // 3
	CodeApprovalRequired = "approval_required" // 8
	CodeUnauthenticated  = "unauthenticated"   // 4
	CodeNonceRequired    = "nonce_required"    // never reaches a person
	CodeNotFound         = "not_found"         // 5
	CodeUnavailable      = "unavailable"       // 6
	CodeInternal         = "internal"          // 1
	CodeWrongProtocol    = "wrong_protocol"    // 1: the connection speaks another
)

// Error is a refusal or failure as the API tells it.
type Error struct {
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Rule    string `json:"rule,omitempty"`
	// Approval is the one that waits or decided, where the caller knows it.
	Approval string `json:"approval,omitempty"`

	cause error
}

// Unwrap gives what a client's failure came from, if anything.
func (e *Error) Unwrap() error { return e.cause }

func (e *Error) Error() string { return e.Message }

// Format lets errors print as their message alone.
func (e *Error) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(e.Message)) }

// ErrorBody is the body of every answer that is not 2xx.
type ErrorBody struct {
	Error *Error `json:"error"`
}

// Info is what anybody may know of a broker: GET /v1/info.
type Info struct {
	Version string        `json:"version"`
	Issuers []LoginIssuer `json:"issuers"`
	Time    time.Time     `json:"time"`
	// SSHHostCA is the public key that signs the host keys of SSH connections, a
	// line as authorized_keys has it.
	SSHHostCA string `json:"ssh_host_ca,omitempty"`
}

// LoginIssuer is an issuer that people sign in with.
type LoginIssuer struct {
	URL      string   `json:"url"`
	ClientID string   `json:"client_id"`
	Scopes   []string `json:"scopes"`
}

// LoginRequest exchanges an ID token or a workload token for a login that is
// bound to a key: POST /v1/login.
type LoginRequest struct {
	IDToken   string `json:"id_token"`
	PublicKey []byte `json:"public_key"`      // Ed25519, RFC 8032
	Proof     string `json:"proof"`           // identity.SignLogin
	Nonce     string `json:"nonce,omitempty"` // that the client sent to the issuer, if it did
	Client    string `json:"client"`          // host name and version, for people
}

// LoginResponse is the new login.
type LoginResponse struct {
	Token     string           `json:"token"`
	Expires   time.Time        `json:"expires"`
	Principal policy.Principal `json:"principal"`
}

// Whoami is the caller as the broker sees it: GET /v1/whoami.
type Whoami struct {
	Principal policy.Principal `json:"principal"`
	Chain     policy.Chain     `json:"chain"`
	Expires   time.Time        `json:"expires"`
	Binding   string           `json:"binding"`
}

// Connection is a registered endpoint as its callers see it:
// GET /v1/connections and GET /v1/connections/{name}.
type Connection struct {
	Name     string            `json:"name"`
	Protocol string            `json:"protocol"`
	Labels   map[string]string `json:"labels,omitempty"`
	Database string            `json:"database,omitempty"`
	User     string            `json:"user,omitempty"` // the role at the target
	Effect   string            `json:"effect"`         // of opening it: allow or require_approval
	Rule     string            `json:"rule"`
}

// Session is one session, live or past: GET /v1/sessions.
type Session struct {
	ID         string       `json:"id"`
	Principal  string       `json:"principal"`
	Chain      policy.Chain `json:"chain"`
	Connection string       `json:"connection"`
	Protocol   string       `json:"protocol"`
	Client     string       `json:"client,omitempty"`
	Started    time.Time    `json:"started"`
	Ended      *time.Time   `json:"ended,omitempty"`
	State      string       `json:"state"` // live, closed, refused or lost
	Statements int          `json:"statements"`
	Denied     int          `json:"denied"`
	Failed     int          `json:"failed"`
	Rows       int64        `json:"rows"`
	Bytes      int64        `json:"bytes"`
	Reason     string       `json:"reason,omitempty"`
}

// Action is one statement of a session with its verdict and outcome.
type Action struct {
	Event    uint64           `json:"event"` // index of the deciding event in the audit log
	Number   uint64           `json:"number"`
	Time     time.Time        `json:"time"`
	Verb     string           `json:"verb"`
	Text     string           `json:"text"`
	Params   []recorder.Param `json:"params,omitempty"`
	Effect   string           `json:"effect"`
	Rule     string           `json:"rule"`
	Reason   string           `json:"reason,omitempty"`
	Outcome  string           `json:"outcome"`
	Code     string           `json:"code,omitempty"`
	Rows     int64            `json:"rows"`
	Bytes    int64            `json:"bytes"`
	Duration int64            `json:"duration_us"`
	Masked   map[string]int   `json:"masked,omitempty"`
	// Approval is the one that the statement waited for.
	Approval *recorder.Approval `json:"approval,omitempty"`
	// Derived is what was typed into a shell, read off its screen.
	Derived []recorder.DerivedCommand `json:"derived,omitempty"`
}

// SessionDetail is a session with its actions: GET /v1/sessions/{id}.
type SessionDetail struct {
	Session
	ActionList []Action `json:"action_list"`
}

// EndRequest says why a live session is ended: POST /v1/sessions/{id}/end.
type EndRequest struct {
	Reason string `json:"reason"`
}

// ExplainRequest asks what would become of a statement: POST /v1/explain. It
// decides for the caller and runs nothing.
type ExplainRequest struct {
	Connection string `json:"connection"`
	// SQL is the text for a database; for an SSH target it is a command.
	SQL string `json:"sql,omitempty"`
	// Verb and SSH ask about a request of SSH instead; the verb may be left out
	// where it follows.
	Verb string             `json:"verb,omitempty"`
	SSH  *policy.SSHRequest `json:"ssh,omitempty"`
}

// Explanation is the answer for each statement of the text, or for the request.
type Explanation struct {
	Statements []ExplainedStatement `json:"statements"`
}

// ExplainedStatement is one statement or request, what it does, and what
// decides.
type ExplainedStatement struct {
	Text    string         `json:"text"`
	Verb    string         `json:"verb"`
	SQL     *policy.SQL    `json:"sql,omitempty"`
	SSH     *policy.SSH    `json:"ssh,omitempty"`
	Verdict policy.Verdict `json:"verdict"`
	Steps   []policy.Step  `json:"steps"` // one for each rule
	// Lineage is what the target says that the results derive from; nil where
	// nothing is labelled, the rules deny anyway, or nobody was asked. Problem
	// says why there is none.
	Lineage *broker.Lineage `json:"lineage,omitempty"`
	Problem string          `json:"lineage_problem,omitempty"`
}

// DiscoverRequest asks what the detectors find in the tables of a connection:
// POST /v1/discover. Each table that is sampled is an action of a session.
type DiscoverRequest struct {
	Connection string `json:"connection"`
	Rows       int    `json:"rows"` // of each table
}

// Discovery is the answer. It holds no value.
type Discovery struct {
	Connection string                 `json:"connection"`
	Columns    []broker.SampledColumn `json:"columns"`
}
