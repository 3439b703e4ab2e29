package mask

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"sync"
)

const (
	minKeySize = 16 // bytes
	tokenSize  = 16 // bytes of the HMAC that a token shows
)

// tokens replaces values by keyed tokens, so that equal values can be joined
// and grouped. A token is the first half of HMAC-SHA-256, for integers a keyed
// permutation: without the key no list of guesses can be compared with them.
type tokens struct {
	macs   sync.Pool
	mapper cipher.Block // for integers
}

func newHash(key []byte) (*tokens, error) {
	block, err := subkey(key, "integer")
	if err != nil {
		return nil, err
	}
	key = append([]byte(nil), key...)
	return &tokens{
		macs:   sync.Pool{New: func() any { return hmac.New(sha256.New, key) }},
		mapper: block,
	}, nil
}

// subkey derives the AES key for one use from the key of the method.
func subkey(key []byte, use string) (cipher.Block, error) {
	if len(key) < minKeySize {
		return nil, fmt.Errorf("it needs a key of %d bytes or more, got %d", minKeySize, len(key))
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte("hoop mask " + use))
	block, err := aes.NewCipher(h.Sum(nil))
	if err != nil {
		return nil, fmt.Errorf("derive the key for %s: %w", use, err)
	}
	return block, nil
}

func (t *tokens) sum(value []byte) [sha256.Size]byte {
	h := t.macs.Get().(hash.Hash)
	defer t.macs.Put(h)
	h.Reset()
	h.Write(value)
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return sum
}

func (t *tokens) text(dst, value []byte) ([]byte, bool) {
	sum := t.sum(value)
	return hex.AppendEncode(dst, sum[:tokenSize]), true
}

func (t *tokens) document(value []byte) (string, bool) {
	sum := t.sum(value)
	return hex.EncodeToString(sum[:tokenSize]), true
}

func (t *tokens) bytes(value []byte) ([]byte, bool) {
	sum := t.sum(value)
	return sum[:tokenSize], true
}

// uuid gives a UUID of version 8, made for such uses (RFC 9562 §5.8).
func (t *tokens) uuid(v [16]byte) ([16]byte, bool) {
	sum := t.sum(v[:])
	copy(v[:], sum[:])
	v[6] = v[6]&0x0f | 0x80
	v[8] = v[8]&0x3f | 0x80
	return v, true
}

// integer permutes the numbers of 15, 31 or 63 bits, whichever holds v first,
// so that the token fits the column, whatever its width and format, and equal
// numbers in columns of different width stay equal. The sign stays.
func (t *tokens) integer(v int64) (int64, bool) {
	if v < 0 {
		w, ok := t.integer(-1 - v)
		return -1 - w, ok
	}
	bits := 63
	switch {
	case v < 1<<15:
		bits = 15
	case v < 1<<31:
		bits = 31
	}
	// Cycle walking: the Feistel network permutes one bit more than is wanted.
	u := t.feistel(uint64(v), (bits+1)/2)
	for u>>bits != 0 {
		u = t.feistel(u, (bits+1)/2)
	}
	return int64(u), true
}

// feistel permutes the numbers of twice half bits: ten rounds with AES as the
// round function, as FF1 has them (NIST SP 800-38G §5.1).
func (t *tokens) feistel(u uint64, half int) uint64 {
	mask := uint64(1)<<half - 1
	left, right := u>>half, u&mask
	in, out := make([]byte, aes.BlockSize), make([]byte, aes.BlockSize)
	in[0] = byte(half)
	for round := range 10 {
		in[1] = byte(round)
		for i := range 8 {
			in[8+i] = byte(right >> (8 * i))
		}
		t.mapper.Encrypt(out, in)
		f := uint64(out[0]) | uint64(out[1])<<8 | uint64(out[2])<<16 | uint64(out[3])<<24
		left, right = right, (left^f)&mask
	}
	return left<<half | right
}
