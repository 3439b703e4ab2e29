package api

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"hoop/broker/identity"
	"hoop/tunnel"
)

// Client calls a broker. Its Dialer says where it is and proves who calls.
type Client struct {
	Dialer *tunnel.Dialer
	// Sign signs with the key of the caller's login: answers to approvals need
	// it. It may be nil where none are given.
	Sign func(ctx context.Context, message []byte) ([]byte, error)
}

// maxBody bounds what is read of an answer, in bytes.
const maxBody = 64 << 20

// Info asks what anybody may know of the broker.
func (c *Client) Info(ctx context.Context) (*Info, error) {
	return call[Info](ctx, c, http.MethodGet, "/v1/info", nil)
}

// Login exchanges a token of an issuer for a login that is bound to key. The
// proof depends on the TLS connection, so it is made while the request is sent.
func (c *Client) Login(ctx context.Context, in LoginRequest, key ed25519.PrivateKey) (*LoginResponse, error) {
	nonce := ""
	d := &tunnel.Dialer{URL: c.Dialer.URL, TLS: c.Dialer.TLS, Proxy: c.Dialer.Proxy, Logger: c.Dialer.Logger}
	d.Authorize = func(_ context.Context, req *http.Request, exporter []byte) error {
		in.PublicKey, _ = key.Public().(ed25519.PublicKey)
		in.Proof = identity.SignLogin(key, in.IDToken, exporter)
		if nonce != "" {
			in.Proof = identity.SignNonceLogin(key, in.IDToken, nonce, identity.RouteOf(req))
		}
		body, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return nil
	}
	d.Retry = func(resp *http.Response) bool {
		nonce = resp.Header.Get(identity.NonceHeader)
		return nonce != ""
	}
	return call[LoginResponse](ctx, &Client{Dialer: d}, http.MethodPost, "/v1/login", struct{}{})
}

// Logout ends the caller's login and the live sessions under it.
func (c *Client) Logout(ctx context.Context) error {
	_, err := call[struct{}](ctx, c, http.MethodPost, "/v1/logout", struct{}{})
	return err
}

// Whoami tells the caller who it is.
func (c *Client) Whoami(ctx context.Context) (*Whoami, error) {
	return call[Whoami](ctx, c, http.MethodGet, "/v1/whoami", nil)
}

// Connections lists what the caller may open.
func (c *Client) Connections(ctx context.Context) ([]Connection, error) {
	out, err := call[[]Connection](ctx, c, http.MethodGet, "/v1/connections", nil)
	if err != nil {
		return nil, err
	}
	return *out, nil
}

// Connection tells of one connection.
func (c *Client) Connection(ctx context.Context, name string) (*Connection, error) {
	return call[Connection](ctx, c, http.MethodGet, "/v1/connections/"+url.PathEscape(name), nil)
}

// Sessions lists sessions, the newest first, at most limit of them.
func (c *Client) Sessions(ctx context.Context, live bool, connection, principal string, limit int) ([]Session, error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if live {
		q.Set("live", "true")
	}
	if connection != "" {
		q.Set("connection", connection)
	}
	if principal != "" {
		q.Set("principal", principal)
	}
	out, err := call[[]Session](ctx, c, http.MethodGet, "/v1/sessions?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	return *out, nil
}

// Session tells of one session by its ID or a unique prefix of it.
func (c *Client) Session(ctx context.Context, id string) (*SessionDetail, error) {
	return call[SessionDetail](ctx, c, http.MethodGet, "/v1/sessions/"+url.PathEscape(id), nil)
}

// EndSession ends a live session at once.
func (c *Client) EndSession(ctx context.Context, id, reason string) error {
	_, err := call[struct{}](ctx, c, http.MethodPost, "/v1/sessions/"+url.PathEscape(id)+"/end", map[string]string{"reason": reason})
	return err
}

// Explain asks what would become of a statement.
func (c *Client) Explain(ctx context.Context, in *ExplainRequest) (*Explanation, error) {
	return call[Explanation](ctx, c, http.MethodPost, "/v1/explain", in)
}

// Discover asks what the detectors find in the tables of a connection.
func (c *Client) Discover(ctx context.Context, in *DiscoverRequest) (*Discovery, error) {
	return call[Discovery](ctx, c, http.MethodPost, "/v1/discover", in)
}

// Open opens a tunnel to a connection that must speak protocol; why is for who
// answers what waits in it. The error is an *Error where the broker refused.
func (c *Client) Open(ctx context.Context, connection, protocol string, why Purpose) (*tunnel.Stream, error) {
	query := why.query()
	query.Set("protocol", protocol)
	path := "/v1/connections/" + url.PathEscape(connection) + "/tunnel?" + query.Encode()
	s, err := c.Dialer.Open(ctx, path, http.Header{})
	var refused *tunnel.RefusedError
	if errors.As(err, &refused) {
		return nil, decodeError(refused.Status, refused.Body)
	}
	if err != nil {
		return nil, unreachable(err)
	}
	return s, nil
}

func call[T any](ctx context.Context, c *Client, method, path string, in any) (*T, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.Dialer.Do(ctx, req)
	if err != nil {
		return nil, unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return nil, unreachable(err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, decodeError(resp.StatusCode, data)
	}
	out := new(T)
	if len(data) == 0 {
		return out, nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return nil, fmt.Errorf("read the broker's answer: %w", err)
	}
	return out, nil
}

func unreachable(err error) error {
	var own *Error
	if errors.As(err, &own) || errors.Is(err, context.Canceled) {
		return err
	}
	return &Error{Code: CodeUnavailable, Message: fmt.Sprintf("the broker cannot be reached: %v", err), cause: err,
		Hint: "check the network, and the broker's address with hoop whoami -v"}
}

// decodeError reads the body of a refusal. A body that is not the broker's own
// comes from something between: a reverse proxy, a captive portal.
func decodeError(status int, body []byte) *Error {
	var b ErrorBody
	if err := json.Unmarshal(body, &b); err == nil && b.Error != nil && b.Error.Code != "" {
		b.Error.Status = status
		return b.Error
	}
	return &Error{Status: status, Code: CodeUnavailable,
		Message: fmt.Sprintf("something between here and the broker answered %d %s", status, http.StatusText(status)),
		Hint:    "if a reverse proxy stands before the broker, it must pass HTTP upgrades on"}
}
