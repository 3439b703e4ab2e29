package mask

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

// referenceBlock says byte by byte what the masks mean.
func referenceBlock(t *tables, text []byte) (b block) {
	for j := range blockSize {
		bit := uint64(1) << j
		c := t.class.of(text[j])
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
		for _, p := range t.prints {
			if p[0].of(text[j])&p[1].of(text[j+1])&p[2].of(text[j+2]) != 0 {
				b.literal |= bit
			}
		}
	}
	return b
}

func checkBlocks(t *testing.T, text []byte) {
	t.Helper()
	n := (len(text) - padding) / blockSize
	if n <= 0 {
		return
	}
	tab := &sharedIndex().tables
	checkOne(t, tab, text[:min(len(text)-padding, blockSize)])
	want, scalar, fast := make([]block, n), make([]block, n), make([]block, n)
	for i := range want {
		want[i] = referenceBlock(tab, text[i*blockSize:])
	}
	tab.classifyScalar(scalar, text)
	tab.classify(fast, text)
	if diff := cmp.Diff(want, scalar, cmp.AllowUnexported(block{})); diff != "" {
		t.Errorf("scalar:\n%s", diff)
	}
	if diff := cmp.Diff(want, fast, cmp.AllowUnexported(block{})); diff != "" {
		t.Errorf("vector:\n%s", diff)
	}
}

// checkOne compares what the builds make of a short text, alone.
func checkOne(t *testing.T, tab *tables, text []byte) {
	t.Helper()
	for _, n := range []int{len(text), len(text) / 2, len(text) / 3} {
		var buf [blockSize + padding]byte
		copy(buf[:], text[:n])
		want := referenceBlock(tab, buf[:])
		var scalar, fast block
		tab.classifyPart(&scalar, buf[:], n)
		tab.classifyOne(&fast, &buf, n)
		if scalar != want || fast != want {
			t.Errorf("%q alone: scalar %x, vector %x, want %x", text[:n], scalar, fast, want)
		}
	}
}

func TestBuildsAgree(t *testing.T) {
	if unsafe.Sizeof(block{}) != 40 || unsafe.Offsetof(tables{}.whole) != 32*7 {
		t.Fatal("the assembly expects another layout")
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		text := make([]byte, 64*4+padding)
		for i := range text {
			text[i] = byte(r.Uint32())
		}
		checkBlocks(t, text)
	}
}

func TestByteClasses(t *testing.T) {
	n := byteClasses()
	for b := range 256 {
		c := byte(b)
		if got, want := n.of(c)&bitDigit != 0, isDigit(c); got != want {
			t.Errorf("digit %q: %v", c, got)
		}
		if got, want := n.of(c)&bitAt != 0, c == '@'; got != want {
			t.Errorf("at %q: %v", c, got)
		}
		if got, want := n.of(c)&bitsAlpha != 0, isLetter(c); got != want {
			t.Errorf("alpha %q: %v", c, got)
		}
		if _, size := separatorAt([]byte{c, 0xa0, 0x91}); n.of(c)&bitsSep == 0 && size > 0 {
			t.Errorf("%#x does not separate", c)
		}
	}
}

// FuzzBuilds holds both builds to the meaning of the masks.
func FuzzBuilds(f *testing.F) {
	f.Add([]byte("4012 8888 8888 1881, ada@example.com, password=hunter2, GB82 WEST 1234 5698 7654 32, +12125550142"))
	f.Fuzz(func(t *testing.T, text []byte) {
		checkBlocks(t, append(text, make([]byte, blockSize+padding)...))
	})
}
