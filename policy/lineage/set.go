package lineage

import "math/bits"

// set is a set of labelled columns, by their number in the catalog. It is never
// changed once made, so that sets are shared. Nil is empty.
type set []uint64

// The first numbers mean code that nobody has read.
const (
	opaque   = 0 // it may read what is labelled
	unread   = 1 // its text names nothing that is labelled
	reserved = 2
)

func single(i int) set {
	s := make(set, i/64+1)
	s[i/64] = 1 << (i % 64)
	return s
}

var (
	opaqueSet = single(opaque)
	unreadSet = single(unread)
)

func (s set) has(i int) bool { return i/64 < len(s) && s[i/64]&(1<<(i%64)) != 0 }

func (s set) empty() bool { return len(s) == 0 }

// within reports whether every element of s is in o.
func (s set) within(o set) bool {
	for i, w := range s {
		if i >= len(o) {
			if w != 0 {
				return false
			}
			continue
		}
		if w&^o[i] != 0 {
			return false
		}
	}
	return true
}

func (s set) union(o set) set {
	switch {
	case o.within(s):
		return s
	case s.within(o):
		return o
	}
	if len(s) < len(o) {
		s, o = o, s
	}
	out := append(set(nil), s...)
	for i, w := range o {
		out[i] |= w
	}
	return out
}

// without leaves the elements of o out.
func (s set) without(o set) set {
	out := append(set(nil), s...)
	for i := range out {
		if i < len(o) {
			out[i] &^= o[i]
		}
	}
	for len(out) > 0 && out[len(out)-1] == 0 {
		out = out[:len(out)-1]
	}
	return out
}

func (s set) each(f func(i int)) {
	for at, w := range s {
		for ; w != 0; w &= w - 1 {
			f(at*64 + bits.TrailingZeros64(w))
		}
	}
}

// taint is what a value derives from.
type taint struct {
	from set
	// plain is true where the value, if it is not NULL, is one that stands in a
	// labelled column, unchanged, or one that derives from nothing.
	plain bool
	// nulls is true where nothing can be told from whether the value is NULL
	// but whether labelled columns are, which is no secret.
	nulls bool
	// fixed is true for an argument that is the same for every row.
	fixed bool
}

var clean = taint{plain: true, nulls: true}

// derived is a value computed from others.
func derived(from set) taint { return taint{from: from, plain: from.empty(), nulls: from.empty()} }

// asNull is the same value, NULL where others are that tell nothing by it.
func (t taint) asNull(nulls bool) taint {
	t.nulls = t.nulls || nulls
	return t
}

// asIs is a value that stands in a labelled column.
func asIs(from set) taint { return taint{from: from, plain: true, nulls: true} }

// either is a value that is one of two.
func (c *Catalog) either(a, b taint) taint {
	u := taint{from: a.from.union(b.from), nulls: a.nulls && b.nulls}
	u.plain = a.plain && b.plain && (a.from.empty() || b.from.empty() || c.sameLabels(u.from))
	return u
}
