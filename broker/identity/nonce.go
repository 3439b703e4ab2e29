package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"time"
)

const (
	nonceLife = time.Minute
	// maxUsedNonces bounds the memory for used ones; more within their life are
	// refused.
	maxUsedNonces = 1 << 18

	nonceStamp = 8
	nonceBody  = nonceStamp + 16
	nonceSize  = nonceBody + sha256.Size
)

// nonces makes values to sign and takes each once. They are authenticated, so
// that only used ones take memory, and only until their minute is over.
type nonces struct {
	key [32]byte
	now func() time.Time

	mu      sync.Mutex
	used    map[[nonceSize]byte]time.Time // until when
	swept   time.Time
	maxUsed int
}

func newNonces(now func() time.Time) *nonces {
	n := &nonces{now: now, used: map[[nonceSize]byte]time.Time{}, maxUsed: maxUsedNonces}
	_, _ = rand.Read(n.key[:]) // never fails since Go 1.24
	return n
}

// issue makes a nonce that is good for a minute.
func (n *nonces) issue() string {
	b := make([]byte, nonceBody, nonceSize)
	binary.BigEndian.PutUint64(b, uint64(n.now().UnixNano()))
	_, _ = rand.Read(b[nonceStamp:])
	return base64.RawURLEncoding.EncodeToString(append(b, n.mac(b)...))
}

// use reports whether the nonce is one of ours, young enough and new.
func (n *nonces) use(text string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != nonceSize || !hmac.Equal(b[nonceBody:], n.mac(b[:nonceBody])) {
		return false
	}
	made := time.Unix(0, int64(binary.BigEndian.Uint64(b)))
	now := n.now()
	if age := now.Sub(made); age < 0 || age >= nonceLife {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sweep(now)
	id := [nonceSize]byte(b)
	if _, seen := n.used[id]; seen || len(n.used) >= n.maxUsed {
		return false
	}
	n.used[id] = made.Add(nonceLife)
	return true
}

func (n *nonces) mac(body []byte) []byte {
	m := hmac.New(sha256.New, n.key[:])
	m.Write(body)
	return m.Sum(nil)
}

// sweep forgets used nonces that are too old to be used again, once a second or
// rarer.
func (n *nonces) sweep(now time.Time) {
	if since := now.Sub(n.swept); since >= 0 && since < time.Second {
		return
	}
	n.swept = now
	for id, until := range n.used {
		if !now.Before(until) {
			delete(n.used, id)
		}
	}
}
