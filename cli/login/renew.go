package login

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"
)

// Renew gives the secrets of a profile, renewed when they are not fresh. Of
// many processes that come at once one renews, under a lock file, and the
// others take what it stored: a refresh token used twice would end the sign-in.
//
// What renew returns is stored even when it also returns an error, because its
// refresh token may have changed; secrets without a refresh token are stored
// only with a nil error.
func (s *Store) Renew(ctx context.Context, profile string, fresh func(Secrets) bool,
	renew func(context.Context, Secrets) (Secrets, error)) (Secrets, error) {
	now, err := s.Load(profile)
	if err != nil || fresh(now) {
		return now, err
	}
	unlock, err := s.lock(ctx, profile)
	if err != nil {
		return Secrets{}, err
	}
	defer unlock()
	if now, err = s.Load(profile); err != nil || fresh(now) {
		return now, err
	}
	next, err := renew(ctx, now)
	keep := err == nil || next.RefreshToken != ""
	if keep && !reflect.DeepEqual(next, now) {
		err = errors.Join(err, s.save(profile, next))
	}
	if err != nil {
		return Secrets{}, err
	}
	return next, nil
}

// lock takes the lock of a profile across processes. The file stays: removing
// it would let two processes lock two different files of one name.
func (s *Store) lock(ctx context.Context, profile string) (unlock func(), err error) {
	if err := s.makeDir(); err != nil {
		return nil, err
	}
	path := strings.TrimSuffix(s.entry(profile).file, ".json") + ".lock"
	f, err := openPrivate(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the sign-in: %w", err)
	}
	for {
		got, err := tryLock(f)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		if got {
			return func() { f.Close() }, nil // closing unlocks
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("wait for another hoop to renew the sign-in: %w", context.Cause(ctx)), f.Close())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
