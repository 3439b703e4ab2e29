package policy

// match is how sure it is that a matcher holds. The zero value is the answer
// that never allows.
//
// Not everything that a rule asks can be known: the text `customers` may or may
// not mean public.customers, and a statement that does not parse may do
// anything. Where a rule may match, both possibilities are considered and the
// stricter verdict holds: such a rule denies, but does not allow.
type match uint8

const (
	no match = iota
	may
	yes
)

func (m match) String() string {
	return [...]string{"no", "may match", "yes"}[m]
}

// known turns a certain answer into a match.
func known(b bool) match {
	if b {
		return yes
	}
	return no
}
