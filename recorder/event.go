// Package recorder writes the audit log and reads it back.
//
// # Scope
//
// It stores what it is given, in order, durably, so that later changes show.
// It does not decide, mask or talk to a network. After one failed write it
// refuses everything: a broker whose record is broken denies. It cannot show
// that events after the last checkpoint which somebody else keeps were cut off,
// nor stop who holds the signing key from writing another log.
//
// # Files
//
// A log is a folder of one broker:
//
//	<first index>.seg       events, framed; see frame.go
//	checkpoints, checkpoint signed heads of the Merkle tree (C2SP tlog-checkpoint)
//	hashes                  the tree's stored hashes; rebuilt where missing
//	<first index>.sessions  what sessions did in a segment; rebuilt where missing
//	log.key, log.pub        Ed25519 keys of the checkpoints, note form
//	digest.key              secret of the digests
//	lock                    held while a broker writes
package recorder

import (
	"time"

	"hoop/policy"
)

// Type names what an event tells.
type Type string

// The types of events. A statement has one event before it is forwarded (or
// refused) and, where it was forwarded, one when it is done.
const (
	BrokerStarted   Type = "broker.started"
	BrokerStopped   Type = "broker.stopped"
	ConfigReloaded  Type = "config.reloaded"
	LoginSucceeded  Type = "login.succeeded"
	LoginRefused    Type = "login.refused"
	LoginEnded      Type = "login.ended"
	SessionOpened   Type = "session.opened"
	SessionRefused  Type = "session.refused"
	SessionClosed   Type = "session.closed"
	ActionAnalysed  Type = "action.analysed" // written before the target parses a text, of which nothing runs yet
	ActionDecided   Type = "action.decided"  // verdict written before forwarding
	ActionFinished  Type = "action.finished" // rows, bytes, duration, outcome
	ActionCancelled Type = "action.cancelled"

	RecordingStarted Type = "recording.started" // written before anything is shown
	RecordingChunk   Type = "recording.chunk"   // the hash of what the file got since the chunk before
	RecordingEnded   Type = "recording.ended"   // the hash of the whole file
	RecordingRead    Type = "recording.read"    // its principal was given what it holds
	CommandDerived   Type = "command.derived"   // read off the screen of a shell: what a person typed, as far as it shows

	ApprovalRequested Type = "approval.requested" // somebody waits for an answer
	ApprovalAnswered  Type = "approval.answered"  // one approver's signed answer
	ApprovalEnded     Type = "approval.ended"     // approved, denied, expired or cancelled
	GrantCreated      Type = "grant.created"
	GrantEnded        Type = "grant.ended" // revoked or expired
	BreakGlass        Type = "break_glass" // a grant that nobody else was asked for, or its use
)

// Durability is how far an event must have got before Append returns.
type Durability uint8

// Synced is the zero value: the safe one.
const (
	Synced  Durability = iota // on the disk: survives a power cut
	Written                   // handed to the operating system: survives a crash of the broker
)

// Event is one entry of the audit log. Append and Later set Index, Digest where
// Exact is set, and Time where it is zero.
type Event struct {
	Index uint64    `json:"index"`
	Time  time.Time `json:"time"`
	Type  Type      `json:"type"`

	Session    string `json:"session,omitempty"`
	Connection string `json:"connection,omitempty"`
	Protocol   string `json:"protocol,omitempty"`

	Principal *policy.Principal `json:"principal,omitempty"`
	Chain     policy.Chain      `json:"chain,omitempty"`
	Client    string            `json:"client,omitempty"`  // remote address of the client
	Binding   string            `json:"binding,omitempty"` // how possession of the key was proved: exporter or nonce

	// Action numbers the actions of a session from 1; the finished event
	// carries the number of the decided one.
	Action uint64 `json:"action,omitempty"`
	Verb   string `json:"verb,omitempty"`
	Text   string `json:"text,omitempty"`   // exact, but for what detectors masked
	Digest string `json:"digest,omitempty"` // HMAC-SHA-256 over Exact under the log's secret, hexadecimal
	// Exact is what Digest is computed over, where set; it is not written.
	Exact  []byte      `json:"-"`
	Params []Param     `json:"params,omitempty"`
	SQL    *policy.SQL `json:"sql,omitempty"`
	SSH    *policy.SSH `json:"ssh,omitempty"`

	Verdict *policy.Verdict `json:"verdict,omitempty"`

	Outcome    string         `json:"outcome,omitempty"` // ok, error, denied, cancelled, lost
	Code       string         `json:"code,omitempty"`    // the protocol's own code, such as an SQLSTATE
	Rows       int64          `json:"rows,omitempty"`
	Bytes      int64          `json:"bytes,omitempty"` // sent to the client for this action; of a recording: of the file or the chunk
	DurationUS int64          `json:"duration_us,omitempty"`
	Masked     map[string]int `json:"masked,omitempty"` // label or class → values masked
	Reason     string         `json:"reason,omitempty"`

	Recording string `json:"recording,omitempty"` // its file, in the folder of recordings
	Offset    int64  `json:"offset,omitempty"`    // where in it Bytes of a chunk begin
	SHA256    string `json:"sha256,omitempty"`    // of the chunk or of the file, in hexadecimal

	Approval *Approval `json:"approval,omitempty"`
}

// Approval is what an event tells of an approval or of a grant that came from
// one.
type Approval struct {
	ID    string `json:"id,omitempty"`
	Grant string `json:"grant,omitempty"`
	State string `json:"state,omitempty"` // pending, approved, denied, expired or cancelled
	// Digest is what an answer signs, SHA-256 in hexadecimal: see package
	// broker/approval. Objects and Settings are the parts of it that stand
	// nowhere else in the event.
	Digest   string    `json:"digest,omitempty"`
	Objects  []string  `json:"objects,omitempty"`
	Labels   []string  `json:"labels,omitempty"`
	Settings []string  `json:"settings,omitempty"`
	Expires  time.Time `json:"expires,omitzero"`

	Reason    string   `json:"reason,omitempty"` // the requester's
	Ticket    string   `json:"ticket,omitempty"`
	Approvers []string `json:"approvers,omitempty"` // who approved, by name
	WaitedMS  int64    `json:"waited_ms,omitempty"`

	// One answer. The principal of its event is the approver.
	Decision  string `json:"decision,omitempty"` // approve or deny
	Comment   string `json:"comment,omitempty"`
	ForSec    int64  `json:"for_seconds,omitempty"`
	Key       []byte `json:"key,omitempty"`       // Ed25519, RFC 8032
	Signature []byte `json:"signature,omitempty"` // over the digest and the answer
	Via       string `json:"via,omitempty"`       // "page" where the broker signed for a browser
}

// Param is one bound parameter, as text where it is text. Binary values that
// are not understood are recorded in hexadecimal after "\x".
type Param struct {
	Value string `json:"value,omitempty"`
	Null  bool   `json:"null,omitempty"`
	OID   uint32 `json:"oid,omitempty"`
}
