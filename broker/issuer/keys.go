package issuer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/op"
	"go.etcd.io/bbolt"
)

// keyRecord is one signing key. Retired is zero for the key that signs.
type keyRecord struct {
	PKCS8   []byte    `json:"pkcs8"`
	Created time.Time `json:"created"`
	Retired time.Time `json:"retired,omitzero"`
}

// keyOverlap is how long a retired key stays published: longer than any token
// it signed lives.
const keyOverlap = 24 * time.Hour

// signingKey is an ECDSA P-256 key as the library wants to see it.
type signingKey struct {
	id  string
	key *ecdsa.PrivateKey
}

func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k signingKey) Key() any                                    { return k.key }
func (k signingKey) ID() string                                  { return k.id }

// publicKey is the published half.
type publicKey struct{ signingKey }

func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return &k.key.PublicKey }

// rotateKey makes a new key sign, retires the old one and forgets those whose
// tokens have all expired, in one transaction.
func (s *state) rotateKey(now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make a signing key: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode the signing key: %w", err)
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		if err := retireKeys(tx, now); err != nil {
			return err
		}
		return putJSON(tx, bucketKeys, keyID(key), keyRecord{PKCS8: pkcs8, Created: now})
	})
	if err != nil {
		return fmt.Errorf("store the signing key: %w", err)
	}
	return nil
}

func retireKeys(tx *bbolt.Tx, now time.Time) error {
	records := map[string]keyRecord{}
	if err := eachKey(tx, func(id string, r keyRecord) { records[id] = r }); err != nil {
		return err
	}
	for id, r := range records {
		var err error
		switch {
		case r.Retired.IsZero():
			r.Retired = now
			err = putJSON(tx, bucketKeys, id, r)
		case now.Sub(r.Retired) > keyOverlap:
			err = tx.Bucket([]byte(bucketKeys)).Delete([]byte(id))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func eachKey(tx *bbolt.Tx, visit func(id string, r keyRecord)) error {
	return tx.Bucket([]byte(bucketKeys)).ForEach(func(id, raw []byte) error {
		var r keyRecord
		if err := json.Unmarshal(raw, &r); err != nil {
			return fmt.Errorf("read signing key %s: %w", id, err)
		}
		visit(string(id), r)
		return nil
	})
}

// signingKey gives the key that signs now, or errNoEntry.
func (s *state) signingKey(now time.Time) (signingKey, error) {
	keys, err := s.keys(now, func(r keyRecord) bool { return r.Retired.IsZero() })
	if err != nil {
		return signingKey{}, err
	}
	if len(keys) == 0 {
		return signingKey{}, fmt.Errorf("signing key: %w", errNoEntry)
	}
	return keys[0], nil
}

// publicKeys gives every key whose tokens may still be valid.
func (s *state) publicKeys(now time.Time) ([]op.Key, error) {
	keys, err := s.keys(now, func(r keyRecord) bool {
		return r.Retired.IsZero() || now.Sub(r.Retired) <= keyOverlap
	})
	public := make([]op.Key, len(keys))
	for i, k := range keys {
		public[i] = publicKey{k}
	}
	return public, err
}

func (s *state) keys(now time.Time, want func(keyRecord) bool) ([]signingKey, error) {
	var keys []signingKey
	var broken error
	err := s.db.View(func(tx *bbolt.Tx) error {
		return eachKey(tx, func(id string, r keyRecord) {
			if !want(r) {
				return
			}
			parsed, err := x509.ParsePKCS8PrivateKey(r.PKCS8)
			key, ok := parsed.(*ecdsa.PrivateKey)
			if err != nil || !ok {
				broken = fmt.Errorf("signing key %s is not an ECDSA key: %w", id, err)
				return
			}
			keys = append(keys, signingKey{id: id, key: key})
		})
	})
	if err == nil {
		err = broken
	}
	return keys, err
}

// keyID names a key by the digest of its public half.
func keyID(key *ecdsa.PrivateKey) string {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}
