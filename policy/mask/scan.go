package mask

import (
	"math/bits"
	"sync"
)

// Finding is a stretch of text that holds a sensitive value, never the value.
type Finding struct {
	Class string `json:"class"`
	Start int    `json:"start"` // bytes
	End   int    `json:"end"`
}

type finding struct {
	start, end int
	class      class
}

// scanner looks through one text once. It is used by one goroutine and made
// anew, on the stack, for each text.
type scanner struct {
	d    *Detectors
	text []byte
	name string // what the text is called: a column, a JSON path

	finds []finding

	onlySpots bool // keep the places to look at, look no closer
	spots     []Candidate

	numbersEnd int // numbers before it have been looked at
	unsaidEnd  int // no word says phone of numbers before it
	closedFrom int // what begins from here …
	closedEnd  int // … to here lies in a key that was found

	customEnd []int // by rule: matches that begin before it have been found
	noJWTEnd  int   // no token begins before it
	namesEnd  int   // names that end before it have been looked at
	secretEnd int   // where the last secret that has a name ends
	plainFrom int   // nothing ends an unquoted value from here …
	plainEnd  int   // … to here
	urlAt     int   // the last "@" that was looked at …
	urlStart  int   // … where the credentials before it begin, 0 for none …
	urlColon  int   // … and the password, less one; 0 for none
	cryptEnd  int   // no hash of a password begins before it
	keyFormat *keyFormat
	keyEnd    int // no key of that format begins before it

	nameHints hints
	named     bool // nameHints is set
}

// sharedIndex is the index of the built-in literals. It never changes.
var sharedIndex = sync.OnceValue(func() *index { return newIndex(builtinLiterals(), bucketTries) })

// run finds what the text holds, in no particular order.
func (s *scanner) run() {
	if r := s.d.rules; r != nil {
		s.silent(r)
	}
	s.scan()
}

// silent runs the rules that no literal announces.
func (s *scanner) silent(r *Rules) {
	if r.dfa == nil {
		return
	}
	if r.dfa.failed { // look everywhere
		for _, i := range r.silent {
			for p := 0; p < len(s.text); p += max(1, r.rules[i].reach) {
				s.custom(i, p)
			}
		}
		return
	}
	r.dfa.ends(s.text, func(pattern, at int) { s.custom(r.silent[pattern], at) })
}

// stride is how many blocks are classified at once: 2 KiB, which stays in the
// first-level cache.
const stride = 32

// scan calls the verifiers for what the index and the masks point at.
func (s *scanner) scan() {
	if len(s.text) <= blockSize {
		var blocks [2]block
		var buf [blockSize + padding]byte
		copy(buf[:], s.text)
		if t := &s.d.index.tables; s.d.scalar {
			t.classifyPart(&blocks[0], buf[:], len(s.text))
		} else {
			t.classifyOne(&blocks[0], &buf, len(s.text))
		}
		s.block(&blocks[0], &blocks[1], carry{}, 0)
		return
	}
	var blocks [stride + 1]block
	var tail [blockSize + padding]byte
	var c carry
	have := 0 // blocks left over from the stride before, 0 or 1
	for at := 0; at < len(s.text); {
		n := min((len(s.text)-at-padding)/blockSize, stride)
		if n > 0 {
			s.classify(blocks[have:have+n], s.text[at:])
		} else {
			n = 1
			tail = [blockSize + padding]byte{}
			copy(tail[:], s.text[at:])
			s.classify(blocks[have:have+1], tail[:])
		}
		for i := range have + n - 1 {
			c = s.block(&blocks[i], &blocks[i+1], c, at+(i-have)*blockSize)
		}
		blocks[0], have = blocks[have+n-1], 1
		at += n * blockSize
	}
	s.block(&blocks[0], &block{}, c, (len(s.text)-1)/blockSize*blockSize)
}

func (s *scanner) classify(out []block, text []byte) {
	if t := &s.d.index.tables; s.d.scalar {
		t.classifyScalar(out, text)
	} else {
		t.classify(out, text)
	}
}

// carry is what a block needs of the one before it.
type carry struct {
	digit, near, long uint64
}

