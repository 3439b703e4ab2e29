package issuer

import (
	"fmt"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Client is a public client: it has no secret, and proves itself by PKCE
// (RFC 7636) or by the person who confirms its user code.
type Client struct {
	ID string
	// RedirectURIs must match exactly, except that the port of a loopback URI is
	// free (RFC 8252 §7.3).
	RedirectURIs []string
}

// DefaultClient is hoop's own client, "hoop", with a loopback redirect.
func DefaultClient() Client {
	return Client{ID: "hoop", RedirectURIs: []string{"http://127.0.0.1/callback"}}
}

// idTokenLifetime is short: the broker takes an ID token once, right after it
// was issued.
const idTokenLifetime = 10 * time.Minute

const scopeGroups = "groups"

func supportedScopes() []string {
	return []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail, oidc.ScopeOfflineAccess, scopeGroups}
}

func clientTable(clients []Client) (map[string]publicClient, error) {
	if len(clients) == 0 {
		clients = []Client{DefaultClient()}
	}
	table := make(map[string]publicClient, len(clients))
	for _, c := range clients {
		if _, twice := table[c.ID]; twice || c.ID == "" {
			return nil, fmt.Errorf("client %q: every client of the issuer needs an id of its own", c.ID)
		}
		table[c.ID] = publicClient{c}
	}
	return table, nil
}

// publicClient shows a Client to the OpenID Connect library.
type publicClient struct{ c Client }

func (p publicClient) GetID() string                  { return p.c.ID }
func (p publicClient) RedirectURIs() []string         { return p.c.RedirectURIs }
func (publicClient) PostLogoutRedirectURIs() []string { return nil }
func (publicClient) AuthMethod() oidc.AuthMethod      { return oidc.AuthMethodNone }
func (publicClient) LoginURL(request string) string   { return signInPath + "?id=" + request }
func (publicClient) IDTokenLifetime() time.Duration   { return idTokenLifetime }
func (publicClient) ClockSkew() time.Duration         { return 0 }
func (publicClient) DevMode() bool                    { return false }

// IDTokenUserinfoClaimsAssertion puts name and e-mail into the ID token: the
// broker reads nothing else.
func (publicClient) IDTokenUserinfoClaimsAssertion() bool { return true }

func (publicClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeBearer }
func (publicClient) ApplicationType() op.ApplicationType { return op.ApplicationTypeNative }

func (publicClient) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}

func (publicClient) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeDeviceCode, oidc.GrantTypeRefreshToken}
}

func (publicClient) IsScopeAllowed(scope string) bool {
	return slices.Contains(supportedScopes(), scope)
}

func (publicClient) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

func (publicClient) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}
