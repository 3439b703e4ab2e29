// Package serve puts a broker together from a configuration and runs it.
//
// # Scope
//
// It wires: every engine, store and listener of a broker is named here once. It
// decides nothing itself.
package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hoop/broker"
	"hoop/broker/api"
	"hoop/broker/approval"
	"hoop/broker/config"
	"hoop/broker/credential"
	"hoop/broker/identity"
	"hoop/broker/issuer"
	"hoop/broker/postgres"
	"hoop/broker/ssh"
	"hoop/broker/ssh/ca"
	"hoop/broker/store"
	"hoop/broker/webhook"
	"hoop/policy"
	"hoop/policy/sql"
	"hoop/recorder"
	"hoop/recorder/recording"
	"hoop/tunnel"
)

// Options says what to run.
type Options struct {
	Config   *config.Config
	Overlays []string // read again with every reload
	Version  string
	Logger   *slog.Logger
	// Ask is called for the passphrase of the credential store; nil where there
	// is nobody to ask.
	Ask func() (credential.Secret, error)
}

// Instance is a running broker.
type Instance struct {
	opts     Options
	log      *slog.Logger
	listener net.Listener
	issuer   *issuer.Issuer
	broker   *broker.Broker
	recorder *recorder.Log
	casts    *recording.Store
	store    *store.Store
	logins   *identity.Logins
	desk     *approval.Desk
	hooks    *webhook.Sender
	tunnels  *tunnel.Server
	analyzer *sql.Analyzer
	sshCA    *ca.Authority
	handler  *api.Handler
	server   *http.Server
	metrics  *http.Server

	verifier atomic.Pointer[identity.Verifier]
	secrets  atomic.Pointer[secrets]
	config   atomic.Pointer[config.Config]
	cert     atomic.Pointer[tls.Certificate]

	base    context.Context //nolint:containedctx // the lifetime of all that runs here
	stop    context.CancelFunc
	running sync.WaitGroup
	closers []func() error // in reverse order
	failed  chan error
	started time.Time
}

// AuditDir is where a configuration keeps its audit log.
func AuditDir(cfg *config.Config) string { return filepath.Join(cfg.Abs(cfg.DataDir), "audit") }

// SSHDir is where a configuration keeps the broker's SSH keys.
func SSHDir(cfg *config.Config) string { return filepath.Join(cfg.Abs(cfg.DataDir), "ssh") }

// SSHAuthorities gives the public keys of the broker's SSH authorities, made
// where they are not there yet: the one that clients trust for hosts, and the
// one that targets trust for users. Each is a line as authorized_keys has it.
func SSHAuthorities(cfg *config.Config) (host, user string, err error) {
	a, err := ca.Open(SSHDir(cfg))
	if err != nil {
		return "", "", err
	}
	return a.HostCA(), a.UserCA(), nil
}

