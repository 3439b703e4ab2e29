package identity

import (
	"context"
	"errors"
	"fmt"
)

// Revoke ends a login, with all others of the same key: their tokens are refused
// from now on, and their live sessions end at once. They end even where the
// store fails, which is then the error: the logins would be good again after a
// restart. It is ErrUnknownLogin where no login has the id.
func (l *Logins) Revoke(ctx context.Context, id, reason string) error {
	login := l.byID(id)
	if login == nil {
		return fmt.Errorf("%w: %s", ErrUnknownLogin, id)
	}
	_, err := l.revoke(ctx, func(other *Login) bool { return sameHolder(login, other) }, reason)
	return err
}

func (l *Logins) byID(id string) *Login {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.live {
		if h.login.ID == id {
			return h.login
		}
	}
	return nil
}

// RevokePrincipal ends all logins of a principal and tells how many.
func (l *Logins) RevokePrincipal(ctx context.Context, principalID, reason string) (int, error) {
	return l.revoke(ctx, func(login *Login) bool { return login.Principal.ID == principalID }, reason)
}

func (l *Logins) revoke(ctx context.Context, which func(*Login) bool, reason string) (int, error) {
	ended := l.end(which, fmt.Errorf("%w: %s", ErrRevoked, reason))
	now := l.now().UTC()
	var failed []error
	for hash, login := range ended {
		if err := l.save(ctx, hash, &record{Login: *login, Revoked: &now, Reason: reason}); err != nil {
			failed = append(failed, fmt.Errorf("revoking login %s for good: %w", login.ID, err))
		}
	}
	return len(ended), errors.Join(failed...)
}

// end ends handles before anything is written: nobody waits for a disk here.
func (l *Logins) end(which func(*Login) bool, cause error) map[string]*Login {
	l.mu.Lock()
	defer l.mu.Unlock()
	ended := map[string]*Login{}
	for hash, h := range l.live {
		if which(h.login) {
			h.login.stop(cause)
			ended[hash] = h.login
		}
	}
	return ended
}
