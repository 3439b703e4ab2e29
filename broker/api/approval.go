package api

import (
	"time"

	"hoop/policy"
	"hoop/recorder"
)

// Approval is one request for an answer by a person: GET /v1/approvals and
// GET /v1/approvals/{id}. What the requester wrote is in Text, Params and
// Reason, exactly; who shows it makes control characters visible.
type Approval struct {
	ID      string    `json:"id"`
	State   string    `json:"state"` // pending, approved, denied, expired or cancelled
	Kind    string    `json:"kind"`  // statement or session
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Ended   time.Time `json:"ended,omitzero"`
	Why     string    `json:"why,omitempty"` // it was cancelled

	Session     string       `json:"session,omitempty"`
	Connection  string       `json:"connection"`
	Protocol    string       `json:"protocol"`
	Requester   string       `json:"requester"`
	RequesterID string       `json:"requester_id"`
	Chain       policy.Chain `json:"chain"`
	Client      string       `json:"client,omitempty"`
	Reason      string       `json:"reason,omitempty"` // the requester's
	Ticket      string       `json:"ticket,omitempty"`
	ForSec      int64        `json:"for_seconds,omitempty"` // asked for; 0 is once

	Verb   string           `json:"verb"`
	Text   string           `json:"text,omitempty"`
	Params []recorder.Param `json:"params,omitempty"`
	SQL    *policy.SQL      `json:"sql,omitempty"`
	SSH    *policy.SSH      `json:"ssh,omitempty"`
	Exact  []byte           `json:"exact,omitempty"` // SHA-256 of encoded parameters and text
	// Objects, Settings and Labels are what the text depends on at the target:
	// relations with their OIDs, role and search_path.
	Objects  []string `json:"objects,omitempty"`
	Settings []string `json:"settings,omitempty"`
	Labels   []string `json:"labels,omitempty"`
	Link     string   `json:"link,omitempty"` // to the broker's page for it
	// Digest is what an answer signs, in hexadecimal: see CheckDigest.
	Digest string `json:"digest"`

	Rule       string   `json:"rule"`
	RuleReason string   `json:"rule_reason,omitempty"`
	Groups     []string `json:"groups,omitempty"` // who may answer
	Names      []string `json:"names,omitempty"`
	Quorum     int      `json:"quorum"`

	Answers []Answer         `json:"answers,omitempty"`
	Grant   string           `json:"grant,omitempty"` // that it left
	Preview *Preview         `json:"preview,omitempty"`
	History *ApprovalHistory `json:"history,omitempty"`

	// MayAnswer is whether the caller may; WhyNot says why not.
	MayAnswer bool   `json:"may_answer"`
	WhyNot    string `json:"why_not,omitempty"`
}

// Answer is what one approver said, signed with the key of their login.
type Answer struct {
	Approver  string    `json:"approver"`
	Decision  string    `json:"decision"` // approve or deny
	Comment   string    `json:"comment,omitempty"`
	Time      time.Time `json:"time"`
	ForSec    int64     `json:"for_seconds,omitempty"` // a grant for so long
	Key       []byte    `json:"key"`                   // Ed25519, RFC 8032
	Signature []byte    `json:"signature"`
	Via       string    `json:"via,omitempty"` // page: signed by the broker for a browser
}

// Preview is what the broker found out, under its own limits, before anything
// ran.
type Preview struct {
	Plan          string  `json:"plan,omitempty"` // EXPLAIN without ANALYZE
	EstimatedRows float64 `json:"estimated_rows,omitempty"`
	ExactRows     *int64  `json:"exact_rows,omitempty"` // for UPDATE and DELETE, where it could be counted
	Problem       string  `json:"problem,omitempty"`    // why there is none
}

// ApprovalHistory is what this requester, and this text, were answered before.
type ApprovalHistory struct {
	Asked    int `json:"asked"` // by this requester in 30 days
	Approved int `json:"approved"`
	Denied   int `json:"denied"`
	SameText int `json:"same_text"` // approvals of the same text by anybody
}

// AnswerRequest answers an approval: POST /v1/approvals/{id}/answer.
type AnswerRequest struct {
	Decision  string `json:"decision"`
	Comment   string `json:"comment,omitempty"`
	ForSec    int64  `json:"for_seconds,omitempty"`
	Digest    string `json:"digest"` // what the approver saw; another is refused
	Signature []byte `json:"signature"`
}

// ApprovalEvent is one line of the stream GET /v1/approvals/watch.
type ApprovalEvent struct {
	Event    string    `json:"event"` // opened, changed, answered, ended or ping
	Approval *Approval `json:"approval,omitempty"`
}

// Grant is permission for a time: GET /v1/grants.
type Grant struct {
	ID         string       `json:"id"`
	Kind       string       `json:"kind"` // statement (the same text again) or session (opening a connection)
	Connection string       `json:"connection"`
	Principal  string       `json:"principal"`
	Chain      policy.Chain `json:"chain"`
	Text       string       `json:"text,omitempty"`
	Approval   string       `json:"approval"` // that it came from
	Approvers  []string     `json:"approvers"`
	Created    time.Time    `json:"created"`
	Expires    time.Time    `json:"expires"`
	Uses       int          `json:"uses"` // since the broker started
	Rule       string       `json:"rule"`
	Reason     string       `json:"reason,omitempty"`
	Ticket     string       `json:"ticket,omitempty"`
	BreakGlass bool         `json:"break_glass,omitempty"`
}

// AccessRequest asks to open a connection for a while: POST /v1/requests.
type AccessRequest struct {
	Connection string `json:"connection"`
	ForSec     int64  `json:"for_seconds"`
	Reason     string `json:"reason"`
	Ticket     string `json:"ticket,omitempty"`
	BreakGlass bool   `json:"break_glass,omitempty"`
}

// AccessAnswer is what came of an AccessRequest: an approval that waits, or a
// grant where the glass was broken, or neither where policy asks for none.
type AccessAnswer struct {
	Approval *Approval `json:"approval,omitempty"`
	Grant    *Grant    `json:"grant,omitempty"`
}