// Start runs a broker until Stop. ctx bounds the start only.
func Start(ctx context.Context, o Options) (_ *Instance, err error) {
	base, stop := context.WithCancel(context.Background())
	i := &Instance{opts: o, started: time.Now(), log: o.Logger, base: base, stop: stop, failed: make(chan error, 4)}
	defer func() {
		if err != nil {
			i.close()
		}
	}()
	i.config.Store(o.Config)
	for _, step := range []func(context.Context) error{
		i.openRecords, i.bind, i.openIssuer, i.openIdentity, i.openBroker, i.listen, i.listenMetrics,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	if err := i.recorder.Append(&recorder.Event{Type: recorder.BrokerStarted, Reason: o.Version}, recorder.Synced); err != nil {
		return nil, err
	}
	return i, nil
}

// closer remembers how to give something back.
func (i *Instance) closer(f func() error) { i.closers = append(i.closers, f) }

func (i *Instance) openRecords(context.Context) error {
	cfg := i.config.Load()
	data := cfg.Abs(cfg.DataDir)
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	var err error
	if i.recorder, err = recorder.Open(AuditDir(cfg), recorder.Options{Logger: i.log}); err != nil {
		return fmt.Errorf("open the audit log: %w", err)
	}
	i.closer(i.recorder.Close)
	if err := i.openRecordings(cfg); err != nil {
		return err
	}
	if i.store, err = store.Open(filepath.Join(data, "state"), store.Options{}); err != nil {
		return fmt.Errorf("open the state: %w", err)
	}
	i.closer(i.store.Close)
	i.running.Go(func() { i.store.Janitor(i.base, time.Minute, i.log) })
	return nil
}

func (i *Instance) openIssuer(context.Context) error {
	cfg := i.config.Load()
	e := cfg.EmbeddedIssuer
	if e == nil {
		return nil
	}
	iss, err := issuer.New(issuer.Config{
		Listen: e.Listen, PublicURL: e.PublicURL, UsersFile: cfg.Abs(e.UsersFile),
		Dir: filepath.Join(cfg.Abs(cfg.DataDir), "issuer"), AllowNonLoopback: e.AllowNonLoopback, Log: i.log,
		Clients: i.issuerClients(),
	})
	if err != nil {
		return fmt.Errorf("start the embedded issuer: %w", err)
	}
	i.issuer = iss
	i.running.Go(func() {
		if err := iss.Run(i.base); err != nil {
			i.failed <- err
		}
	})
	return nil
}

func (i *Instance) openIdentity(ctx context.Context) error {
	cfg := i.config.Load()
	v, err := i.newVerifier(cfg)
	if err != nil {
		return err
	}
	i.verifier.Store(v)
	host := ""
	if u, err := url.Parse(cfg.PublicURL); err == nil {
		host = u.Host
	}
	i.logins, err = identity.NewLogins(ctx, identity.LoginsConfig{State: i.store, Log: i.log, Proxies: cfg.Proxies(), PublicHost: host})
	if err != nil {
		return fmt.Errorf("read the logins: %w", err)
	}
	i.closer(func() error { i.logins.Close(); return nil })
	return nil
}

// issuersOf gives the configured issuers, their files found from the
// configuration's folder.
func issuersOf(cfg *config.Config) []identity.IssuerConfig {
	issuers := slices.Clone(cfg.Ident.Issuers)
	for i := range issuers {
		issuers[i].JWKSFile, issuers[i].CAFile = cfg.Abs(issuers[i].JWKSFile), cfg.Abs(issuers[i].CAFile)
	}
	return issuers
}

// newVerifier adds the embedded issuer to those that are configured.
func (i *Instance) newVerifier(cfg *config.Config) (*identity.Verifier, error) {
	issuers := issuersOf(cfg)
	if i.issuer != nil {
		issuers = append(issuers, identity.IssuerConfig{URL: i.issuer.URL(), ClientID: "hoop", Login: true})
	}
	return identity.NewVerifier(identity.Config{Issuers: issuers, Workloads: cfg.Ident.Workloads, Replays: i.store, Log: i.log})
}

func (i *Instance) openBroker(ctx context.Context) error {
	cfg := i.config.Load()
	st, err := cfg.State()
	if err != nil {
		return err
	}
	sec, err := newSecrets(cfg, i.opts.Ask)
	if err != nil {
		return err
	}
	i.secrets.Store(sec)
	key, err := maskKey(cfg.Abs(cfg.DataDir))
	if err != nil {
		return err
	}
	if i.analyzer, err = NewAnalyzer(i.log); err != nil {
		return err
	}
	i.closer(i.analyzer.Close)
	if i.sshCA, err = ca.Open(SSHDir(cfg)); err != nil {
		return err
	}
	ready := make(chan struct{})
	if err := i.openApprovals(ctx, st, ready); err != nil {
		return err
	}
	i.broker = broker.New(broker.Options{
		Engines: map[string]broker.Engine{
			"postgres": postgres.New(postgres.Options{Analyzer: i.analyzer, Logger: i.log, HandshakeTimeout: cfg.Limits.Handshake.Or(10 * time.Second)}),
			"ssh":      ssh.New(ssh.Options{CA: i.sshCA, Logger: i.log, HandshakeTimeout: cfg.Limits.Handshake.Or(10 * time.Second)}),
		},
		Recorder: i.recorder,
		Secret: func(ctx context.Context, name string) (*broker.Secret, error) {
			return i.secrets.Load().secret(ctx, name)
		},
		Approvals: i.desk, Recordings: i.casts,
		MaskKey: key, Logger: i.log, Strict: cfg.Audit.Durability == "strict", MaxSessions: cfg.Limits.Sessions,
	})
	i.broker.Reload(st)
	close(ready)
	i.running.Go(func() { i.trim(i.base, calm) })
	i.tunnels = tunnel.NewServer(tunnel.Options{ResumeWindow: cfg.Limits.ResumeWindow.Or(2 * time.Minute), Logger: i.log})
	i.handler = i.newHandler()
	return nil
}

// openApprovals comes before the broker that it is a part of, and of which it
// needs the policy in force once that is ready.
func (i *Instance) openApprovals(ctx context.Context, st *broker.State, ready <-chan struct{}) error {
	hooks, err := i.config.Load().Hooks()
	if err != nil {
		return err
	}
	i.hooks = webhook.New(i.store, i.log)
	i.hooks.Configure(hooks)
	i.running.Go(func() { i.hooks.Run(i.base) })
	i.desk, err = approval.New(ctx, approval.Config{
		State: i.store, Recorder: i.recorder, Log: i.log, Announce: i.hooks.Announce, Link: i.link(),
		Policy: func() *policy.Policy {
			select {
			case <-ready:
				return i.broker.Policy()
			default:
				return st.Policy
			}
		},
		GrantEnded: func(id, reason string) {
			select {
			case <-ready:
				i.broker.EndGrant(id, reason)
			case <-i.base.Done():
			}
		},
	})
	if err != nil {
		return fmt.Errorf("open the approvals: %w", err)
	}
	i.closer(func() error { i.desk.Close(); return nil })
	return nil
}

func (i *Instance) newHandler() *api.Handler {
	return &api.Handler{
		Broker: i.broker, Logins: i.logins, Verifier: i.verifier.Load, History: recorder.NewReader(AuditDir(i.config.Load())),
		LoginTTL:  func() time.Duration { return i.config.Load().Ident.LoginTTL.Or(time.Hour) },
		Approvals: i.desk, Analyzer: i.analyzer, Tunnels: i.tunnels, Recorder: i.recorder, Recordings: i.casts, Info: i.info,
		User:   func(name string) string { return i.config.Load().Credentials[name].User },
		Health: i.recorder.Health, Logger: i.log, Base: i.base,
	}
}

// info is what anybody may know.
func (i *Instance) info() api.Info {
	info := api.Info{Version: i.opts.Version, Time: time.Now().UTC(), Issuers: []api.LoginIssuer{}, SSHHostCA: i.sshCA.HostCA()}
	scopes := []string{"openid", "profile", "email", "offline_access", "groups"}
	if i.issuer != nil {
		info.Issuers = append(info.Issuers, api.LoginIssuer{URL: i.issuer.URL(), ClientID: "hoop", Scopes: scopes})
	}
	for _, c := range i.config.Load().Ident.Issuers {
		if !c.Login {
			continue
		}
		own := scopes
		if len(c.Scopes) > 0 {
			own = c.Scopes
		}
		info.Issuers = append(info.Issuers, api.LoginIssuer{URL: c.URL, ClientID: c.ClientID, Scopes: own})
	}
	return info
}

// bind takes the port before anything is told where it is. Nothing is answered
// on it before listen.
func (i *Instance) bind(ctx context.Context) (err error) {
	if i.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", i.config.Load().Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	i.closer(func() error {
		if err := i.listener.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil // the server closed it
	})
	return nil
}

