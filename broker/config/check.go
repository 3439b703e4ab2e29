package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"

	"hoop/broker"
	"hoop/broker/credential"
	"hoop/policy"
)

// Protocols are those that the broker has an engine for.
var protocols = []string{protocolPostgres, protocolSSH}

// The protocols that targets differ in.
const (
	protocolPostgres = "postgres"
	protocolSSH      = "ssh"
)

var (
	nameRE   = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
	tlsModes = []string{"", "verify-full", "verify-ca", "require", "disable"}
)

// checker gathers problems.
type checker struct {
	c        *Config
	problems Problems
}

func (k *checker) add(s *source, path, format string, args ...any) {
	k.problems = append(k.problems, Problem{File: s.path, Line: s.line(path), Text: path + ": " + fmt.Sprintf(format, args...)})
}

func (c *Config) check() Problems {
	k := &checker{c: c}
	k.settings(c.main())
	names, creds := map[string]string{}, map[string]string{}
	for _, s := range c.sources {
		for name, cred := range s.file.Credentials {
			k.credential(s, name, cred, creds)
		}
	}
	for _, s := range c.sources {
		for i, conn := range s.file.Connections {
			k.connection(s, fmt.Sprintf("connections[%d]", i), conn, names)
		}
		k.identity(s)
	}
	if p, err := c.Policy(); err != nil {
		var ps Problems
		errors.As(err, &ps)
		k.problems = append(k.problems, ps...)
	} else {
		k.detectors(c, p)
	}
	return k.problems
}

// detectors checks what needs the whole policy: the cost of its patterns, and
// the classes that it switches on.
func (k *checker) detectors(c *Config, p *policy.Policy) {
	patterns, err := broker.DetectorPatterns(p)
	if err != nil {
		k.problems = append(k.problems, Problem{File: c.Path, Text: "patterns: " + err.Error()})
		return
	}
	for _, conn := range c.Connections {
		pc := policy.Connection{Name: conn.Name, Protocol: conn.Protocol, Labels: conn.Labels}
		if err := broker.CheckDetectors(p, patterns, &pc); err != nil {
			k.problems = append(k.problems, Problem{File: c.Path, Text: "detectors of " + conn.Name + ": " + err.Error()})
		}
	}
}

// main is the file that was named, not included.
func (c *Config) main() *source {
	for _, s := range c.sources {
		if s.path == c.Path {
			return s
		}
	}
	return c.sources[0]
}

// everywhere reports whether an address names no host that a link could lead to.
func everywhere(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	ip, perr := netip.ParseAddr(host)
	return err == nil && (host == "" || perr == nil && ip.IsUnspecified())
}

func (k *checker) settings(s *source) {
	f := s.file
	if f.Listen == "" {
		k.add(s, "listen", "is missing: the address to serve, such as 127.0.0.1:8443")
	} else if _, _, err := net.SplitHostPort(f.Listen); err != nil {
		k.add(s, "listen", "%q is not host:port", f.Listen)
	}
	if f.DataDir == "" {
		k.add(s, "data_dir", "is missing: the folder for the audit log, the state and the keys")
	}
	if f.PublicURL != "" {
		if u, err := url.Parse(f.PublicURL); err != nil || u.Scheme != "https" || u.Host == "" {
			k.add(s, "public_url", "%q is not an https URL", f.PublicURL)
		}
	}
	if f.ApprovalPage.Enabled && f.PublicURL == "" && everywhere(f.Listen) {
		k.add(s, "approval_page", "public_url is missing: links to the page must lead somewhere")
	}
	if (f.TLS.CertFile == "") != (f.TLS.KeyFile == "") {
		k.add(s, "tls", "cert_file and key_file go together")
	}
	if f.Audit.Durability != "" && f.Audit.Durability != "effects" && f.Audit.Durability != "strict" {
		k.add(s, "audit.durability", "%q is neither effects nor strict", f.Audit.Durability)
	}
	if f.Limits.Sessions < 0 {
		k.add(s, "limits.sessions", "must not be negative")
	}
	for i := range f.Webhooks {
		hook := f.Webhooks[i].hook()
		if f.Webhooks[i].SecretFile != "" {
			hook.Secret = []byte{0} // the file is read when the broker starts
		}
		if err := hook.Check(); err != nil {
			k.add(s, fmt.Sprintf("webhooks[%d]", i), "%v", err)
		}
	}
	if e := f.EmbeddedIssuer; e != nil && e.UsersFile == "" {
		k.add(s, "embedded_issuer.users_file", "is missing")
	}
	for i, p := range f.Ident.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			if _, err := netip.ParseAddr(p); err != nil {
				k.add(s, fmt.Sprintf("identity.trusted_proxies[%d]", i), "%q is neither an address nor a network", p)
			}
		}
	}
}

