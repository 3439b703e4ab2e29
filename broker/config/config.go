// Package config reads hoop.yaml, strictly, and makes of it what the broker
// runs on.
//
// # Scope
//
// It knows the file's shape and says where in it a mistake is. It opens no
// network connection and starts nothing.
package config

import (
	"time"

	"hoop/broker/credential"
	"hoop/broker/identity"
	"hoop/policy"
)

// File is one configuration file as written. Included files add connections,
// credentials, issuers and policy; the other settings stand in the first file.
type File struct {
	// Include lists further files, relative to this one, in the order in which
	// their rules come after this file's.
	Include []string `yaml:"include,omitempty"`

	// Listen is the address of the one port that serves API and tunnels.
	Listen string `yaml:"listen,omitempty"`
	// PublicURL is how clients reach that port, where it differs.
	PublicURL string `yaml:"public_url,omitempty"`
	// DataDir holds the audit log, the state and the broker's keys.
	DataDir string   `yaml:"data_dir,omitempty"`
	TLS     TLS      `yaml:"tls,omitempty"`
	Metrics Metrics  `yaml:"metrics,omitempty"`
	Limits  Limits   `yaml:"limits,omitempty"`
	Audit   Audit    `yaml:"audit,omitempty"`
	Ident   Identity `yaml:"identity,omitempty"`
	// Webhooks are told of approvals.
	Webhooks []Webhook `yaml:"webhooks,omitempty"`
	// ApprovalPage lets approvers answer in a browser.
	ApprovalPage ApprovalPage `yaml:"approval_page,omitempty"`
	// EmbeddedIssuer runs an OpenID provider for one laptop.
	EmbeddedIssuer *EmbeddedIssuer `yaml:"embedded_issuer,omitempty"`
	// CredentialStore says where the key of the broker's own store is.
	CredentialStore credential.StoreConfig `yaml:"credential_store,omitempty"`

	Credentials map[string]Credential `yaml:"credentials,omitempty"`
	Connections []Connection          `yaml:"connections,omitempty"`

	policy.Document `yaml:",inline"`
}

// TLS names the certificate of the port. Changed files are read again on SIGHUP.
type TLS struct {
	CertFile string `yaml:"cert_file,omitempty"`
	KeyFile  string `yaml:"key_file,omitempty"`
}

// Metrics is a second, plain HTTP port for Prometheus and health checks.
type Metrics struct {
	Listen string `yaml:"listen,omitempty"`
}

// Limits bounds what clients may cost.
type Limits struct {
	// Handshake bounds every handshake; 10s where absent.
	Handshake Duration `yaml:"handshake,omitempty"`
	// ResumeWindow is how long a session outlives its network; 2m where absent.
	ResumeWindow Duration `yaml:"resume_window,omitempty"`
	// Drain is how long SIGTERM waits for sessions to end; 30s where absent.
	Drain Duration `yaml:"drain,omitempty"`
	// Sessions is how many may be open at once; 10000 where absent.
	Sessions int `yaml:"sessions,omitempty"`
}

// Audit says how durable events are before a statement is forwarded.
type Audit struct {
	// Durability is "effects" (the default: reads are handed to the operating
	// system, everything else has reached the disk) or "strict" (all on disk).
	Durability string `yaml:"durability,omitempty"`
}

// Identity says whom the broker believes.
type Identity struct {
	// LoginTTL is how long a login lasts before it must be renewed; 1h where absent.
	LoginTTL Duration `yaml:"login_ttl,omitempty"`
	// TrustedProxies are networks of load balancers that end TLS before the
	// broker: behind them a signed nonce proves possession of the key.
	TrustedProxies []string                  `yaml:"trusted_proxies,omitempty"`
	Issuers        []identity.IssuerConfig   `yaml:"issuers,omitempty"`
	Workloads      []identity.WorkloadConfig `yaml:"workloads,omitempty"`
}

// EmbeddedIssuer configures the OpenID provider inside the broker.
type EmbeddedIssuer struct {
	Listen    string `yaml:"listen"`
	UsersFile string `yaml:"users_file"`
	// PublicURL is the issuer's URL, where it differs from the listener's.
	PublicURL string `yaml:"public_url,omitempty"`
	// AllowNonLoopback lets it listen beyond this machine.
	AllowNonLoopback bool `yaml:"allow_non_loopback,omitempty"`
}

// Webhook is a receiver of messages on approvals.
type Webhook struct {
	URL string `yaml:"url"`
	// SecretFile holds the secret that signs messages; json needs one.
	SecretFile string `yaml:"secret_file,omitempty"`
	Format     string `yaml:"format,omitempty"` // json (where absent), slack or teams
	// Events are opened, answered, ended and break_glass; all but answered
	// where absent.
	Events []string `yaml:"events,omitempty"`
}

// ApprovalPage is where approvals can be answered in a browser, below /page/ of
// the broker's own port. The client that people log in with must allow the
// redirect to /page/signed-in there.
type ApprovalPage struct {
	Enabled bool `yaml:"enabled,omitempty"`
	// ClientSecretFile holds the secret of that client, where it has one.
	ClientSecretFile string `yaml:"client_secret_file,omitempty"`
}

// Credential is a user name and where its password comes from.
type Credential struct {
	User string `yaml:"user"`
	// Kind is password (where absent), ssh_key (the source holds a private key)
	// or ssh_ca (no source: the broker signs a certificate for each login).
	Kind              string `yaml:"kind,omitempty"`
	credential.Source `yaml:",inline"`
}

// Connection is a registered endpoint as written.
type Connection struct {
	Name       string            `yaml:"name"`
	Protocol   string            `yaml:"protocol"`
	Target     Target            `yaml:"target"`
	Credential string            `yaml:"credential,omitempty"`
	Labels     map[string]string `yaml:"labels,omitempty"`
	// Analysis is when the target must have said what a statement reads: exact,
	// always before it runs; or cached (where absent), before its first row is
	// shown where the session has run one of the same shape.
	Analysis string `yaml:"analysis,omitempty"`
}

// Target is where a connection leads.
type Target struct {
	Host      string    `yaml:"host,omitempty"`
	Port      int       `yaml:"port,omitempty"`
	Socket    string    `yaml:"socket,omitempty"`
	Database  string    `yaml:"database,omitempty"`
	Databases []string  `yaml:"databases,omitempty"`
	TLS       TargetTLS `yaml:"tls,omitempty"`

	// HostKeys are the public keys of an SSH target, one of which it must have,
	// and HostCAs those of the authorities that may have signed its key, each
	// as in authorized_keys: ssh-ed25519 AAAA…
	HostKeys []string `yaml:"host_keys,omitempty"`
	HostCAs  []string `yaml:"host_cas,omitempty"`
	// Logins are users at an SSH target that a client may name besides the
	// credential's; "*" is any.
	Logins []string `yaml:"logins,omitempty"`
}

// TargetTLS says how the target proves who it is.
type TargetTLS struct {
	Mode       string `yaml:"mode,omitempty"` // verify-full where absent
	CAFile     string `yaml:"ca_file,omitempty"`
	CertFile   string `yaml:"cert_file,omitempty"`
	KeyFile    string `yaml:"key_file,omitempty"`
	ServerName string `yaml:"server_name,omitempty"`
}

// Duration is a time.Duration written as 90s or 1h30m.
type Duration time.Duration

// UnmarshalText reads the words of time.ParseDuration; it must not be negative.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return err
	}
	if v < 0 {
		return errNegative
	}
	*d = Duration(v)
	return nil
}

// Or gives the duration, or another where none was written.
func (d Duration) Or(other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return time.Duration(d)
}
