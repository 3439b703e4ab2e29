package ssh

import (
	"context"
	"fmt"

	gossh "golang.org/x/crypto/ssh"

	"hoop/broker"
	"hoop/policy"
)

// The types of channels, RFC 4254 and OpenSSH PROTOCOL §2.
const (
	typeSession         = "session"
	typeDirect          = "direct-tcpip"
	typeDirectLocal     = "direct-streamlocal@openssh.com"
	typeForwarded       = "forwarded-tcpip"
	typeForwardedLocal  = "forwarded-streamlocal@openssh.com"
	typeForwardedAgent  = "auth-agent@openssh.com"
	typeForwardedX11    = "x11"
	maxChannelTypeShown = 64
)

// serveChannels serves what the client opens, each channel by itself: one that
// waits for people holds up no other.
func (r *relay) serveChannels(ctx context.Context, channels <-chan gossh.NewChannel) error {
	for n := range channels {
		if !r.enter() {
			if err := n.Reject(gossh.ResourceShortage, fmt.Sprintf("hoop: more than %d channels at once", r.e.maxChannels)); err != nil {
				return nil // the conn ended, which shows elsewhere
			}
			continue
		}
		r.spawn(func() error {
			defer r.leave()
			if err := r.serveChannel(ctx, n); err != nil {
				return err
			}
			return r.hopeless()
		})
	}
	return nil
}

// hopeless is an error where the target was not reached: once a channel was told
// so the session ends. A shared connection would else stay, and fail for
// everybody who comes to it.
func (r *relay) hopeless() error {
	select {
	case <-r.reached:
		return r.failed
	default:
		return nil
	}
}

func (r *relay) serveChannel(ctx context.Context, n gossh.NewChannel) error {
	switch n.ChannelType() {
	case typeSession:
		return r.serveSession(ctx, n)
	case typeDirect, typeDirectLocal:
		return r.serveDirect(ctx, n)
	}
	_ = r.unknown(ctx, "channel "+n.ChannelType())
	return rejected(n.Reject(gossh.UnknownChannelType, "hoop: channels of this type are not passed on"))
}

// rejected drops the error of a Reject: its conn ended, which shows elsewhere.
func rejected(error) error { return nil }

// unknown records what is in no list, once a name: some clients send requests
// of their own again and again. It is passed on under no policy.
func (r *relay) unknown(ctx context.Context, what string) error {
	what = oneLine(what)
	if len(what) > maxChannelTypeShown {
		what = what[:maxChannelTypeShown]
	}
	r.mu.Lock()
	seen := r.strange[what] || len(r.strange) >= 100
	r.strange[what] = true
	r.mu.Unlock()
	if seen {
		return nil
	}
	t, err := r.s.Decide(ctx, &broker.Action{Action: policy.Action{Verb: policy.SSHUnknown, Text: what, SSH: &policy.SSH{Login: r.login, Name: what}}})
	if err != nil {
		return err
	}
	r.s.Finish(t, outcome("error", "not passed on"))
	return nil
}