func (k *checker) identity(s *source) {
	for i := range s.file.Ident.Issuers {
		if err := s.file.Ident.Issuers[i].Check(); err != nil {
			k.add(s, fmt.Sprintf("identity.issuers[%d]", i), "%v", err)
		}
	}
	for i := range s.file.Ident.Workloads {
		if err := s.file.Ident.Workloads[i].Check(); err != nil {
			k.add(s, fmt.Sprintf("identity.workloads[%d]", i), "%v", err)
		}
	}
}

func (k *checker) credential(s *source, name string, cred Credential, seen map[string]string) {
	path := "credentials." + name
	if other, ok := seen[name]; ok {
		k.add(s, path, "stands in %s already", other)
	}
	seen[name] = s.path
	if !nameRE.MatchString(name) {
		k.add(s, path, "the name must match %s", nameRE)
	}
	if cred.User == "" {
		k.add(s, path+".user", "is missing")
	}
	switch broker.SecretKind(cred.Kind) {
	case "password", broker.Password, broker.SSHKey:
		if err := cred.Source.Check(); err != nil {
			k.add(s, path, "%v", err)
		}
	case broker.SSHCA:
		if cred.Source != (credential.Source{}) {
			k.add(s, path, "kind ssh_ca needs no secret: leave out env, file and store")
		}
	default:
		k.add(s, path+".kind", "%q is none of password, ssh_key, ssh_ca", cred.Kind)
	}
}

// Policy compiles the rules of all files. The error is of type Problems.
func (c *Config) Policy() (*policy.Policy, error) {
	docs := make([]policy.Document, len(c.sources))
	for i, s := range c.sources {
		docs[i] = s.file.Document
	}
	p, err := policy.Compile(docs)
	if err == nil {
		return p, nil
	}
	return nil, c.policyProblems(err)
}

// policyProblems places the mistakes in rules, labels and masks.
func (c *Config) policyProblems(err error) Problems {
	var found policy.Problems
	if !errors.As(err, &found) {
		return Problems{{File: c.Path, Text: err.Error()}}
	}
	out := make(Problems, len(found))
	for i, p := range found {
		s := c.sources[p.Document]
		out[i] = Problem{File: s.path, Line: s.line(p.Path), Text: p.Path + ": " + p.Message}
	}
	return out
}

// State is what a broker puts in force.
func (c *Config) State() (*broker.State, error) {
	p, err := c.Policy()
	if err != nil {
		return nil, err
	}
	patterns, err := broker.DetectorPatterns(p)
	if err != nil {
		return nil, Problems{{File: c.Path, Text: "patterns: " + err.Error()}}
	}
	st := &broker.State{Connections: map[string]*broker.Connection{}, Policy: p, Patterns: patterns}
	for _, conn := range c.Connections {
		st.Connections[conn.Name] = c.connection(conn)
	}
	return st, nil
}

func (c *Config) connection(conn Connection) *broker.Connection {
	t := conn.Target
	port := t.Port
	if port == 0 {
		port = map[string]int{protocolPostgres: 5432, protocolSSH: 22}[conn.Protocol]
	}
	mode := t.TLS.Mode
	if t.Socket != "" && mode == "" {
		mode = "disable" // PostgreSQL speaks no TLS on unix sockets
	}
	return &broker.Connection{
		Connection: policy.Connection{Name: conn.Name, Protocol: conn.Protocol, Labels: conn.Labels},
		Credential: conn.Credential,
		Target: broker.Target{
			Host: t.Host, Port: port, Socket: t.Socket, Database: t.Database, Databases: t.Databases,
			AnalyseAlways: conn.Analysis == analysisExact,
			SSH:           broker.TargetSSH{HostKeys: t.HostKeys, HostCAs: t.HostCAs, Logins: t.Logins},
			TLS: broker.TargetTLS{Mode: mode, CAFile: c.Abs(t.TLS.CAFile), CertFile: c.Abs(t.TLS.CertFile),
				KeyFile: c.Abs(t.TLS.KeyFile), ServerName: t.TLS.ServerName},
		},
	}
}

// Proxies are the networks of identity.trusted_proxies.
func (c *Config) Proxies() []netip.Prefix {
	var out []netip.Prefix
	for _, p := range c.Ident.TrustedProxies {
		if n, err := netip.ParsePrefix(p); err == nil {
			out = append(out, n)
		} else if a, err := netip.ParseAddr(p); err == nil {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return out
}

// Tests are the examples of all files, in order.
func (c *Config) Tests() []policy.TestSpec {
	var out []policy.TestSpec
	for _, s := range c.sources {
		out = append(out, s.file.Document.Tests...)
	}
	return out
}

// PolicyConnection finds a connection as rules see it.
func (c *Config) PolicyConnection(name string) (*policy.Connection, bool) {
	for _, conn := range c.Connections {
		if conn.Name == name {
			return &c.connection(conn).Connection, true
		}
	}
	return nil, false
}
