package mask

import (
	"math/bits"
	"math/rand/v2"
	"slices"
)

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
	triggerBy                    // "identified by "
	triggerAt                    // %40
	triggerAuth                  // "auth"
	triggerSpoken                // a word for password
	triggerWords                 // words for a key
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

// newIndex indexes literals of at least three bytes, with so many tries to do it
// well.
func newIndex(literals []literal, tries int) *index {
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
	x.fillBuckets(tries)
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

// has reports whether a literal may have the fingerprint.
func (x *index) has(key uint32) bool {
	return x.present[filterOf(key)/64]>>(filterOf(key)%64)&1 != 0
}

// lookup gives the first literal with the fingerprint, counted from 1, else 0.
func (x *index) lookup(key uint32) uint16 {
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

// frequency weighs how common a byte is in what passes through a broker: prose,
// tables and JSON, with many numbers in decimal and hexadecimal. Only the
// proportions matter.
func frequency(c byte) int {
	switch {
	case isDigit(c):
		return 25
	case c == ' ', c == '"':
		return 30
	case c == '-', c == ':', c == '.', c == ',', c == '/':
		return 14
	case c-'A' < 26:
		return 1 + frequencyOfLetter(c|0x20)/6
	case isLetter(c):
		return frequencyOfLetter(c)
	default:
		return 3
	}
}

func frequencyOfLetter(c byte) int {
	switch c {
	case 'e', 'a':
		return 30
	case 't', 'o', 'i', 'n', 's', 'r', 'd', 'c':
		return 22
	case 'l', 'u', 'm', 'p', 'f', 'b':
		return 14
	case 'g', 'h', 'w', 'y', 'v', 'k':
		return 8
	default: // j q x z
		return 3
	}
}

// bucketCount is how many sets of fingerprints the tables tell apart: eight in
// each of their two halves.
const bucketCount = 8 * printSets

// fillBuckets spreads the fingerprints over the buckets so that few others
// pass: each goes where it widens what passes least, and may move again once
// the others have their place. As that ends in whatever minimum is near, it is
// begun from several orders, and what passes least of ordinary text is kept.
func (x *index) fillBuckets(tries int) {
	var prints []imprint
	for i := range x.literals {
		l := &x.literals[i]
		p := imprint{fold: l.fold}
		copy(p.bytes[:], l.text[l.offset:])
		if !slices.Contains(prints, p) {
			prints = append(prints, p)
		}
	}
	freq := frequencies()
	ordinary := sample()
	class, least := x.tables.class, 1<<62
	for try := range tries {
		placed := slices.Clone(prints)
		shuffle(placed, try)
		spreadOut(placed, &freq)
		t := tables{class: class}
		for _, p := range placed {
			t.addImprint(p)
		}
		t.spread()
		if n := t.passing(ordinary); n < least {
			x.tables, least = t, n
		}
	}
}

// passing counts where in a text a literal may stand, as far as the tables know.
func (t *tables) passing(text []byte) (n int) {
	blocks := make([]block, (len(text)-padding)/blockSize)
	t.classify(blocks, text)
	for i := range blocks {
		n += ones(blocks[i].literal)
	}
	return n
}

// A try takes some milliseconds; more than these gain little.
const (
	bucketTries  = 8
	bucketRounds = 4
)

// shuffle puts fingerprints into another order for each try, always the same.
func shuffle(prints []imprint, try int) {
	r := rand.New(rand.NewPCG(uint64(try), 0))
	if try > 0 {
		r.Shuffle(len(prints), func(i, j int) { prints[i], prints[j] = prints[j], prints[i] })
	}
}

// spreadOut gives each fingerprint its bucket.
func spreadOut(prints []imprint, freq *[256]int) {
	var sets [bucketCount]bucketSet
	for round := range bucketRounds {
		for i, p := range prints {
			if round > 0 {
				sets[prints[i].place].remove(prints, i, freq)
			}
			prints[i].place = cheapest(&sets, p, freq)
			sets[prints[i].place].put(i, p, freq)
		}
	}
}

// imprint is a fingerprint, and the bucket it is in.
type imprint struct {
	bytes [fingerprint]byte
	fold  bool
	place int
}

// bucketSet is a bucket, what is in it and its weight.
type bucketSet struct {
	bucket  bucket
	members []int
	cost    int
}

func (s *bucketSet) put(i int, p imprint, freq *[256]int) {
	s.bucket.add(p)
	s.members = append(s.members, i)
	s.cost = s.bucket.weight(freq)
}

func (s *bucketSet) remove(prints []imprint, i int, freq *[256]int) {
	members := s.members
	*s = bucketSet{members: members[:0]}
	for _, k := range members {
		if k != i {
			s.bucket.add(prints[k])
			s.members = append(s.members, k)
		}
	}
	s.cost = s.bucket.weight(freq)
}

// cheapest gives the bucket that p widens least.
func cheapest(sets *[bucketCount]bucketSet, p imprint, freq *[256]int) int {
	best, cost := 0, 1<<62
	for b := range sets {
		wider := sets[b].bucket
		wider.add(p)
		if c := wider.weight(freq) - sets[b].cost; c < cost {
			best, cost = b, c
		}
	}
	return best
}

func (t *tables) addImprint(p imprint) {
	var one bucket
	one.add(p)
	set, bit := &t.prints[p.place/8], byte(1)<<(p.place%8)
	for k := range fingerprint {
		for half := range 16 {
			if one[k].low>>half&1 != 0 {
				set[k].low[half] |= bit
			}
			if one[k].high>>half&1 != 0 {
				set[k].high[half] |= bit
			}
		}
	}
}

// bucket holds, for each byte of a fingerprint, the halves that occur.
type bucket [fingerprint]struct{ low, high uint16 }

func (b *bucket) add(p imprint) {
	for k, c := range p.bytes {
		b[k].low |= 1 << (c & 15)
		b[k].high |= 1 << (c >> 4)
		if p.fold && isLetter(c) {
			b[k].high |= 1 << ((c ^ 0x20) >> 4)
		}
	}
}

// weight estimates how much of ordinary text the bucket lets through.
func (b *bucket) weight(freq *[256]int) int {
	w := 1
	for k := range fingerprint {
		sum := 0
		for h := b[k].high; h != 0; h &= h - 1 {
			row := freq[bits.TrailingZeros16(h)<<4:][:16]
			for l := b[k].low; l != 0; l &= l - 1 {
				sum += row[bits.TrailingZeros16(l)]
			}
		}
		w *= sum
	}
	return w
}

func frequencies() (f [256]int) {
	for b := range f {
		if b >= ' ' && b < 0x7f {
			f[b] = frequency(byte(b))
		} else {
			f[b] = 1
		}
	}
	return f
}
