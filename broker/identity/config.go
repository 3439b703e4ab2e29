package identity

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// IssuerConfig is an OpenID provider whose tokens the broker believes.
type IssuerConfig struct {
	// URL is the issuer exactly as it stands in the claim iss.
	URL string `yaml:"url"`
	// ClientID is this installation's public client at the issuer. People log in
	// with ID tokens made for it.
	ClientID string `yaml:"client_id,omitempty"`
	// Audience is the audience of ID tokens where it is not the client id.
	Audience string `yaml:"audience,omitempty"`
	// Login lets people log in with this issuer. Without it the issuer serves
	// workloads only.
	Login bool `yaml:"login,omitempty"`
	// Scopes is what the client asks for; openid, profile, email, groups and
	// offline_access where absent.
	Scopes []string `yaml:"scopes,omitempty"`

	// GroupsClaim names the claim with the groups; "groups" where absent. A dot
	// leads into an object, as in realm_access.roles, where no claim has the
	// whole name.
	GroupsClaim string `yaml:"groups_claim,omitempty"`
	// GroupsRequired refuses a login whose token does not tell all groups; true
	// where absent. With false such a person has no groups: rules that deny a
	// group then miss its members.
	GroupsRequired *bool `yaml:"groups_required,omitempty"`
	// EmailClaim names the claim with the e-mail address; "email" where absent.
	EmailClaim string `yaml:"email_claim,omitempty"`
	// NameClaim names the claim that people know the principal by. Where absent:
	// the verified e-mail address, else preferred_username, else the subject.
	NameClaim string `yaml:"name_claim,omitempty"`
	// SubjectClaim names the claim that never changes for a person; "sub" where
	// absent. For Entra, oid is the same for every application.
	SubjectClaim string `yaml:"subject_claim,omitempty"`

	// Algorithms are the signatures to accept; RS256, PS256, ES256 and EdDSA
	// where absent.
	Algorithms []string `yaml:"algorithms,omitempty"`
	// CAFile holds further certificate authorities, PEM, that the issuer's
	// server may prove itself with.
	CAFile string `yaml:"ca_file,omitempty"`
	// JWKSFile holds the issuer's public keys (RFC 7517), for an issuer that the
	// broker cannot reach. It is read at each login.
	JWKSFile string `yaml:"jwks_file,omitempty"`
}

// WorkloadConfig lets something that is not a person log in with a token of a
// configured issuer.
type WorkloadConfig struct {
	// Name is for messages and the record.
	Name string `yaml:"name"`
	// Issuer is the url of a configured issuer.
	Issuer string `yaml:"issuer"`
	// Audience must stand in the token's aud. Use one that nobody else accepts.
	Audience string `yaml:"audience"`
	// Claims must all match: exactly, or up to one trailing *. A claim that is a
	// list matches where one of its items does.
	Claims map[string]string `yaml:"claims"`
	// Principal is the name that rules and the record know the workload by.
	// {claim} stands for the value of a claim, as in "{repository}".
	Principal string `yaml:"principal"`
	// Groups are those of every workload that this entry lets in.
	Groups []string `yaml:"groups,omitempty"`
	// Reusable lets one token log in more than once until it expires, however
	// old it is: needed where the platform hands out one token for many uses, as
	// Kubernetes does with projected service account tokens.
	Reusable bool `yaml:"reusable,omitempty"`
}

// The defaults of an IssuerConfig.
const (
	defaultGroups  = "groups"
	defaultEmail   = "email"
	defaultSubject = "sub"
)

func defaultAlgorithms() []string { return []string{"RS256", "PS256", "ES256", "EdDSA"} }

// signatures are those that a public key verifies. None and the HMAC family can
// never be configured: with them the public key would be the secret.
func signatures() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// Check reports what is wrong with the entry. It reads no file.
func (c *IssuerConfig) Check() error {
	if err := c.checkURL(); err != nil {
		return err
	}
	if c.Login && c.ClientID == "" {
		return errors.New("client_id is missing: people log in with ID tokens that were made for it")
	}
	for _, a := range c.Algorithms {
		if !slices.Contains(signatures(), a) {
			return fmt.Errorf("algorithms: %q is none of %s", a, strings.Join(signatures(), ", "))
		}
	}
	return nil
}

func (c *IssuerConfig) checkURL() error {
	if c.URL == "" {
		return errors.New("url is missing: the issuer, as it stands in the claim iss")
	}
	if hint := templated(c.URL); hint != "" {
		return errors.New(hint)
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || strings.Contains(c.URL, "|") {
		return fmt.Errorf("url %q is not an issuer (OpenID Connect Discovery §3: https, no query, no fragment)", c.URL)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return fmt.Errorf("url %q must begin with https://; plain http is for issuers on this machine", c.URL)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Check reports what is wrong with the entry.
func (c *WorkloadConfig) Check() error {
	for _, f := range []struct{ name, value string }{
		{"name", c.Name}, {"issuer", c.Issuer}, {"audience", c.Audience}, {"principal", c.Principal},
	} {
		if f.value == "" {
			return fmt.Errorf("%s is missing", f.name)
		}
	}
	if len(c.Claims) == 0 {
		return errors.New("claims is missing: without a condition, everything that this issuer signs would be let in")
	}
	narrow := false
	for claim, pattern := range c.Claims {
		narrow = narrow || pattern != "*"
		if pattern == "" || strings.Contains(strings.TrimSuffix(pattern, "*"), "*") {
			return fmt.Errorf("claims.%s: %q is neither an exact value nor one with a single * at its end", claim, pattern)
		}
	}
	if !narrow {
		return errors.New("claims: a lone * matches everything that this issuer signs; name at least one value or prefix")
	}
	_, err := parseTemplate(c.Principal)
	return err
}

func (c *IssuerConfig) audience() string { return or(c.Audience, c.ClientID) }

func (c *IssuerConfig) groupsRequired() bool { return c.GroupsRequired == nil || *c.GroupsRequired }

func (c *IssuerConfig) algorithms() []string {
	if len(c.Algorithms) == 0 {
		return defaultAlgorithms()
	}
	return c.Algorithms
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
