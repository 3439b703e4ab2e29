package approval

import (
	"encoding/hex"
	"time"

	"hoop/policy"
)

// The states of an approval. Only pending ones change, and once.
const (
	Pending   = "pending"
	Approved  = "approved"
	Denied    = "denied"
	Expired   = "expired"
	Cancelled = "cancelled"
)

// Approval is one request and how it was settled.
type Approval struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Request
	Signs   []byte              `json:"digest"` // Request.Digest
	Created time.Time           `json:"created"`
	Expires time.Time           `json:"expires"`
	Ended   time.Time           `json:"ended,omitzero"`
	Why     string              `json:"why,omitempty"` // it was cancelled
	Asked   policy.ApprovalSpec `json:"asked"`         // who could answer when it was opened
	Answers []Answer            `json:"answers,omitempty"`
	Grant   string              `json:"grant,omitempty"` // that it left
	Preview *Preview            `json:"preview,omitempty"`
	Link    string              `json:"link,omitempty"` // to the page where it can be answered
}

// Preview is what the broker found out before anything ran.
type Preview struct {
	Plan          string  `json:"plan,omitempty"`
	EstimatedRows float64 `json:"estimated_rows,omitempty"`
	ExactRows     *int64  `json:"exact_rows,omitempty"`
	Problem       string  `json:"problem,omitempty"`
}

// Hex is the digest as people compare it.
func (a *Approval) Hex() string { return hex.EncodeToString(a.Signs) }

// Approvers names who approved.
func (a *Approval) Approvers() []string {
	var out []string
	for i := range a.Answers {
		if a.Answers[i].Decision == Approve {
			out = append(out, a.Answers[i].Approver.Name)
		}
	}
	return out
}

// Denial is the answer that denied it, nil where none did.
func (a *Approval) Denial() *Answer {
	for i := range a.Answers {
		if a.Answers[i].Decision == Deny {
			return &a.Answers[i]
		}
	}
	return nil
}
