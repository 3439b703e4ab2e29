package recorder

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/bits"
	"os"

	"golang.org/x/mod/sumdb/tlog"
)

// tree is the growing edge of the Merkle tree of RFC 6962 §2.1: for each bit
// set in size, the hash of the complete subtree that it stands for.
type tree struct {
	size  uint64
	edge  [64]tlog.Hash
	fresh []byte // stored hashes, in tlog's order, that are not in the file yet
}

// add appends one leaf and remembers the hashes that tlog stores for it.
func (t *tree) add(leaf tlog.Hash) {
	h := leaf
	t.fresh = append(t.fresh, h[:]...)
	level := 0
	for ; t.size>>level&1 == 1; level++ {
		h = tlog.NodeHash(t.edge[level], h)
		t.fresh = append(t.fresh, h[:]...)
	}
	t.edge[level] = h
	t.size++
}

// root is the head of the tree as it stands.
func (t *tree) root() tlog.Hash {
	if t.size == 0 {
		return sha256.Sum256(nil) // RFC 6962 §2.1: the hash of an empty list
	}
	low := bits.TrailingZeros64(t.size)
	h := t.edge[low]
	for level := low + 1; level < bits.Len64(t.size); level++ {
		if t.size>>level&1 == 1 {
			h = tlog.NodeHash(t.edge[level], h)
		}
	}
	return h
}

// hashFile is the file of stored hashes. It can be rebuilt from the segments
// and is believed only where a checkpoint confirms it.
type hashFile struct{ f *os.File }

// ReadHashes makes the file a tlog.HashReader.
func (s hashFile) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, n := range indexes {
		if _, err := s.f.ReadAt(out[i][:], n*tlog.HashSize); err != nil {
			return nil, fmt.Errorf("read stored hash %d: %w", n, err)
		}
	}
	return out, nil
}

// count tells how many hashes the file holds.
func (s hashFile) count() (int64, error) {
	info, err := s.f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size() / tlog.HashSize, nil
}

// tree reads back the edge of a tree of n leaves.
func (s hashFile) tree(n uint64) (*tree, error) {
	t := &tree{size: n}
	for level := range bits.Len64(n) {
		if n>>level&1 == 0 {
			continue
		}
		at := tlog.StoredHashIndex(level, int64(n>>level)-1)
		h, err := s.ReadHashes([]int64{at})
		if err != nil {
			return nil, err
		}
		t.edge[level] = h[0]
	}
	return t, nil
}

// flush appends the fresh hashes of a tree that had from leaves when they
// began. Writing the same place twice is harmless.
func (s hashFile) flush(from uint64, fresh []byte) error {
	_, err := s.f.WriteAt(fresh, tlog.StoredHashCount(int64(from))*tlog.HashSize)
	if err != nil {
		return fmt.Errorf("write the stored hashes: %w", err)
	}
	return nil
}

// root computes the head of the first n leaves from the file.
func (s hashFile) root(n uint64) (tlog.Hash, error) {
	if n == 0 {
		return sha256.Sum256(nil), nil
	}
	have, err := s.count()
	if err != nil {
		return tlog.Hash{}, err
	}
	if have < tlog.StoredHashCount(int64(n)) {
		return tlog.Hash{}, errors.New("the file of stored hashes is too short")
	}
	return tlog.TreeHash(int64(n), s)
}
