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
type tables struct {
	class nibbles
	print [3]nibbles
}

// padding is how many bytes beyond the last block classify reads.
const padding = 2

// classifyScalar fills one block for each 64 bytes of text, which must have
// padding bytes more than len(out) blocks.
func (t *tables) classifyScalar(out []block, text []byte) {
	for i := range out {
		p := text[i*blockSize : i*blockSize+blockSize+padding]
		var b block
		for j := range blockSize {
			c := t.class.of(p[j])
			bit := uint64(1) << j
			if c&bitDigit != 0 {
				b.digit |= bit
			}
			if c&bitsSep != 0 {
				b.sep |= bit
			}
			if c&bitAt != 0 {
				b.at |= bit
			}
			if c&bitsAlpha != 0 {
				b.alpha |= bit
			}
			if t.print[0].of(p[j])&t.print[1].of(p[j+1])&t.print[2].of(p[j+2]) != 0 {
				b.literal |= bit
			}
		}
		out[i] = b
	}
}

func (t *tables) classify(out []block, text []byte) { t.classifyScalar(out, text) }
