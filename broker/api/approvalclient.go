package api

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"hoop/broker/approval"
	"hoop/policy"
)

// Approvals lists approvals in a state, or all where it is "all".
func (c *Client) Approvals(ctx context.Context, state string) ([]Approval, error) {
	out, err := call[[]Approval](ctx, c, http.MethodGet, "/v1/approvals?"+url.Values{"state": {state}, "limit": {"1000"}}.Encode(), nil)
	if err != nil {
		return nil, err
	}
	return *out, nil
}

// Approval tells of one approval by its ID, or the beginning of that of a
// pending one.
func (c *Client) Approval(ctx context.Context, id string) (*Approval, error) {
	return call[Approval](ctx, c, http.MethodGet, "/v1/approvals/"+url.PathEscape(id), nil)
}

// Answer approves or denies what a shows, signed with the caller's own key.
// lasts leaves a grant where it is above zero. What the broker shows must be
// what its digest is of, or nothing is signed.
func (c *Client) Answer(ctx context.Context, a *Approval, decision, comment string, lasts time.Duration) (*Approval, error) {
	digest, err := a.CheckDigest()
	if err != nil {
		return nil, err
	}
	if c.Sign == nil {
		return nil, errors.New("there is no key to sign the answer with")
	}
	said := approval.Answer{Decision: decision, Comment: comment, ForSec: int64(lasts / time.Second)}
	in := AnswerRequest{Decision: decision, Comment: comment, ForSec: said.ForSec, Digest: a.Digest}
	if in.Signature, err = c.Sign(ctx, said.Message(a.ID, digest)); err != nil {
		return nil, fmt.Errorf("sign the answer: %w", err)
	}
	return call[Approval](ctx, c, http.MethodPost, "/v1/approvals/"+url.PathEscape(a.ID)+"/answer", in)
}

// CheckDigest computes the digest of what the approval shows and compares it
// with the one to be signed, so that a broker cannot show one thing and have
// another signed.
func (a *Approval) CheckDigest() ([]byte, error) {
	q := approval.Request{
		Kind: a.Kind, Session: a.Session, Connection: a.Connection, Protocol: a.Protocol, Principal: policy.Principal{ID: a.RequesterID}, Chain: a.Chain,
		Verb: a.Verb, Text: a.Text, Params: a.Params, Exact: a.Exact, ForSec: a.ForSec,
		Meaning: approval.Meaning{Objects: a.Objects, Labels: a.Labels, Settings: a.Settings},
	}
	digest := q.Digest()
	if hex.EncodeToString(digest) != a.Digest {
		return nil, &Error{Code: CodeDenied, Message: "what the broker shows of approval " + a.ID + " is not what it asks to sign",
			Hint: "do not answer; tell the broker's administrator"}
	}
	return digest, nil
}

// Withdraw takes back an approval that the caller asked for.
func (c *Client) Withdraw(ctx context.Context, id string) error {
	_, err := call[struct{}](ctx, c, http.MethodDelete, "/v1/approvals/"+url.PathEscape(id), nil)
	return err
}

// WatchApprovals calls fn with every event, the first ones telling what is
// pending, until ctx is done, fn fails, or the broker ends the stream, which is
// io.EOF: look again then.
func (c *Client) WatchApprovals(ctx context.Context, fn func(*ApprovalEvent) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "/v1/approvals/watch", nil)
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	resp, err := c.Dialer.Do(ctx, req)
	if err != nil {
		return unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		data, _ := io.ReadAll(io.LimitReader(resp.Body, maxBody))
		return decodeError(resp.StatusCode, data)
	}
	dec := json.NewDecoder(bufio.NewReader(resp.Body))
	for {
		var ev ApprovalEvent
		if err := dec.Decode(&ev); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return io.EOF
		}
		if err := fn(&ev); err != nil {
			return err
		}
	}
}

// RequestAccess asks to open a connection for a while.
func (c *Client) RequestAccess(ctx context.Context, in *AccessRequest) (*AccessAnswer, error) {
	return call[AccessAnswer](ctx, c, http.MethodPost, "/v1/requests", in)
}

// Grants lists the grants that the caller may see.
func (c *Client) Grants(ctx context.Context) ([]Grant, error) {
	out, err := call[[]Grant](ctx, c, http.MethodGet, "/v1/grants", nil)
	if err != nil {
		return nil, err
	}
	return *out, nil
}

// RevokeGrant ends a grant and the sessions under it.
func (c *Client) RevokeGrant(ctx context.Context, id string) error {
	_, err := call[struct{}](ctx, c, http.MethodDelete, "/v1/grants/"+url.PathEscape(id), nil)
	return err
}
