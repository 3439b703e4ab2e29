package ssh

import (
	"context"

	gossh "golang.org/x/crypto/ssh"
)

// maxConnPayload bounds what a request or a channel other than a session's may
// bring, in bytes: two paths fit in. Many of them can wait.
const maxConnPayload = 10 << 10

// serveRequests answers the client's requests that concern the connection, in
// their order, as RFC 4254 §4 demands.
func (r *relay) serveRequests(ctx context.Context, requests <-chan *gossh.Request) error {
	queue := make(chan *gossh.Request, maxPending)
	r.spawn(func() error {
		for req := range queue {
			ok, payload := r.answer(ctx, req)
			_ = req.Reply(ok, payload)
		}
		return nil
	})
	defer close(queue)
	for req := range requests {
		if len(req.Payload) > maxConnPayload {
			req.Payload = nil // which none of them may have
		}
		select {
		case queue <- req:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

func (r *relay) answer(ctx context.Context, req *gossh.Request) (bool, []byte) {
	switch req.Type {
	case "keepalive@openssh.com":
		return false, nil // as sshd does; any answer will do
	case "no-more-sessions@openssh.com": // OpenSSH PROTOCOL §2.2
		r.mu.Lock()
		r.noMore = true
		r.mu.Unlock()
		return true, nil
	case "hostkeys-prove-00@openssh.com":
		return false, nil // no keys were announced
	case "tcpip-forward", "streamlocal-forward@openssh.com":
		return r.listen(ctx, req)
	case "cancel-tcpip-forward", "cancel-streamlocal-forward@openssh.com":
		return r.unlisten(ctx, req)
	}
	_ = r.unknown(ctx, "global "+req.Type)
	return false, nil
}
