package identity

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"time"
)

// find reads what the store says of a token, and gives its handle.
func (l *Logins) find(ctx context.Context, token string) (*Login, error) {
	hash := hashToken(token)
	value, err := l.state.Get(ctx, loginBucket, hash)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refuse(ErrUnknownLogin, "this broker does not know the login", hintLogin)
	}
	var rec record
	if err == nil {
		err = json.Unmarshal(value, &rec)
	}
	if err != nil {
		return nil, l.unavailable(ctx, "the login cannot be checked", err)
	}
	if rec.Revoked != nil {
		return nil, revoked(rec.Reason)
	}
	if !l.now().Before(rec.Expires) {
		return nil, expired(rec.Expires)
	}
	l.mu.Lock()
	login := l.adopt(hash, &rec)
	l.mu.Unlock()
	if login == nil {
		return nil, l.unavailable(ctx, "the broker is shutting down", nil)
	}
	if cause := context.Cause(login.ctx); errors.Is(cause, ErrRevoked) { // between the read and here
		return nil, revoked("")
	} else if cause != nil {
		return nil, expired(rec.Expires)
	}
	return login, nil
}

func revoked(reason string) *Refusal {
	text := "the login was revoked"
	if reason != "" {
		text += ": " + reason
	}
	return refuse(ErrRevoked, text, hintLogin)
}

func expired(at time.Time) *Refusal {
	return refuse(ErrExpired, "the login has expired, at "+at.UTC().Format(time.RFC3339), hintLogin)
}
