//go:build !amd64

package mask

// classify fills one block for each 64 bytes of text, which must have padding
// bytes more than that.
func (t *tables) classify(out []block, text []byte) { t.classifyScalar(out, text) }

// classifyOne fills an empty block from text, of which n bytes count and the
// rest is zero.
func (t *tables) classifyOne(b *block, text *[blockSize + padding]byte, n int) {
	t.classifyPart(b, text[:], n)
}
