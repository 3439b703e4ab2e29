package issuer

import (
	"net/http"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// discovery tells what is offered and no more (OpenID Connect Discovery §3,
// RFC 8414 §2).
func discovery(base string) http.HandlerFunc {
	metadata := map[string]any{
		"issuer":                                base,
		"authorization_endpoint":                base + authorizePath,
		"token_endpoint":                        base + tokenPath,
		"device_authorization_endpoint":         base + deviceAuthPath,
		"userinfo_endpoint":                     base + "/userinfo",
		"revocation_endpoint":                   base + "/revoke",
		"jwks_uri":                              base + "/keys",
		"scopes_supported":                      supportedScopes(),
		"response_types_supported":              []string{"code"},
		"response_modes_supported":              []string{"query"},
		"grant_types_supported":                 publicClient{}.GrantTypes(),
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"ES256"},
		"code_challenge_methods_supported":      []oidc.CodeChallengeMethod{oidc.CodeChallengeMethodS256},
		"token_endpoint_auth_methods_supported": []oidc.AuthMethod{oidc.AuthMethodNone},
		"claims_supported": []string{"iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "amr", "nonce",
			"name", "preferred_username", "email", "email_verified", "groups"},
	}
	return func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, metadata) }
}