func (i *Instance) listen(context.Context) error {
	cfg := i.config.Load()
	if err := i.loadCertificate(cfg); err != nil {
		return err
	}
	secure := tunnel.NewTLSListener(i.listener, &tls.Config{
		MinVersion:     tls.VersionTLS13,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return i.cert.Load(), nil },
	})
	i.server = &http.Server{
		Handler: i.routes(), ReadHeaderTimeout: cfg.Limits.Handshake.Or(10 * time.Second), IdleTimeout: time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(i.log.Handler(), slog.LevelDebug),
	}
	i.running.Go(func() {
		if err := i.server.Serve(secure); !errors.Is(err, http.ErrServerClosed) {
			i.failed <- fmt.Errorf("serve: %w", err)
		}
	})
	return nil
}

func (i *Instance) loadCertificate(cfg *config.Config) error {
	if cfg.TLS.CertFile == "" {
		return config.Problems{cfg.Problem("tls", "cert_file and key_file are missing; hoop broker init makes a pair to start with")}
	}
	cert, err := tls.LoadX509KeyPair(cfg.Abs(cfg.TLS.CertFile), cfg.Abs(cfg.TLS.KeyFile))
	if err != nil {
		return fmt.Errorf("read the certificate: %w", err)
	}
	i.cert.Store(&cert)
	return nil
}

