package mask

import "math/bits"

// A literal is a text that begins or announces a value.
type literal struct {
	text   string // lower case where fold is set
	fold   bool   // case does not matter
	offset int    // of its fingerprint: three bytes that are rare in ordinary text
	what   trigger
	vendor uint16 // the key format, under triggerVendor; the rule, under triggerCustom
}

// trigger says which verifier a literal calls.
type trigger uint8

const (
	triggerVendor trigger = iota // a key of a known format begins here
	triggerJWT                   // eyJ
	triggerPEM                   // -----BEGIN
	triggerPEM64                 // the same in base64
	triggerName                  // part of a name such as DB_PASSWORD
	triggerScheme                // "Basic " or "Bearer "
	triggerCrypt                 // $6$ and its kin
	triggerPgpass                // :5432:
	triggerOption                // " -p "
	triggerAt                    // %40
	triggerCustom
)

const fingerprint = 3 // bytes

// index finds literals: the tables tell where a fingerprint may lie, the slots
// which literals have it.
type index struct {
	tables   tables
	literals []literal
	present  [filterSize / 64]uint64 // a bit for each fingerprint, by its hash
	slots    [slotCount]slot
	next     []uint16 // literal → the next one in its slot, counted from 1
}

const (
	slotCount  = 1 << 11
	filterSize = 1 << 13
)

type slot struct {
	key   uint32 // the folded fingerprint
	first uint16 // counted from 1; 0 is an empty slot
}

// newIndex indexes literals of at least three bytes.
func newIndex(literals []literal) *index {
	x := &index{literals: literals, next: make([]uint16, len(literals))}
	x.tables.class = byteClasses()
	for i := range literals {
		l := &x.literals[i]
		l.offset = rarest(l.text)
		key := foldedKey(l.text[l.offset:])
		s := x.slot(key)
		x.present[filterOf(key)/64] |= 1 << (filterOf(key) % 64)
		x.next[i], s.first = s.first, uint16(i+1)
	}
	x.fillBuckets()
	x.tables.spread()
	return x
}

func (x *index) slot(key uint32) *slot {
	for i := slotOf(key); ; i = (i + 1) % slotCount {
		s := &x.slots[i]
		if s.first == 0 || s.key == key {
			s.key = key
			return s
		}
	}
}

// lookup gives the first literal with the fingerprint, counted from 1, else 0.
func (x *index) lookup(key uint32) uint16 {
	if x.present[filterOf(key)/64]>>(filterOf(key)%64)&1 == 0 {
		return 0
	}
	for i := slotOf(key); ; i = (i + 1) % slotCount {
		s := &x.slots[i]
		if s.first == 0 || s.key == key {
			return s.first
		}
	}
}

func filterOf(key uint32) uint32 { return key * 0x85ebca6b >> (32 - 13) }

func slotOf(key uint32) uint32 { return key * 0x9e3779b1 >> (32 - 11) }

// foldedKey folds case by setting the bit that tells it; other characters
// collide with it in pairs, which costs a comparison and loses nothing.
func foldedKey[T string | []byte](s T) uint32 {
	return (uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16) | 0x202020
}

// matches reports whether the literal stands at text[at:].
func (l *literal) matches(text []byte, at int) bool {
	if at < 0 || len(text)-at < len(l.text) {
		return false
	}
	text = text[at : at+len(l.text)]
	if !l.fold {
		return string(text) == l.text
	}
	for i, c := range text {
		if c-'A' < 26 {
			c |= 0x20
		}
		if c != l.text[i] {
			return false
		}
	}
	return true
}

// rarest gives the offset of the fingerprint that occurs least in text and
// JSON, judged by single bytes.
func rarest(s string) int {
	best, at := 1<<30, 0
	for i := 0; i+fingerprint <= len(s); i++ {
		sum := 0
		for _, c := range []byte(s[i : i+fingerprint]) {
			sum += frequency(c)
		}
		if sum < best {
			best, at = sum, i
		}
	}
	return at
}

// frequency weighs how common a byte is in what passes through a broker; only
// the order matters.
func frequency(c byte) int {
	switch {
	case c >= 'A' && c <= 'Z':
		c |= 0x20
	case isDigit(c):
		return 9
	case c == ' ' || c == '"':
		return 14
	case c == '_', c == '$', c == '~', c == '%':
		return 2
	case !isLetter(c):
		return 6
	}
	switch c {
	case 'e', 't', 'a', 'o', 'i', 'n', 's', 'r':
		return 12
	case 'd', 'l', 'c', 'u', 'm', 'p':
		return 8
	case 'f', 'g', 'h', 'b', 'w', 'y', 'v':
		return 5
	default: // j k q x z
		return 2
	}
}

const bucketCount = 8

// fillBuckets spreads the fingerprints over the buckets, each where it widens
// the set of matching triples least.
func (x *index) fillBuckets() {
	var buckets [bucketCount]bucket
	for i := range x.literals {
		l := &x.literals[i]
		print := l.text[l.offset : l.offset+fingerprint]
		best, cost := 0, 1<<62
		for b := range buckets {
			wider := buckets[b]
			wider.add(print, l.fold)
			if c := wider.weight() - buckets[b].weight(); c < cost {
				best, cost = b, c
			}
		}
		buckets[best].add(print, l.fold)
	}
	for b := range buckets {
		for k := range fingerprint {
			for half := range 16 {
				if buckets[b][k].low>>half&1 != 0 {
					x.tables.print[k].low[half] |= 1 << b
				}
				if buckets[b][k].high>>half&1 != 0 {
					x.tables.print[k].high[half] |= 1 << b
				}
			}
		}
	}
}

// bucket holds, for each byte of a fingerprint, the halves that occur.
type bucket [fingerprint]struct{ low, high uint16 }

func (b *bucket) add(print string, fold bool) {
	for k := range fingerprint {
		c := print[k]
		b[k].low |= 1 << (c & 15)
		b[k].high |= 1 << (c >> 4)
		if fold && isLetter(c) {
			b[k].high |= 1 << ((c ^ 0x20) >> 4)
		}
	}
}

// weight estimates how much of ordinary text the bucket lets through.
func (b *bucket) weight() int {
	w := 1
	for k := range fingerprint {
		if b[k].low == 0 {
			return 0
		}
		w *= weightOf(b[k].low, b[k].high)
	}
	return w
}

func weightOf(low, high uint16) int {
	w := 0
	for h := high; h != 0; h &= h - 1 {
		top := byte(bits.TrailingZeros16(h)) << 4
		for l := low; l != 0; l &= l - 1 {
			w += frequency(top | byte(bits.TrailingZeros16(l)))
		}
	}
	return w
}
