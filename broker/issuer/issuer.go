// Package issuer is a small OpenID Connect issuer for one machine: people in a
// YAML file, sign-in pages without script, and the code, device and refresh
// grants for public clients. It lets someone try hoop, or run it on a laptop,
// without an identity provider.
//
// # Scope
//
// It signs people in and nothing else. It does not decide what they may do
// (policy), knows no connection and no session, keeps no single sign-on
// session, has no confidential clients and no dynamic registration, and refuses
// to listen beyond loopback unless it is told to. A team uses a real identity
// provider.
package issuer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
)

// Config says where an issuer listens, what it keeps and whom it serves.
type Config struct {
	// Listen is host:port; empty means 127.0.0.1:0.
	Listen string
	// PublicURL is what stands in iss, without a path. Empty means
	// http:// and the address that Listen led to.
	PublicURL string
	// Dir holds the signing keys and the refresh tokens. It is made, 0700.
	Dir string
	// UsersFile is the YAML file of people; empty means users.yaml in Dir.
	UsersFile string
	// AllowNonLoopback lets it listen where other machines can reach it.
	AllowNonLoopback bool
	// Clients may sign people in; none means DefaultClient alone.
	Clients []Client
	// PollInterval is what device clients must wait between two polls, in whole
	// seconds; zero means 2 s.
	PollInterval time.Duration
	// Log may be nil.
	Log *slog.Logger
}

// Issuer is one listening issuer. New makes it, Run serves it.
type Issuer struct {
	url      string
	listener net.Listener
	server   *http.Server
	provider *op.Provider
	storage  *storage
	log      *slog.Logger
}

// New opens the state, binds the address and builds the pages. Nothing is
// answered before Run; Close gives everything back if Run is never called.
func New(cfg Config) (*Issuer, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	clients, err := clientTable(cfg.Clients)
	if err != nil {
		return nil, err
	}
	listener, err := listen(cfg.Listen, cfg.AllowNonLoopback)
	if err != nil {
		return nil, err
	}
	base, err := publicURL(cfg.PublicURL, listener.Addr(), cfg.AllowNonLoopback)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	state, err := openState(cfg.Dir)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	iss := &Issuer{url: base.String(), listener: listener, log: cfg.Log}
	iss.storage = newStorage(cfg, clients, state)
	iss.provider, err = newProvider(base, iss.storage, cfg.pollInterval())
	if err != nil {
		return nil, errors.Join(err, iss.Close())
	}
	iss.server = newServer(iss.handler(base), cfg.Log)
	return iss, nil
}

func (c Config) usersFile() string {
	if c.UsersFile != "" {
		return c.UsersFile
	}
	return filepath.Join(c.Dir, "users.yaml")
}

func (c Config) pollInterval() time.Duration {
	if c.PollInterval <= 0 {
		return 2 * time.Second
	}
	return max(c.PollInterval.Truncate(time.Second), time.Second)
}

// URL is the issuer's name as it stands in iss.
func (i *Issuer) URL() string { return i.url }

// Run serves until ctx ends, then lets open requests finish for two seconds and
// closes the state. It returns nil after an orderly end.
func (i *Issuer) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- i.server.Serve(i.listener) }()
	select {
	case err := <-served:
		return errors.Join(fmt.Errorf("serve the issuer: %w", err), i.storage.state.close())
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	err := i.server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = i.server.Close()
	}
	<-served
	return errors.Join(err, i.storage.state.close())
}

// Close gives back what New took, for an issuer that never ran.
func (i *Issuer) Close() error {
	return errors.Join(i.listener.Close(), i.storage.state.close())
}

// RotateKey makes a new signing key. Tokens that the old one signed stay valid
// until they expire: its public half remains in the key set for a day.
func (i *Issuer) RotateKey() error { return i.storage.state.rotateKey(time.Now()) }

// newServer sets a deadline on every step of a request, so that a slow or
// silent peer holds nothing for long.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// newProvider binds the OpenID Connect library to our storage. Its default
// cross-origin policy (any origin, with credentials) is switched off.
func newProvider(base *url.URL, s *storage, poll time.Duration) (*op.Provider, error) {
	options := []op.Option{op.WithCORSOptions(nil)}
	if base.Scheme == "http" {
		options = append(options, op.WithAllowInsecure())
	}
	provider, err := op.NewProvider(&op.Config{
		CryptoKey:             s.cryptoKey,
		CodeMethodS256:        true,
		GrantTypeRefreshToken: true,
		SupportedScopes:       supportedScopes(),
		DeviceAuthorization: op.DeviceAuthorizationConfig{
			Lifetime:     deviceLifetime,
			PollInterval: poll,
			UserFormPath: devicePath,
			// RFC 8628 §6.1: 8 letters without vowels, in two groups.
			UserCode: op.UserCodeBase20,
		},
	}, s, op.StaticIssuer(base.String()), options...)
	if err != nil {
		return nil, fmt.Errorf("set up the issuer %s: %w", base, err)
	}
	return provider, nil
}

// makeDir makes a directory that only its owner may enter.
func makeDir(dir string) error {
	if dir == "" {
		return errors.New("the issuer needs a directory for its state")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the issuer's directory: %w", err)
	}
	return nil
}
