package login

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"golang.org/x/oauth2"
)

// device signs in with a code that the person enters in a browser anywhere
// (RFC 8628).
func (p *Provider) device(ctx context.Context, o Options) (Tokens, error) {
	if p.oauth.Endpoint.DeviceAuthURL == "" {
		return Tokens{}, fmt.Errorf("%w: it has no device authorization endpoint", ErrMethod)
	}
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.Timeout, ErrExpired)
		defer cancel()
	}
	grant, err := p.oauth.DeviceAuth(p.context(ctx))
	if code, description := oauthError(err); code != "" {
		return Tokens{}, explained(ErrMethod, code, description)
	}
	if err != nil {
		return Tokens{}, fmt.Errorf("ask for a device code: %w", unreachable(err))
	}
	if err := tidy(grant); err != nil {
		return Tokens{}, err
	}
	announce(o.voice(), grant)
	token, err := p.poll(ctx, grant)
	if err != nil {
		return Tokens{}, err
	}
	return p.verify(ctx, token, "") // the device flow has no nonce
}

// tidy checks what goes to the person's terminal and into a timer.
func tidy(g *oauth2.DeviceAuthResponse) error {
	g.UserCode = plain(g.UserCode)
	for _, address := range []string{g.VerificationURI, g.VerificationURIComplete} {
		u, err := url.Parse(address)
		if err != nil || address != "" && (u.Scheme != "https" && u.Scheme != "http" || u.Host == "") {
			return fmt.Errorf("the issuer's verification address %q is no web address", plain(address))
		}
	}
	if g.UserCode == "" || g.VerificationURI == "" || g.DeviceCode == "" {
		return errors.New("the issuer's device answer lacks a code or an address")
	}
	if g.Interval == 0 {
		g.Interval = 5 // RFC 8628 §3.2
	}
	g.Interval = min(max(g.Interval, 1), 60)
	if latest := time.Now().Add(30 * time.Minute); g.Expiry.IsZero() || g.Expiry.After(latest) {
		g.Expiry = latest
	}
	return nil
}

// announce shows address, code and, where it fits, a QR code of both.
func announce(v voice, g *oauth2.DeviceAuthResponse) {
	text := fmt.Sprintf("To sign in, open this address in any browser:\n\n  %s\n\nand enter the code:\n\n  %s\n",
		g.VerificationURI, g.UserCode)
	if g.VerificationURIComplete != "" {
		if code := qrCode(g.VerificationURIComplete, v.width, v.color); code != "" {
			text += "\nor scan this and compare the code:\n\n" + code
		}
	}
	v.say(event{
		Event: "device_code", UserCode: g.UserCode, URL: g.VerificationURI,
		URLComplete: g.VerificationURIComplete, Expires: g.Expiry.UTC().Truncate(time.Second),
	}, text)
}

// poll asks until the person has answered. The library keeps the interval and
// obeys slow_down; errors of the network are ours: RFC 8628 §3.5 wants polling
// to go on, and less often.
func (p *Provider) poll(ctx context.Context, g *oauth2.DeviceAuthResponse) (*oauth2.Token, error) {
	for {
		token, err := p.oauth.DeviceAccessToken(p.context(ctx), g)
		if err == nil {
			return token, nil
		}
		if code, description := oauthError(err); code != "" {
			return nil, refusedDevice(code, description)
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("wait for the code to be entered: %w", context.Cause(ctx))
		}
		if !time.Now().Before(g.Expiry) {
			return nil, fmt.Errorf("%w: the code has expired", ErrExpired)
		}
		g.Interval = min(2*g.Interval, 60)
	}
}

// refusedDevice reads the error codes of RFC 8628 §3.5 and RFC 6749 §5.2.
func refusedDevice(code, description string) error {
	switch code {
	case "expired_token":
		return fmt.Errorf("%w: the code has expired", ErrExpired)
	case "unauthorized_client", "unsupported_grant_type", "invalid_client":
		return explained(ErrMethod, code, description)
	default: // access_denied, invalid_grant
		return explained(ErrRefused, code, description)
	}
}
