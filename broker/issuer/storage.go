package issuer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// storage answers the OpenID Connect library. It joins the parts that hold
// something; what the library may ask and we do not offer is refused here.
type storage struct {
	clients   map[string]publicClient
	usersFile string
	state     *state
	requests  *requests
	devices   *devices
	access    *accessTokens
	cryptoKey [32]byte // encrypts codes and access tokens, for this run only
	log       *slog.Logger
}

func newStorage(cfg Config, clients map[string]publicClient, s *state) *storage {
	st := &storage{
		clients:   clients,
		usersFile: cfg.usersFile(),
		state:     s,
		requests:  newRequests(),
		devices:   newDevices(cfg.pollInterval()),
		access:    &accessTokens{byID: map[string]accessToken{}},
		log:       cfg.Log,
	}
	rand.Read(st.cryptoKey[:]) // never fails, crypto/rand
	return st
}

// user gives somebody who may have tokens now.
func (s *storage) user(name string) (User, error) {
	u, err := findUser(s.usersFile, name)
	if err == nil && u.Disabled {
		err = ErrNoUser
	}
	if err != nil {
		return User{}, oidc.ErrInvalidGrant().WithDescription("the user is disabled or gone").WithParent(err)
	}
	return u, nil
}

// CreateAuthRequest stores a sign-in. A public client must bring an S256
// challenge (RFC 7636 §4.4.1, RFC 9700 §2.1.1).
func (s *storage) CreateAuthRequest(ctx context.Context, r *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	switch {
	case r.CodeChallenge == "" || r.CodeChallengeMethod != oidc.CodeChallengeMethodS256:
		return nil, oidc.ErrInvalidRequest().WithDescription("a code_challenge with method S256 is required")
	case slices.Contains(r.Prompt, oidc.PromptNone):
		return nil, oidc.ErrLoginRequired()
	case r.ResponseMode != "" && r.ResponseMode != oidc.ResponseModeQuery:
		return nil, oidc.ErrInvalidRequest().WithDescription("response_mode must be query")
	}
	now := time.Now()
	a := &authRequest{
		id: newSecret(), family: newSecret(), browser: browserFrom(ctx), expires: now.Add(requestLifetime),
		client: r.ClientID, redirect: r.RedirectURI, state: r.State, nonce: r.Nonce, scopes: r.Scopes,
		challenge: oidc.CodeChallenge{Challenge: r.CodeChallenge, Method: r.CodeChallengeMethod},
	}
	if err := s.requests.add(a, now); err != nil {
		return nil, oidc.ErrServerError().WithDescription("%s", err.Error()).WithParent(err)
	}
	return a, nil
}

// AuthRequestByID finds a sign-in that is under way.
func (s *storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	a, err := s.requests.get(id, time.Now())
	if err != nil {
		return nil, oidc.ErrInvalidRequest().WithDescription("%s", err.Error())
	}
	return a, nil
}

