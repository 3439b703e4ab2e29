package issuer

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

const (
	requestLifetime = 10 * time.Minute
	codeLifetime    = time.Minute
	// maxPending bounds the memory of requests that nobody finishes.
	maxPending = 1000
)

var (
	errRequestUnknown = errors.New("sign-in request is unknown or expired")
	errTooMany        = errors.New("too many sign-ins are waiting, try again in a minute")
)

// authRequest is one sign-in through a browser (OpenID Connect Core §3.1.2.1).
// After it was stored only requests changes it, under its lock, and hands out
// copies.
type authRequest struct {
	id      string
	browser []byte // digest of the cookie of the browser that started it
	family  string // what a refresh token that follows will belong to
	expires time.Time

	client, redirect, state, nonce string
	scopes                         []string
	challenge                      oidc.CodeChallenge

	subject  string
	authTime time.Time
	coded    bool
}

func (a *authRequest) GetID() string                         { return a.id }
func (a *authRequest) GetACR() string                        { return "" }
func (a *authRequest) GetAMR() []string                      { return passwordOnly() }
func (a *authRequest) GetAudience() []string                 { return []string{a.client} }
func (a *authRequest) GetAuthTime() time.Time                { return a.authTime }
func (a *authRequest) GetClientID() string                   { return a.client }
func (a *authRequest) GetCodeChallenge() *oidc.CodeChallenge { return &a.challenge }
func (a *authRequest) GetNonce() string                      { return a.nonce }
func (a *authRequest) GetRedirectURI() string                { return a.redirect }
func (a *authRequest) GetResponseType() oidc.ResponseType    { return oidc.ResponseTypeCode }
func (a *authRequest) GetResponseMode() oidc.ResponseMode    { return "" }
func (a *authRequest) GetScopes() []string                   { return a.scopes }
func (a *authRequest) GetState() string                      { return a.state }
func (a *authRequest) GetSubject() string                    { return a.subject }
func (a *authRequest) Done() bool                            { return a.subject != "" }

// passwordOnly is the amr claim: RFC 8176 §2, "pwd".
func passwordOnly() []string { return []string{"pwd"} }

// requests holds sign-ins that are under way and the codes they led to.
type requests struct {
	mu    sync.Mutex
	byID  map[string]*authRequest
	codes map[string]issuedCode // by digest of the code
}

// issuedCode remembers a code beyond its use, to notice a second use.
type issuedCode struct {
	request string
	family  string
	expires time.Time
	used    bool
}

func newRequests() *requests {
	return &requests{byID: map[string]*authRequest{}, codes: map[string]issuedCode{}}
}

func (q *requests) add(a *authRequest, now time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sweepLocked(now)
	if len(q.byID) >= maxPending {
		return errTooMany
	}
	q.byID[a.id] = a
	return nil
}

func (q *requests) sweepLocked(now time.Time) {
	for id, a := range q.byID {
		if now.After(a.expires) {
			delete(q.byID, id)
		}
	}
	for code, c := range q.codes {
		if now.After(c.expires.Add(requestLifetime)) {
			delete(q.codes, code)
		}
	}
}

func (q *requests) get(id string, now time.Time) (*authRequest, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.getLocked(id, now)
}

func (q *requests) getLocked(id string, now time.Time) (*authRequest, error) {
	a, ok := q.byID[id]
	if !ok || now.After(a.expires) {
		return nil, errRequestUnknown
	}
	copied := *a
	copied.scopes = slices.Clone(a.scopes)
	return &copied, nil
}

// signIn notes who signed in. A request is answered once.
func (q *requests) signIn(id, subject string, now time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, err := q.getLocked(id, now); err != nil {
		return err
	}
	if q.byID[id].subject != "" {
		return errRequestUnknown
	}
	q.byID[id].subject, q.byID[id].authTime = subject, now
	return nil
}

// saveCode keeps the code of a finished request; there is one per request.
func (q *requests) saveCode(id, code string, now time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	a, ok := q.byID[id]
	if !ok || a.coded || a.subject == "" {
		return errRequestUnknown
	}
	a.coded = true
	q.codes[string(digest(code))] = issuedCode{request: id, family: a.family, expires: now.Add(codeLifetime)}
	return nil
}

// redeem uses a code up, whatever becomes of the exchange. For a code that was
// used before it names the family to revoke (RFC 6749 §4.1.2).
func (q *requests) redeem(code string, now time.Time) (a *authRequest, revoke string, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := string(digest(code))
	c, ok := q.codes[key]
	if !ok || now.After(c.expires) {
		return nil, "", errRequestUnknown
	}
	if c.used {
		return nil, c.family, errRequestUnknown
	}
	c.used = true
	q.codes[key] = c
	a, err = q.getLocked(c.request, now)
	delete(q.byID, c.request)
	return a, "", err
}

func (q *requests) remove(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.byID, id)
}
