package mask

import "golang.org/x/sys/cpu"

// classify fills one block for each 64 bytes of text, which must have padding
// bytes more than that.
func (t *tables) classify(out []block, text []byte) {
	if len(out) == 0 {
		return
	}
	if !cpu.X86.HasAVX2 {
		t.classifyScalar(out, text)
		return
	}
	_ = text[len(out)*blockSize+padding-1]
	classifyAVX2(t, &out[0], &text[0], len(out))
}

// classifyOne fills an empty block from text, of which n bytes count and the
// rest is zero.
func (t *tables) classifyOne(b *block, text *[blockSize + padding]byte, n int) {
	if !cpu.X86.HasAVX2 {
		t.classifyPart(b, text[:], n)
		return
	}
	if n <= blockSize/2 {
		classifyHalfAVX2(t, b, &text[0])
		return
	}
	classifyAVX2(t, b, &text[0], 1)
}

// classifyAVX2 is classifyScalar, 32 bytes at a time. It reads n*64+padding
// bytes of text and writes n blocks.
//
//go:noescape
func classifyAVX2(t *tables, out *block, text *byte, n int)

// classifyHalfAVX2 fills the lower half of each mask of an empty block. It
// reads 32+padding bytes of text.
//
//go:noescape
func classifyHalfAVX2(t *tables, out *block, text *byte)
