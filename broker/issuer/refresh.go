package issuer

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// family is one sign-in and the refresh tokens that follow from it. A token is
// "family.secret"; only the digest of the newest secret is kept, so every other
// secret of a known family is a token used twice (RFC 9700 §4.14.2).
type family struct {
	Client   string    `json:"client"`
	Subject  string    `json:"subject"`
	Scopes   []string  `json:"scopes"`
	AuthTime time.Time `json:"auth_time"`
	Expires  time.Time `json:"expires"`
	// Password is a digest of the user's hash: a new password ends the family.
	Password []byte `json:"password"`
	Current  []byte `json:"current"`
}

// familyLifetime is the longest that one sign-in lasts.
const familyLifetime = 30 * 24 * time.Hour

var (
	errRefreshUnknown = errors.New("refresh token is unknown, revoked or expired")
	errRefreshReused  = errors.New("refresh token was used twice: its family is revoked")
)

// newSecret gives 256 random bits as text.
func newSecret() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails, crypto/rand
	return base64.RawURLEncoding.EncodeToString(b)
}

func digest(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

func splitRefresh(token string) (id, secret string, ok bool) {
	id, secret, ok = strings.Cut(token, ".")
	return id, secret, ok && id != "" && secret != ""
}

// startFamily stores the family under id and gives its first token.
func (s *state) startFamily(id string, f family) (token string, err error) {
	secret := newSecret()
	f.Current = digest(secret)
	err = s.db.Update(func(tx *bbolt.Tx) error { return putJSON(tx, bucketFamilies, id, f) })
	if err != nil {
		return "", fmt.Errorf("store the refresh token: %w", err)
	}
	return id + "." + secret, nil
}

// checkRefresh gives the family of a token that may be used now. A token used
// before revokes its family.
func (s *state) checkRefresh(token string, now time.Time) (id string, f family, err error) {
	err = s.withFamily(token, now, func(_ *bbolt.Tx, famID string, found family) error {
		id, f = famID, found
		return nil
	})
	return id, f, err
}

// rotateRefresh replaces the token by a new one in one transaction: of two who
// come with the same token, the second finds it used.
func (s *state) rotateRefresh(token string, now time.Time) (fresh string, err error) {
	secret := newSecret()
	err = s.withFamily(token, now, func(tx *bbolt.Tx, id string, f family) error {
		f.Current = digest(secret)
		fresh = id + "." + secret
		return putJSON(tx, bucketFamilies, id, f)
	})
	if err != nil {
		return "", err
	}
	return fresh, nil
}

// withFamily runs use on the family whose newest token this is. It commits the
// revocation of a family even though it answers an error then.
func (s *state) withFamily(token string, now time.Time, use func(*bbolt.Tx, string, family) error) error {
	id, secret, ok := splitRefresh(token)
	if !ok {
		return errRefreshUnknown
	}
	var refusal error
	err := s.db.Update(func(tx *bbolt.Tx) error {
		var f family
		if err := getJSON(tx, bucketFamilies, id, &f); err != nil {
			refusal = errRefreshUnknown
			return nil
		}
		if now.After(f.Expires) {
			refusal = errRefreshUnknown
			return tx.Bucket([]byte(bucketFamilies)).Delete([]byte(id))
		}
		if subtle.ConstantTimeCompare(f.Current, digest(secret)) != 1 {
			refusal = errRefreshReused
			return tx.Bucket([]byte(bucketFamilies)).Delete([]byte(id))
		}
		return use(tx, id, f)
	})
	if err != nil {
		return fmt.Errorf("use the refresh token: %w", err)
	}
	return refusal
}

// endFamily revokes the family. One that does not exist is already revoked.
func (s *state) endFamily(id string) error {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucketFamilies)).Delete([]byte(id))
	})
	if err != nil {
		return fmt.Errorf("revoke refresh tokens: %w", err)
	}
	return nil
}

// familyOf reads a family without using a token, for revocation.
func (s *state) familyOf(id string) (f family, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error { return getJSON(tx, bucketFamilies, id, &f) })
	return f, err
}

func sweepFamilies(tx *bbolt.Tx, now time.Time) error {
	var expired [][]byte
	bucket := tx.Bucket([]byte(bucketFamilies))
	err := bucket.ForEach(func(id, raw []byte) error {
		var f family
		if json.Unmarshal(raw, &f) != nil || now.After(f.Expires) {
			expired = append(expired, append([]byte(nil), id...))
		}
		return nil
	})
	for _, id := range expired {
		err = errors.Join(err, bucket.Delete(id))
	}
	return err
}
