package mask

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"math"
	"math/big"
)

// ff1 is format-preserving encryption by NIST SP 800-38G, method FF1: it maps
// the numeral strings of one length and radix onto themselves.
type ff1 struct {
	block cipher.Block
	radix int
}

const (
	ff1Rounds = 10
	// minDomain is how many strings of one length there must be (SP 800-38G
	// §5.1 with revision 1: below it, guessing wins).
	minDomain = 1_000_000
)

var errShort = errors.New("too few numerals to encrypt in their own format")

// enough reports whether n numerals make a domain that may be encrypted.
func (f *ff1) enough(n int) bool {
	return float64(n)*math.Log2(float64(f.radix)) >= math.Log2(minDomain)
}

// encrypt replaces the numerals in x, each less than the radix, by others.
func (f *ff1) encrypt(x []byte, tweak []byte) error {
	if !f.enough(len(x)) {
		return errShort
	}
	u := len(x) / 2
	v := len(x) - u
	bytesOfB := (int(math.Ceil(float64(v)*math.Log2(float64(f.radix)))) + 7) / 8
	a, b := f.number(x[:u]), f.number(x[u:])
	modU, modV := f.power(u), f.power(v)
	prefix := f.prefix(u, len(x), len(tweak))
	for round := range ff1Rounds {
		y := f.round(prefix, tweak, round, b, bytesOfB)
		mod := modU
		if round%2 == 1 {
			mod = modV
		}
		c := a.Add(a, y)
		c.Mod(c, mod)
		a, b = b, c
	}
	// An even number of rounds: a has u numerals again.
	f.numerals(x[:u], a)
	f.numerals(x[u:], b)
	return nil
}

// prefix is P of SP 800-38G algorithm 7, step 5.
func (f *ff1) prefix(u, n, t int) []byte {
	p := make([]byte, 0, aes.BlockSize)
	p = append(p, 1, 2, 1, byte(f.radix>>16), byte(f.radix>>8), byte(f.radix), ff1Rounds, byte(u))
	p = binary.BigEndian.AppendUint32(p, uint32(n))
	return binary.BigEndian.AppendUint32(p, uint32(t))
}

// round computes y of step 6: the pseudorandom function over P and Q,
// stretched to d bytes.
func (f *ff1) round(prefix, tweak []byte, round int, b *big.Int, size int) *big.Int {
	q := append([]byte(nil), prefix...)
	q = append(q, tweak...)
	for (len(q)+size+1)%aes.BlockSize != 0 {
		q = append(q, 0)
	}
	q = append(q, byte(round))
	q = append(q, b.FillBytes(make([]byte, size))...)
	r := make([]byte, aes.BlockSize)
	for ; len(q) > 0; q = q[aes.BlockSize:] { // CBC-MAC, algorithm 6
		xor(r, q[:aes.BlockSize])
		f.block.Encrypt(r, r)
	}
	d := 4*((size+3)/4) + 4
	s := append([]byte(nil), r...)
	for j := uint64(1); len(s) < d; j++ {
		next := append([]byte(nil), r...)
		binary.BigEndian.PutUint64(next[8:], binary.BigEndian.Uint64(next[8:])^j)
		f.block.Encrypt(next, next)
		s = append(s, next...)
	}
	return new(big.Int).SetBytes(s[:d])
}

func xor(dst, src []byte) {
	for i := range dst {
		dst[i] ^= src[i]
	}
}

func (f *ff1) power(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(int64(f.radix)), big.NewInt(int64(n)), nil)
}

func (f *ff1) number(x []byte) *big.Int {
	n, radix := new(big.Int), big.NewInt(int64(f.radix))
	for _, d := range x {
		n.Add(n.Mul(n, radix), big.NewInt(int64(d)))
	}
	return n
}

func (f *ff1) numerals(x []byte, n *big.Int) {
	radix, d := big.NewInt(int64(f.radix)), new(big.Int)
	for i := len(x) - 1; i >= 0; i-- {
		n.DivMod(n, radix, d)
		x[i] = byte(d.Int64())
	}
}
