package identity

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"hoop/policy"
)

// Issue makes a login for a principal that was verified, bound to the key that
// its client proved to hold. The token is shown this once: the store keeps its
// hash. It renews earlier logins of the same key and the same principal with the
// same groups: their tokens expire as before, their live sessions go on as long
// as the new login does.
func (l *Logins) Issue(ctx context.Context, p *policy.Principal, key ed25519.PublicKey, ttl time.Duration, meta Meta) (string, *Login, error) {
	if len(key) != ed25519.PublicKeySize || ttl <= 0 {
		return "", nil, errors.New("issuing a login: it needs an Ed25519 key and a time to live")
	}
	token := tokenPrefix + base64.RawURLEncoding.EncodeToString(random(tokenSize))
	now := l.now().UTC()
	rec := &record{Login: Login{
		ID: "lg_" + hex.EncodeToString(random(8)), Principal: *p, Key: slices.Clone(key),
		Issued: now, Expires: now.Add(ttl), Meta: meta,
	}}
	hash := hashToken(token)
	if err := l.save(ctx, hash, rec); err != nil {
		return "", nil, unavailable("the login cannot be kept", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	login := l.adopt(hash, rec)
	if login == nil {
		return "", nil, unavailable("the broker is shutting down", nil)
	}
	l.renew(login)
	return token, login, nil
}

// renew lets what hangs on earlier logins outlive them. Sessions keep the groups
// that they began with, so only a login with the same ones renews. The caller
// holds mu.
func (l *Logins) renew(by *Login) {
	for _, h := range l.live {
		if sameHolder(h.login, by) && sameRights(&h.login.Principal, &by.Principal) && h.until.Before(by.Expires) && h.timer.Stop() {
			h.until = by.Expires
			h.timer.Reset(h.until.Sub(l.now()))
		}
	}
}

// sameHolder reports whether two logins are of one client of one principal.
func sameHolder(a, b *Login) bool { return a.Principal.ID == b.Principal.ID && a.Key.Equal(b.Key) }

// sameRights reports whether rules see no difference between two principals.
func sameRights(a, b *policy.Principal) bool {
	return a.Name == b.Name && a.Email == b.Email && a.Kind == b.Kind &&
		slices.Equal(slices.Sorted(slices.Values(a.Groups)), slices.Sorted(slices.Values(b.Groups)))
}
