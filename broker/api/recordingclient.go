package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"hoop/recorder/recording"
)

// Recordings lists the recordings of a session, by action.
func (c *Client) Recordings(ctx context.Context, session string) ([]recording.Description, error) {
	out, err := call[[]recording.Description](ctx, c, http.MethodGet, "/v1/sessions/"+url.PathEscape(session)+"/recordings", nil)
	if err != nil {
		return nil, err
	}
	return *out, nil
}

// Recording gives the file of one recording, in asciicast v3. What it gives
// fails where the connection to the broker does.
func (c *Client) Recording(ctx context.Context, session string, action uint64) (io.ReadCloser, error) {
	path := fmt.Sprintf("/v1/sessions/%s/recordings/%d", url.PathEscape(session), action)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Accept", CastType)
	resp, err := c.Dialer.Do(ctx, req)
	if err != nil {
		return nil, unreachable(err)
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return nil, unreachable(err)
	}
	return nil, decodeError(resp.StatusCode, data)
}
