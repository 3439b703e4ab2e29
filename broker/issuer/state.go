package issuer

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

// state is what outlives the process: signing keys and refresh tokens, in one
// file that only its owner may read. All else is short-lived and in memory.
type state struct{ db *bbolt.DB }

func bucketNames() [][]byte { return [][]byte{[]byte(bucketKeys), []byte(bucketFamilies)} }

const (
	bucketKeys     = "keys"
	bucketFamilies = "refresh"
)

var errNoEntry = errors.New("no such entry")

func openState(dir string) (*state, error) {
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "issuer.db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 2 * time.Second})
	if err != nil {
		return nil, fmt.Errorf("open the issuer's state %s (is another issuer using it?): %w", path, err)
	}
	s := &state{db: db}
	if err := s.prepare(time.Now()); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// prepare makes the buckets and the first key, and drops what has expired.
func (s *state) prepare(now time.Time) error {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range bucketNames() {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return sweepFamilies(tx, now)
	})
	if err != nil {
		return fmt.Errorf("prepare the issuer's state: %w", err)
	}
	if _, err := s.signingKey(now); errors.Is(err, errNoEntry) {
		return s.rotateKey(now)
	} else if err != nil {
		return err
	}
	return nil
}

func (s *state) close() error { return s.db.Close() }

func getJSON(tx *bbolt.Tx, bucket, key string, into any) error {
	raw := tx.Bucket([]byte(bucket)).Get([]byte(key))
	if raw == nil {
		return errNoEntry
	}
	return json.Unmarshal(raw, into)
}

func putJSON(tx *bbolt.Tx, bucket, key string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return tx.Bucket([]byte(bucket)).Put([]byte(key), raw)
}
