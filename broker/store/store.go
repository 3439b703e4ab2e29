// Package store keeps the state of a broker that outlives its process: small
// values under a bucket and a key, some of them with an end.
//
// # Scope
//
// It knows nothing of what it keeps, and holds no secret in clear that would
// let somebody in: callers store hashes. It serves one broker from one
// directory. Every error means that the caller must deny.
package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Errors that callers branch on.
var (
	// ErrNotFound is the answer for a key that is absent or past its end. It is
	// fs.ErrNotExist too, for callers that do not know this package.
	ErrNotFound error = notFound{}
	// ErrLocked says that another process has the directory.
	ErrLocked = errors.New("in use by another broker")
)

type notFound struct{}

func (notFound) Error() string        { return "not in the store" }
func (notFound) Is(target error) bool { return target == fs.ErrNotExist }

const (
	file        = "state.db"
	lockTimeout = time.Second
)

// Store is one open directory of state. Its methods may be called from several
// goroutines.
type Store struct {
	db  *bbolt.DB
	now func() time.Time
}

// Options changes what Open does; the zero value is right for a broker.
type Options struct {
	// Now is the clock that ends entries; time.Now where nil.
	Now func() time.Time
}

// Open opens the state in dir, which is made with mode 0700 where absent. The
// error is ErrLocked where another process has it open.
func Open(dir string, opts Options) (*Store, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the broker's state: %w", err)
	}
	path := filepath.Join(dir, file)
	if err := checkPrivate(path); err != nil {
		return nil, fmt.Errorf("opening the broker's state: %w", err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("opening the broker's state: %s is %w: stop that one, or give this one another data_dir", path, ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the broker's state %s: %w", path, err)
	}
	return &Store{db: db, now: opts.Now}, nil
}

// Close gives the directory back.
func (s *Store) Close() error { return s.db.Close() }

// Get reads a value. It is ErrNotFound where the key is absent or past its end.
func (s *Store) Get(ctx context.Context, bucket, key string) ([]byte, error) {
	var value []byte
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		e, ok := s.lookup(tx, bucket, key)
		if !ok {
			return ErrNotFound
		}
		value = append([]byte{}, e...) // e lives only as long as the transaction
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s/%s: %w", bucket, key, err)
	}
	return value, nil
}

// Put writes a value that ends at until, or never where until is zero. It
// returns once the value has reached the disk.
func (s *Store) Put(ctx context.Context, bucket, key string, value []byte, until time.Time) error {
	err := s.update(ctx, func(tx *bbolt.Tx) error { return put(tx, bucket, key, value, until) })
	if err != nil {
		return fmt.Errorf("writing %s/%s: %w", bucket, key, err)
	}
	return nil
}

// Delete removes a key; one that is absent is no error.
func (s *Store) Delete(ctx context.Context, bucket, key string) error {
	err := s.update(ctx, func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		if b == nil {
			return nil
		}
		return b.Delete([]byte(key))
	})
	if err != nil {
		return fmt.Errorf("deleting %s/%s: %w", bucket, key, err)
	}
	return nil
}

// Once reports whether the key is seen for the first time, and remembers it
// until the given time, in one transaction: of several callers at once exactly
// one is first. A time that has passed is an error, because nothing would be
// remembered.
func (s *Store) Once(ctx context.Context, bucket, key string, until time.Time) (first bool, err error) {
	if !until.After(s.now()) {
		return false, fmt.Errorf("remembering %s/%s: its end has passed", bucket, key)
	}
	err = s.update(ctx, func(tx *bbolt.Tx) error {
		if _, seen := s.lookup(tx, bucket, key); seen {
			return nil
		}
		first = true
		return put(tx, bucket, key, nil, until)
	})
	if err != nil {
		return false, fmt.Errorf("remembering %s/%s: %w", bucket, key, err)
	}
	return first, nil
}

// ForEach calls fn with every value of a bucket that has not ended, by key. fn
// must not use the store, and must not keep value. An error of fn ends the walk.
func (s *Store) ForEach(ctx context.Context, bucket string, fn func(key string, value []byte) error) error {
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, v []byte) error {
			if e, ok := s.open(v); ok {
				return fn(string(k), e)
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("reading %s: %w", bucket, err)
	}
	return nil
}

func (s *Store) view(ctx context.Context, fn func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.db.View(fn)
}

func (s *Store) update(ctx context.Context, fn func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.db.Update(fn)
}

func (s *Store) lookup(tx *bbolt.Tx, bucket, key string) ([]byte, bool) {
	b := tx.Bucket([]byte(bucket))
	if b == nil {
		return nil, false
	}
	return s.open(b.Get([]byte(key)))
}

// endSize is the length of the end that stands before every value: nanoseconds
// since 1970, big-endian, 0 for none.
const endSize = 8

func put(tx *bbolt.Tx, bucket, key string, value []byte, until time.Time) error {
	b, err := tx.CreateBucketIfNotExists([]byte(bucket))
	if err != nil {
		return err
	}
	var end int64
	if !until.IsZero() {
		end = until.UnixNano()
	}
	stored := binary.BigEndian.AppendUint64(make([]byte, 0, endSize+len(value)), uint64(end))
	return b.Put([]byte(key), append(stored, value...))
}

// open gives the value of a stored entry, false where it has ended.
func (s *Store) open(stored []byte) ([]byte, bool) {
	if len(stored) < endSize || s.ended(stored) {
		return nil, false
	}
	return stored[endSize:], true
}

func (s *Store) ended(stored []byte) bool {
	end := int64(binary.BigEndian.Uint64(stored))
	return end != 0 && s.now().UnixNano() >= end
}