// Addr is where the broker listens.
func (i *Instance) Addr() net.Addr { return i.listener.Addr() }

// Issuer is the URL of the embedded issuer, or "".
func (i *Instance) Issuer() string {
	if i.issuer == nil {
		return ""
	}
	return i.issuer.URL()
}

// Failed delivers the error of a part that ended by itself.
func (i *Instance) Failed() <-chan error { return i.failed }

// Reload reads the configuration again and puts connections, credentials,
// policy, issuers and certificate in force, or none of them. Sessions go on.
func (i *Instance) Reload() error {
	cfg, err := config.Load(i.opts.Config.Path, i.opts.Overlays...)
	if err != nil {
		return err
	}
	st, err := cfg.State()
	if err != nil {
		return err
	}
	sec, err := newSecrets(cfg, i.opts.Ask)
	if err != nil {
		return err
	}
	v, err := i.newVerifier(cfg)
	if err != nil {
		return err
	}
	hooks, err := cfg.Hooks()
	if err != nil {
		return err
	}
	if err := i.loadCertificate(cfg); err != nil {
		return err
	}
	ev := &recorder.Event{Type: recorder.ConfigReloaded, Reason: "policy " + st.Policy.Digest()}
	if err := i.recorder.Append(ev, recorder.Synced); err != nil {
		return err
	}
	i.config.Store(cfg)
	i.secrets.Store(sec)
	i.verifier.Store(v)
	i.hooks.Configure(hooks)
	i.logins.TrustProxies(cfg.Proxies())
	i.broker.Reload(st)
	return nil
}

// Stop drains: no new sessions, the open ones get until ctx is done.
func (i *Instance) Stop(ctx context.Context) {
	i.broker.Drain(ctx)
	_ = i.recorder.Append(&recorder.Event{Type: recorder.BrokerStopped}, recorder.Synced)
	i.close()
}

func (i *Instance) close() {
	if i.server != nil {
		_ = i.server.Close()
	}
	if i.metrics != nil {
		_ = i.metrics.Close()
	}
	if i.tunnels != nil {
		grace, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		_ = i.tunnels.Close(grace)
		cancel()
	}
	i.stop()
	if i.handler != nil {
		i.handler.Wait()
	}
	i.running.Wait()
	for n := len(i.closers) - 1; n >= 0; n-- {
		if err := i.closers[n](); err != nil {
			i.log.Error("stopping", "error", err)
		}
	}
}

// Config is the configuration in force.
func (i *Instance) Config() *config.Config { return i.config.Load() }
