package issuer

import (
	"context"
	"errors"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// What the library may ask and this issuer does not offer: clients with
// secrets, other token forms, single sign-on sessions.
var errNotOffered = errors.New("the embedded issuer does not offer this")

// AuthorizeClientIDSecret refuses: our clients have no secret.
func (s *storage) AuthorizeClientIDSecret(context.Context, string, string) error {
	return errNotOffered
}

// SetUserinfoFromScopes is empty by the library's own advice.
func (s *storage) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

// SetIntrospectionFromToken refuses.
func (s *storage) SetIntrospectionFromToken(context.Context, *oidc.IntrospectionResponse, string, string, string) error {
	return errNotOffered
}

// GetPrivateClaimsFromScopes gives nothing: access tokens are opaque.
func (s *storage) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, nil
}

// GetKeyByIDAndClientID refuses: no client signs assertions.
func (s *storage) GetKeyByIDAndClientID(context.Context, string, string) (*jose.JSONWebKey, error) {
	return nil, errNotOffered
}

// ValidateJWTProfileScopes refuses.
func (s *storage) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errNotOffered
}

// TerminateSession has nothing to end.
func (s *storage) TerminateSession(context.Context, string, string) error { return nil }
