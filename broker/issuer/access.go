package issuer

import (
	"slices"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
)

// accessTokens holds what /userinfo accepts.
type accessTokens struct {
	mu   sync.Mutex
	byID map[string]accessToken
}

type accessToken struct {
	subject string
	clients []string
	scopes  []string
	expires time.Time
}

const accessLifetime = 5 * time.Minute

func (a *accessTokens) add(r op.TokenRequest, now time.Time) (string, time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, t := range a.byID {
		if now.After(t.expires) {
			delete(a.byID, id)
		}
	}
	id, expires := newSecret(), now.Add(accessLifetime)
	a.byID[id] = accessToken{r.GetSubject(), r.GetAudience(), r.GetScopes(), expires}
	return id, expires
}

func (a *accessTokens) get(id string, now time.Time) (accessToken, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.byID[id]
	return t, ok && now.Before(t.expires)
}

func (a *accessTokens) remove(id, client string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if slices.Contains(a.byID[id].clients, client) {
		delete(a.byID, id)
	}
}
