// Package login signs a person in at an OpenID Connect issuer from a terminal,
// renews the sign-in silently, and keeps what must be kept where other people
// of the machine cannot read it.
//
// # Scope
//
// It brings an ID token and a refresh token home and stores secrets. It does
// not talk to the broker, does not decide who somebody is (the broker verifies
// the ID token again), parses no flags and prints nothing but to the writer it
// is given. Refreshing never opens a browser.
package login

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Config names the issuer and our client there.
type Config struct {
	Issuer   string // https, or http on loopback
	ClientID string
	// ClientSecret is empty for a public client. Some vendors give installed
	// programs one that is not secret.
	ClientSecret string
	// Scopes may be nil for the usual ones.
	Scopes []string
	// HTTP may be nil for a client with a 15 s limit on every request.
	HTTP *http.Client
}

// Provider is a discovered issuer.
type Provider struct {
	oauth  oauth2.Config
	oidc   *oidc.Provider
	http   *http.Client
	issuer string
	revoke string
}

// Tokens is what a sign-in or a refresh gives.
type Tokens struct {
	IDToken      string
	RefreshToken string    // empty when the issuer gives none
	Expiry       time.Time // of the ID token
	Subject      string
	Nonce        string // what the ID token was bound to; empty but for a browser
}

// Method is a way to sign in.
type Method uint8

// The ways to sign in. Auto takes the browser where one can open.
const (
	Auto Method = iota
	Loopback
	Device
)

// Options says how to sign in and how to speak of it.
type Options struct {
	Method Method
	// NoBrowser starts no browser: Auto becomes Device, Loopback prints its URL.
	NoBrowser bool
	// Out is where people read along: standard error. It must not be nil.
	Out io.Writer
	// JSON writes one object per line to Out instead of text.
	JSON bool
	// Width is the number of columns of the terminal at Out, 0 if it is none.
	Width int
	// Color allows escape sequences at Out.
	Color bool
	// Timeout ends the wait for the person; zero means 5 minutes for a browser
	// and the issuer's own limit for a device.
	Timeout time.Duration
	// Open starts a browser; nil means the system's.
	Open func(url string) error
	// Getenv may be nil for os.Getenv.
	Getenv func(string) string
}

func defaultScopes() []string {
	return []string{oidc.ScopeOpenID, "profile", "email", "groups", oidc.ScopeOfflineAccess}
}

// Discover reads the issuer's metadata (OpenID Connect Discovery §4).
func Discover(ctx context.Context, cfg Config) (*Provider, error) {
	if err := checkIssuer(cfg.Issuer); err != nil {
		return nil, err
	}
	p := &Provider{http: named(cfg.HTTP), issuer: cfg.Issuer}
	var err error
	if p.oidc, err = oidc.NewProvider(p.context(ctx), cfg.Issuer); err != nil {
		return nil, fmt.Errorf("discover the issuer %s: %w", cfg.Issuer, unreachable(err))
	}
	var extra struct {
		Revocation string `json:"revocation_endpoint"`
	}
	if err := p.oidc.Claims(&extra); err != nil {
		return nil, fmt.Errorf("read the metadata of %s: %w", cfg.Issuer, err)
	}
	p.revoke = extra.Revocation
	p.oauth = oauth2.Config{ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret, Scopes: cfg.Scopes, Endpoint: p.oidc.Endpoint()}
	// A public client has nothing for Basic authentication: the default would
	// try that first and fail once.
	p.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	if cfg.Scopes == nil {
		p.oauth.Scopes = defaultScopes()
	}
	return p, nil
}

// checkIssuer refuses plain http over a network: it would carry the tokens.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil {
		return fmt.Errorf("read the issuer's URL: %w", err)
	}
	loopback := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
	if u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback) {
		return fmt.Errorf("issuer %q must be an https:// URL (http:// only on loopback)", issuer)
	}
	return nil
}

// context carries our HTTP client to the libraries.
func (p *Provider) context(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, p.http)
}

// Login signs a person in. It ends early when ctx does.
func (p *Provider) Login(ctx context.Context, o Options) (Tokens, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	switch p.choose(o) {
	case Device:
		return p.device(ctx, o)
	default:
		return p.loopback(ctx, o)
	}
}

// choose picks the way: a browser on this screen if there is one, else a code
// to enter elsewhere, if the issuer can do that.
func (p *Provider) choose(o Options) Method {
	if o.Method != Auto {
		return o.Method
	}
	canOpen := !o.NoBrowser && canOpenBrowser(runtime.GOOS, o.Getenv)
	if canOpen || p.oauth.Endpoint.DeviceAuthURL == "" {
		return Loopback
	}
	return Device
}

// verify checks the ID token (OpenID Connect Core §3.1.3.7): issuer, audience,
// authorized party, expiry, signature, and the nonce if one was sent.
func (p *Provider) verify(ctx context.Context, token *oauth2.Token, nonce string) (Tokens, error) {
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return Tokens{}, errors.New("the issuer gave no ID token: is the scope openid allowed for this client?")
	}
	id, err := p.oidc.Verifier(&oidc.Config{ClientID: p.oauth.ClientID}).Verify(p.context(ctx), raw)
	if err != nil {
		return Tokens{}, fmt.Errorf("verify the ID token: %w", err)
	}
	var claims struct {
		AuthorizedParty string `json:"azp"`
	}
	if err := id.Claims(&claims); err != nil {
		return Tokens{}, fmt.Errorf("read the ID token: %w", err)
	}
	if claims.AuthorizedParty != "" && claims.AuthorizedParty != p.oauth.ClientID {
		return Tokens{}, fmt.Errorf("the ID token is for %q, not for %q", claims.AuthorizedParty, p.oauth.ClientID)
	}
	if nonce != "" && id.Nonce != nonce {
		return Tokens{}, errors.New("the ID token belongs to another sign-in (its nonce differs)")
	}
	return Tokens{IDToken: raw, RefreshToken: token.RefreshToken, Expiry: id.Expiry, Subject: id.Subject, Nonce: nonce}, nil
}

// named makes requests say who asks: the issuer shows it to the person who
// confirms a device.
func named(client *http.Client) *http.Client {
	if client == nil {
		client = &http.Client{Timeout: 15 * time.Second}
	}
	copied := *client
	copied.Transport = userAgent{next: client.Transport, name: programName()}
	return &copied
}

func programName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("hoop on %s (%s)", plain(host), runtime.GOOS)
}

type userAgent struct {
	next http.RoundTripper
	name string
}

// RoundTrip sets the User-Agent on a copy, as http.RoundTripper demands.
func (u userAgent) RoundTrip(r *http.Request) (*http.Response, error) {
	next := u.next
	if next == nil {
		next = http.DefaultTransport
	}
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", u.name)
	return next.RoundTrip(r)
}
