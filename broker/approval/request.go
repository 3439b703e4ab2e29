package approval

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"hoop/policy"
	"hoop/recorder"
)

// The kinds of approvals and grants.
const (
	KindStatement = "statement"
	KindSession   = "session" // opening a connection
)

// Request is what somebody asks for.
type Request struct {
	Kind       string           `json:"kind"`
	Session    string           `json:"session,omitempty"`
	Connection string           `json:"connection"`
	Protocol   string           `json:"protocol"`
	Principal  policy.Principal `json:"principal"`
	Chain      policy.Chain     `json:"chain"`
	Client     string           `json:"client,omitempty"` // remote address
	Binding    string           `json:"binding,omitempty"`
	Reason     string           `json:"reason,omitempty"` // the requester's
	Ticket     string           `json:"ticket,omitempty"`
	ForSec     int64            `json:"for_seconds,omitempty"` // asked for; 0 is once

	Verb   string           `json:"verb"`
	Text   string           `json:"text,omitempty"`
	Params []recorder.Param `json:"params,omitempty"`
	SQL    *policy.SQL      `json:"sql,omitempty"`
	SSH    *policy.SSH      `json:"ssh,omitempty"`
	// Exact is SHA-256 over the bytes that would be forwarded, where they are
	// more than the text: encoded parameters and their formats.
	Exact   []byte `json:"exact,omitempty"`
	Meaning `json:"meaning"`

	Rule       string `json:"rule"`
	RuleReason string `json:"rule_reason,omitempty"`

	// Clean is the text for the record, where a detector masked something.
	Clean       string           `json:"-"`
	CleanParams []recorder.Param `json:"-"`
}

// Meaning is what a text depends on besides itself, as the target sees it at
// one moment. All lists are sorted.
type Meaning struct {
	Objects  []string `json:"objects,omitempty"`  // what names resolve to, each with its identity
	Labels   []string `json:"labels,omitempty"`   // sensitivity labels that the statement touches
	Settings []string `json:"settings,omitempty"` // name=value, such as role and search_path
}

// Digest is what an answer signs: everything that makes the request what it is.
func (q *Request) Digest() []byte { return q.sum("hoop-approval-digest-v1\x00", q.Session) }

// fingerprint is the digest without the session: what a grant covers.
func (q *Request) fingerprint() string { return string(q.sum("hoop-approval-grant-v1\x00", "")) }

func (q *Request) sum(domain, session string) []byte {
	h := sha256.New()
	h.Write([]byte(domain))
	for _, s := range []string{q.Kind, session, q.Connection, q.Protocol, q.Principal.ID} {
		part(h, s)
	}
	count(h, len(q.Chain))
	for _, a := range q.Chain {
		part(h, a.ID)
		part(h, string(a.Kind))
	}
	part(h, q.Verb)
	part(h, q.Text)
	part(h, string(q.Exact))
	count(h, len(q.Params))
	for _, p := range q.Params {
		part(h, p.Value)
		count(h, int(p.OID))
		if p.Null {
			part(h, "null")
		} else {
			part(h, "")
		}
	}
	for _, list := range [][]string{q.Objects, q.Labels, q.Settings} {
		count(h, len(list))
		for _, s := range list {
			part(h, s)
		}
	}
	count(h, int(q.ForSec))
	return h.Sum(nil)
}

// part writes a field with its length before it, so that none can move into
// the next.
func part(h hash.Hash, s string) {
	count(h, len(s))
	h.Write([]byte(s))
}

func count(h hash.Hash, n int) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	h.Write(b[:])
}
