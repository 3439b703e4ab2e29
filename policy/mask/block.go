package mask

// blockSize is how many bytes one block of masks speaks of.
const blockSize = 64

// block tells for each of 64 bytes, as one bit in every mask, what it may
// begin or belong to.
type block struct {
	digit   uint64
	sep     uint64 // may separate the digits of one number
	at      uint64
	alpha   uint64
	literal uint64 // a literal of the index may have its fingerprint here
}

// The classes of a byte, each one bit of low[b&15] & high[b>>4]. A pair of
// 16-byte tables is what a vector shuffle can look up; both builds use it.
const (
	bitDigit   = 0x80
	bitAt      = 0x40
	bitSepText = 0x20 // space % ( ) + - . /
	bitSepLead = 0x10 // first bytes of a no-break space, a hyphen, an en dash in UTF-8
	bitSepTail = 0x08 // their other bytes
	bitAlphaAO = 0x04 // A-O and a-o
	bitAlphaPZ = 0x02 // P-Z and p-z

	bitsSep   = bitSepText | bitSepLead | bitSepTail
	bitsAlpha = bitAlphaAO | bitAlphaPZ
)

// nibbles looks a byte up by its halves.
type nibbles struct {
	low, high [16]byte
}

func (n *nibbles) of(b byte) byte { return n.low[b&15] & n.high[b>>4] }

func (n *nibbles) add(b, bits byte) {
	n.low[b&15] |= bits
	n.high[b>>4] |= bits
}

// byteClasses makes the table of the classes above.
func byteClasses() (n nibbles) {
	for b := range 256 {
		c := byte(b)
		switch {
		case isDigit(c):
			n.add(c, bitDigit)
		case c == '@':
			n.add(c, bitAt)
		case isLetter(c) && c&0x1f <= 'O'&0x1f:
			n.add(c, bitAlphaAO)
		case isLetter(c):
			n.add(c, bitAlphaPZ)
		}
	}
	for _, c := range []byte(" %()+-./") {
		n.add(c, bitSepText)
	}
	for _, c := range []byte{0xc2, 0xe2} {
		n.add(c, bitSepLead)
	}
	for _, c := range []byte{0x80, 0x90, 0x91, 0x93, 0xa0, 0xaf} {
		n.add(c, bitSepTail)
	}
	return n
}

// tables is what classifying needs: the byte classes and, for three
// consecutive bytes, the buckets of literals whose fingerprints have them.
// The assembly knows the layout of the nibbles.
type tables struct {
	class  nibbles
	prints [printSets][fingerprint]nibbles
	// whole holds the same for each byte, spread out for the scalar build: the
	// class in the lowest byte, the prints above it.
	whole [256]uint64
}

const printSets = 2

// spread fills whole from the nibbles.
func (t *tables) spread() {
	for b := range t.whole {
		c := byte(b)
		w := wholeOf(t.class.of(c))
		for set := range t.prints {
			for k := range t.prints[set] {
				w |= uint64(t.prints[set][k].of(c)) << (8 + 24*set + 8*k)
			}
		}
		t.whole[b] = w
	}
}

func wholeOf(class byte) (w uint64) {
	for _, c := range [...]struct {
		bits byte
		bit  uint64
	}{{bitDigit, wholeDigit}, {bitsSep, wholeSep}, {bitAt, wholeAt}, {bitsAlpha, wholeAlpha}} {
		if class&c.bits != 0 {
			w |= c.bit
		}
	}
	return w
}

// padding is how many bytes beyond the last block classifying reads.
const padding = fingerprint - 1

// classifyScalar fills one block for each 64 bytes of text, which must have
// padding bytes more than that.
func (t *tables) classifyScalar(out []block, text []byte) {
	for i := range out {
		out[i] = block{}
		t.classifyPart(&out[i], text[i*blockSize:], blockSize)
	}
}

// classifyPart fills an empty block from the first n bytes of text, rounded up
// to eight, which must have padding bytes more than that.
func (t *tables) classifyPart(b *block, text []byte, n int) {
	for k := 0; k < n; k += 8 {
		p := (*[8 + padding]byte)(text[k:])
		classes, literals := t.eight(p)
		b.digit |= gather(classes) << k
		b.sep |= gather(classes>>1) << k
		b.at |= gather(classes>>2) << k
		b.alpha |= gather(classes>>3) << k
		b.literal |= literals << k
	}
}

// The bits of a byte of whole: one for each mask, so that they can be gathered.
const (
	wholeDigit = 1 << iota
	wholeSep
	wholeAt
	wholeAlpha
	wholeClass = 0xff
)

// eight looks up eight bytes: the classes, a byte for each, and the literals, a
// bit for each. It is written out: as a loop it takes a third longer.
func (t *tables) eight(p *[8 + padding]byte) (classes, literals uint64) {
	w := &t.whole
	v0, v1, v2, v3, v4 := w[p[0]], w[p[1]], w[p[2]], w[p[3]], w[p[4]]
	v5, v6, v7, v8, v9 := w[p[5]], w[p[6]], w[p[7]], w[p[8]], w[p[9]]
	classes = v0&wholeClass | v1&wholeClass<<8 | v2&wholeClass<<16 | v3&wholeClass<<24 |
		v4&wholeClass<<32 | v5&wholeClass<<40 | v6&wholeClass<<48 | v7&wholeClass<<56
	literals = passes(v0, v1, v2) | passes(v1, v2, v3)<<1 | passes(v2, v3, v4)<<2 | passes(v3, v4, v5)<<3 |
		passes(v4, v5, v6)<<4 | passes(v5, v6, v7)<<5 | passes(v6, v7, v8)<<6 | passes(v7, v8, v9)<<7
	return classes, literals
}

// passes is 1 where three bytes in a row may be a fingerprint: both sets at
// once, as their prints stand three bytes apart.
func passes(v0, v1, v2 uint64) uint64 {
	x := v0 >> 8 & (v1 >> 16) & (v2 >> 24)
	x = (x | x>>24) & 0xff
	return (x + 0xff) >> 8
}

const lowBits = 0x0101010101010101

// gather collects the lowest bit of each byte.
func gather(x uint64) uint64 { return x & lowBits * 0x0102040810204080 >> 56 }
