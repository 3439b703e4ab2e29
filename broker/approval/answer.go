package approval

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"hoop/policy"
	"hoop/recorder"
)

// The decisions of an answer.
const (
	Approve = "approve"
	Deny    = "deny"
)

// ViaPage marks an answer that the broker signed for a browser which was
// signed in to it: weaker than a key that never leaves its owner's machine. A
// rule with own_key takes none.
const ViaPage = "page"

// Bounds of an answer.
const (
	maxComment = 2000 // bytes
	// MaxGrant is the longest grant.
	MaxGrant = 24 * time.Hour
)

// Answer is what one approver said.
type Answer struct {
	Approver  policy.Principal  `json:"approver"` // as they were then
	Decision  string            `json:"decision"`
	Comment   string            `json:"comment,omitempty"`
	ForSec    int64             `json:"for_seconds,omitempty"` // leave a grant for so long
	Time      time.Time         `json:"time"`
	Key       ed25519.PublicKey `json:"key"`
	Signature []byte            `json:"signature"`
	Via       string            `json:"via,omitempty"`
}

// The domains of signatures: none passes for one of another kind.
const (
	ownContext  = "hoop-approval-v1\x00"
	pageContext = "hoop-approval-page-v1\x00"
)

// Message is what is signed (Ed25519, RFC 8032) for an answer to the approval
// with that id and digest. Every part has a fixed size or its length before it.
// A key of the page says for whom it signs: it is not theirs alone.
func (a *Answer) Message(id string, digest []byte) []byte {
	b := []byte(ownContext)
	if a.Via == ViaPage {
		b = field([]byte(pageContext), a.Approver.ID)
	}
	b = field(append(b, digest...), a.Decision)
	b = binary.BigEndian.AppendUint64(b, uint64(a.ForSec))
	said := sha256.Sum256([]byte(a.Comment))
	return field(append(b, said[:]...), id)
}

func field(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// errSignature says that an answer is not by the key that it claims.
var errSignature = errors.New("the signature does not fit the answer")

func (a *Answer) verify(id string, digest []byte) error {
	if len(a.Key) != ed25519.PublicKeySize || len(digest) != sha256.Size || a.Via != "" && a.Via != ViaPage ||
		!ed25519.Verify(a.Key, a.Message(id, digest), a.Signature) {
		return errSignature
	}
	return nil
}

// check refuses an answer that means nothing.
func (a *Answer) check() error {
	switch {
	case a.Decision != Approve && a.Decision != Deny:
		return fmt.Errorf("%q is no decision: approve or deny", a.Decision)
	case len(a.Comment) > maxComment || !utf8.ValidString(a.Comment):
		return fmt.Errorf("a comment is text of at most %d bytes", maxComment)
	case a.ForSec < 0 || time.Duration(a.ForSec) > MaxGrant/time.Second:
		return fmt.Errorf("a grant lasts %s at most", MaxGrant)
	case a.ForSec > 0 && a.Decision != Approve:
		return errors.New("only an approval can leave a grant")
	}
	return nil
}

// VerifyEvent checks the signature in an approval.answered event of the audit
// log. It needs nothing but the event.
func VerifyEvent(ev *recorder.Event) error {
	if ev.Type != recorder.ApprovalAnswered || ev.Approval == nil || ev.Principal == nil {
		return errors.New("the event is no answer to an approval")
	}
	digest, err := hex.DecodeString(ev.Approval.Digest)
	if err != nil {
		return fmt.Errorf("the digest of approval %s is damaged: %w", ev.Approval.ID, err)
	}
	a := Answer{Decision: ev.Approval.Decision, Comment: ev.Approval.Comment, ForSec: ev.Approval.ForSec,
		Approver: *ev.Principal, Key: ev.Approval.Key, Signature: ev.Approval.Signature, Via: ev.Approval.Via}
	if err := a.verify(ev.Approval.ID, digest); err != nil {
		return fmt.Errorf("answer to approval %s: %w", ev.Approval.ID, err)
	}
	return nil
}
