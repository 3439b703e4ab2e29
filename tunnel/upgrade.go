package tunnel

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	// UpgradeToken is the protocol that a client asks for (RFC 9110 §7.8).
	UpgradeToken = "hoop-tunnel/1"

	headerStream   = "Hoop-Stream"
	headerReceived = "Hoop-Received"
	headerReason   = "Hoop-Reason"
)

// HTTPError is a request that gets no stream. Nothing of the answer was
// written yet: the caller does, with this status.
type HTTPError struct {
	Status int
	Reason string
}

func (e *HTTPError) Error() string { return e.Reason }

// wantsUpgrade checks the request headers.
func wantsUpgrade(r *http.Request) error {
	switch {
	case r.Method != http.MethodGet:
		return &HTTPError{http.StatusMethodNotAllowed, "a stream is opened with GET"}
	case !hasToken(r.Header, "Connection", "upgrade"), !hasToken(r.Header, "Upgrade", UpgradeToken):
		return &HTTPError{http.StatusUpgradeRequired,
			"this address serves streams: Upgrade: " + UpgradeToken + " is missing, or a proxy in between removed it"}
	}
	return nil
}

// hasToken looks for one element of a comma-separated header field.
func hasToken(h http.Header, field, token string) bool {
	for _, line := range h.Values(field) {
		for v := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(v), token) {
				return true
			}
		}
	}
	return false
}

// hijack takes the conn from the HTTP server and keeps nothing else of it. The
// headers that the handler has set go into the 101.
func hijack(w http.ResponseWriter, header http.Header, pool *buffers) (*link, error) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, &HTTPError{http.StatusInternalServerError, fmt.Sprintf("take over the connection: %v", err)}
	}
	var prefix []byte
	if n := rw.Reader.Buffered(); n > 0 {
		b, _ := rw.Reader.Peek(n)
		prefix = append(prefix, b...)
	}
	if err := answer(conn, header); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return newLink(conn, prefix, pool), nil
}

func answer(conn net.Conn, header http.Header) error {
	var b strings.Builder
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + UpgradeToken + "\r\n")
	if err := header.Write(&b); err != nil {
		return fmt.Errorf("write the upgrade's headers: %w", err)
	}
	b.WriteString("\r\n")
	_ = conn.SetDeadline(time.Now().Add(closeTimeout))
	if _, err := conn.Write([]byte(b.String())); err != nil {
		return fmt.Errorf("answer the upgrade: %w", err)
	}
	return conn.SetDeadline(time.Time{})
}