// block finds where in one block a verifier must look, and calls it. next
// holds the masks of the 64 bytes after it.
func (s *scanner) block(b, next *block, c carry, at int) carry {
	for m := b.literal; m != 0; m &= m - 1 {
		if p := at + bits.TrailingZeros64(m); p+fingerprint <= len(s.text) {
			if key := foldedKey(s.text[p:]); s.d.index.has(key) {
				s.literal(p, key)
			}
		}
	}
	for m := b.at; m != 0; m &= m - 1 {
		s.atSign(at+bits.TrailingZeros64(m), 1)
	}
	// An IBAN begins with two letters and two digits.
	m := b.alpha & after(b.alpha, next.alpha, 1) & after(b.digit, next.digit, 2) & after(b.digit, next.digit, 3)
	for ; m != 0; m &= m - 1 {
		s.account(at + bits.TrailingZeros64(m))
	}
	n := longNumbers(b, next, c)
	for m := n.long &^ (n.long<<1 | c.long>>63); m != 0; m &= m - 1 {
		if i := bits.TrailingZeros64(m); n.enough(b, next, i) {
			s.numbers(at + i)
		}
	}
	return carry{digit: b.digit, near: n.near, long: n.long}
}

// after shifts the bits of the bytes that stand n places further on into place.
func after(m, next uint64, n int) uint64 { return m>>n | next<<(64-n) }

// numberMasks says where in a block, and the one after it, numbers may be.
type numberMasks struct {
	near          uint64 // separators beside a digit
	part, nextOne uint64 // digits, and separators within two bytes of one
	long          uint64 // with these begin eight or more such bytes
}

// longNumbers makes the masks. In the next block separators count always: the
// verifier looks closer.
func longNumbers(b, next *block, c carry) (n numberMasks) {
	n.near = b.sep & (b.digit<<1 | c.digit>>63 | after(b.digit, next.digit, 1))
	nextNear := next.sep & (next.digit>>1 | b.digit>>63)
	far := b.sep & (n.near<<1 | c.near>>63 | n.near>>1 | nextNear<<63)
	n.part, n.nextOne = b.digit|n.near|far, next.digit|next.sep
	m, k := n.part, n.nextOne
	m, k = m&after(m, k, 1), k&(k>>1)
	m, k = m&after(m, k, 2), k&(k>>2)
	n.long = m & after(m, k, 4)
	return n
}

// enough reports whether the bytes from i on hold as many digits as the
// shortest number, or go on beyond what is known.
func (n *numberMasks) enough(b, next *block, i int) bool {
	size := bits.TrailingZeros64(^after(n.part, n.nextOne, i))
	return size == blockSize || bits.OnesCount64(after(b.digit, next.digit, i)&(1<<size-1)) >= minNumber
}

// literal checks the literals whose fingerprint, folded to key, stands at p.
func (s *scanner) literal(p int, key uint32) {
	x := s.d.index
	for n := x.lookup(key); n != 0; n = x.next[n-1] {
		l := &x.literals[n-1]
		if start := p - l.offset; l.matches(s.text, start) {
			s.announced(l, start)
		}
	}
}

// announced calls the verifier for a literal that stands at p.
func (s *scanner) announced(l *literal, p int) {
	if s.onlySpots {
		s.spot(p, p+len(l.text))
		return
	}
	if s.closed(p) {
		return
	}
	switch l.what {
	case triggerVendor:
		s.key(&s.d.formats[l.vendor], p)
	case triggerJWT:
		s.jsonWebToken(p)
	case triggerPEM:
		s.pem(p)
	case triggerPEM64:
		s.pem64(p)
	case triggerName:
		s.secretName(p, p+len(l.text))
	case triggerScheme:
		s.authorization(p + len(l.text))
	case triggerCrypt:
		s.crypt(p)
	case triggerPgpass:
		s.pgpass(p + len(l.text))
	case triggerOption:
		s.option(p, p+len(l.text))
	case triggerBy:
		s.identifiedBy(p + len(l.text))
	case triggerAuth:
		s.dockerAuth(p, p+len(l.text))
	case triggerSpoken:
		s.spoken(p, p+len(l.text), namePassword)
	case triggerWords:
		s.spoken(p, s.skipCount(p+len(l.text)), nameToken)
	case triggerAt:
		s.atSign(p, len(l.text))
	case triggerCustom:
		s.custom(int(l.vendor), p)
	}
}

// found keeps a finding.
func (s *scanner) found(c class, start, end int) {
	if c == privateKey || c == jwt { // whether or not it is looked for
		s.closedFrom, s.closedEnd = start, end
	}
	if !s.d.enabled[c] {
		return
	}
	if s.finds == nil {
		s.finds = make([]finding, 0, few)
	}
	s.finds = append(s.finds, finding{start: start, end: end, class: c})
}

// closed reports whether p lies in a key that was found.
func (s *scanner) closed(p int) bool { return p < s.closedEnd && p >= s.closedFrom }