// AuthRequestByCode uses the code up. Its second use ends what the first gave.
func (s *storage) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	a, revoke, err := s.requests.redeem(code, time.Now())
	if revoke != "" {
		s.log.Warn("authorization code used twice: its refresh tokens are revoked")
		err = errors.Join(err, s.state.endFamily(revoke))
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// SaveAuthCode keeps the one code of a request.
func (s *storage) SaveAuthCode(_ context.Context, id, code string) error {
	if err := s.requests.saveCode(id, code, time.Now()); err != nil {
		return oidc.ErrInvalidRequest().WithDescription("%s", err.Error())
	}
	return nil
}

// DeleteAuthRequest forgets a sign-in.
func (s *storage) DeleteAuthRequest(_ context.Context, id string) error {
	s.requests.remove(id)
	return nil
}

// CreateAccessToken notes an access token; only /userinfo takes it.
func (s *storage) CreateAccessToken(_ context.Context, r op.TokenRequest) (string, time.Time, error) {
	id, expires := s.access.add(r, time.Now())
	return id, expires, nil
}

// CreateAccessAndRefreshTokens starts a family of refresh tokens, or rotates.
func (s *storage) CreateAccessAndRefreshTokens(ctx context.Context, r op.TokenRequest, current string) (string, string, time.Time, error) {
	var refresh string
	var err error
	switch r := r.(type) {
	case *refreshRequest:
		refresh, err = s.state.rotateRefresh(current, time.Now())
	case *authRequest:
		refresh, err = s.firstRefresh(r.family, r)
	case *op.DeviceAuthorizationState:
		refresh, err = s.firstRefresh(newSecret(), r)
	default:
		err = errNotOffered
	}
	if err != nil {
		return "", "", time.Time{}, s.refusedRefresh(err)
	}
	id, expires, err := s.CreateAccessToken(ctx, r)
	return id, refresh, expires, err
}

func (s *storage) firstRefresh(id string, r op.IDTokenRequest) (string, error) {
	u, err := s.user(r.GetSubject())
	if err != nil {
		return "", err
	}
	return s.state.startFamily(id, family{
		Client: r.GetClientID(), Subject: u.Name, Scopes: r.GetScopes(), AuthTime: r.GetAuthTime(),
		Expires: time.Now().Add(familyLifetime), Password: digest(u.Password),
	})
}

func (s *storage) refusedRefresh(err error) error {
	if errors.Is(err, errRefreshReused) {
		s.log.Warn("refresh token used twice: its family is revoked")
	}
	return oidc.ErrInvalidGrant().WithDescription("the refresh token is not valid any more").WithParent(err)
}

// TokenRequestByRefreshToken checks a refresh token and the person behind it.
func (s *storage) TokenRequestByRefreshToken(_ context.Context, token string) (op.RefreshTokenRequest, error) {
	id, f, err := s.state.checkRefresh(token, time.Now())
	if err != nil {
		return nil, s.refusedRefresh(err)
	}
	u, err := s.user(f.Subject)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(f.Password, digest(u.Password)) {
		return nil, s.refusedRefresh(errors.Join(errRefreshUnknown, s.state.endFamily(id)))
	}
	return &refreshRequest{family: f, id: id, scopes: f.Scopes}, nil
}

// refreshRequest shows a family to the library.
type refreshRequest struct {
	family family
	id     string
	scopes []string
}

func (r *refreshRequest) GetAMR() []string                 { return passwordOnly() }
func (r *refreshRequest) GetAudience() []string            { return []string{r.family.Client} }
func (r *refreshRequest) GetAuthTime() time.Time           { return r.family.AuthTime }
func (r *refreshRequest) GetClientID() string              { return r.family.Client }
func (r *refreshRequest) GetScopes() []string              { return r.scopes }
func (r *refreshRequest) GetSubject() string               { return r.family.Subject }
func (r *refreshRequest) SetCurrentScopes(scopes []string) { r.scopes = scopes }

// GetRefreshTokenInfo finds the family of a token that is to be revoked. An old
// token of a family revokes it as well as its newest.
func (s *storage) GetRefreshTokenInfo(_ context.Context, client, token string) (string, string, error) {
	id, _, ok := splitRefresh(token)
	if !ok {
		return "", "", op.ErrInvalidRefreshToken
	}
	f, err := s.state.familyOf(id)
	if err != nil || f.Client != client {
		return "", "", op.ErrInvalidRefreshToken
	}
	return f.Subject, id, nil
}

// RevokeToken ends a family or an access token. What is unknown is already
// revoked (RFC 7009 §2.2).
func (s *storage) RevokeToken(_ context.Context, id, _, client string) *oidc.Error {
	if f, err := s.state.familyOf(id); err == nil && f.Client == client {
		if err := s.state.endFamily(id); err != nil {
			return oidc.ErrServerError().WithParent(err)
		}
	}
	s.access.remove(id, client)
	return nil
}

// StoreDeviceAuthorization keeps a device request with who asked for it.
func (s *storage) StoreDeviceAuthorization(ctx context.Context, client, code, userCode string, expires time.Time, scopes []string) error {
	wanted := slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool {
		return !slices.Contains(supportedScopes(), scope)
	})
	return s.devices.add(deviceRequest{
		code: code, userCode: userCode, client: client, scopes: wanted, expires: expires, asker: askerFrom(ctx),
	}, time.Now())
}

// GetDeviceAuthorizatonState consumes a confirmed device request; the handler
// in front has answered all others. (The library's spelling.)
func (s *storage) GetDeviceAuthorizatonState(_ context.Context, client, code string) (*op.DeviceAuthorizationState, error) {
	return s.devices.consume(client, code, time.Now())
}

// SetUserinfoFromRequest fills the ID token from the users file as it is now.
func (s *storage) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, r op.IDTokenRequest, scopes []string) error {
	return s.fillUser(info, r.GetSubject(), scopes)
}

// SetUserinfoFromToken fills the answer of /userinfo.
func (s *storage) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, tokenID, subject, _ string) error {
	t, ok := s.access.get(tokenID, time.Now())
	if !ok || t.subject != subject {
		return oidc.ErrAccessDenied().WithDescription("the access token is unknown, revoked or expired")
	}
	return s.fillUser(info, subject, t.scopes)
}

func (s *storage) fillUser(info *oidc.UserInfo, subject string, scopes []string) error {
	u, err := s.user(subject)
	if err != nil {
		return err
	}
	info.Subject = u.Name
	for _, scope := range scopes {
		switch scope {
		case oidc.ScopeProfile:
			info.PreferredUsername = u.Name
			info.Name = u.FullName
			if info.Name == "" {
				info.Name = u.Name
			}
		case oidc.ScopeEmail:
			info.Email, info.EmailVerified = u.Email, oidc.Bool(u.Email != "")
		case scopeGroups:
			// A person without groups has an empty list: a claim that is missing
			// would mean that the issuer cannot tell.
			info.AppendClaims("groups", append([]string{}, u.Groups...))
		}
	}
	return nil
}

// GetClientByClientID finds a client.
func (s *storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	c, ok := s.clients[id]
	if !ok {
		return nil, oidc.ErrInvalidClient().WithDescription("unknown client %q", id)
	}
	return c, nil
}

// SigningKey gives the key that signs now.
func (s *storage) SigningKey(context.Context) (op.SigningKey, error) {
	key, err := s.state.signingKey(time.Now())
	if err != nil {
		return nil, fmt.Errorf("find the signing key: %w", err)
	}
	return key, nil
}

// SignatureAlgorithms is what ID tokens are signed with.
func (s *storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.ES256}, nil
}

// KeySet gives the public keys.
func (s *storage) KeySet(context.Context) ([]op.Key, error) { return s.state.publicKeys(time.Now()) }

// Health says whether the users file can be read: without it nobody signs in.
func (s *storage) Health(context.Context) error {
	_, err := ReadUsers(s.usersFile)
	return err
}
