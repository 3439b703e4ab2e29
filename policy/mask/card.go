package mask

// card checks for a payment card number that begins with groups[i] and gives
// how many groups it has: in one piece, or written 4-4-4-4, 4-6-5, 4-6-4 or
// 4-4-4-4-3 with one kind of separator (ISO/IEC 7812-1).
func (s *scanner) card(groups []group, i int) int {
	if n := groups[i].len(); n >= 12 && n <= 19 {
		return s.cardOf(groups, i, 1)
	}
	if groups[i].len() != 4 {
		return 0
	}
	for _, shape := range [...]string{"44443", "4444", "465", "464"} {
		if hasShape(groups[i:], shape) {
			if used := s.cardOf(groups, i, len(shape)); used > 0 {
				return used
			}
		}
	}
	return 0
}

// hasShape reports whether groups begin with groups of these lengths, all
// separated alike.
func hasShape(groups []group, shape string) bool {
	if len(groups) < len(shape) {
		return false
	}
	for k := range len(shape) {
		if groups[k].len() != int(shape[k]-'0') || k > 1 && groups[k].sep != groups[1].sep {
			return false
		}
	}
	return true
}

func (s *scanner) cardOf(groups []group, i, n int) int {
	last := i + n - 1
	if !s.bounded(groups, i, last) {
		return 0
	}
	var buf [24]byte
	number := s.digitsOf(buf[:0], groups[i:last+1])
	sure := issued(number)
	if sure == 0 || !luhn(number) {
		return 0
	}
	h := s.hintsBefore(groups[i].start)
	if sure < certain && h&hintCard == 0 || h&hintID != 0 && h&hintCard == 0 && n == 1 {
		return 0
	}
	s.found(creditCard, groups[i].start, groups[last].end)
	return n
}

// luhn checks the check digit (ISO/IEC 7812-1 annex B).
func luhn(number []byte) bool {
	sum, double := 0, false
	for i := len(number) - 1; i >= 0; i-- {
		d := int(number[i] - '0')
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
		double = !double
	}
	return sum%10 == 0
}

const (
	possible = 1 // only beside a word that says card
	certain  = 2
)

// issued says whether an issuer gives out numbers that begin like this, of
// this length.
func issued(number []byte) int {
	p := 0
	for _, c := range number[:6] {
		p = p*10 + int(c-'0')
	}
	n := len(number)
	switch {
	case p/10000 == 34, p/10000 == 37: // American Express
		return when(n == 15, certain)
	case p/100000 == 4: // Visa
		return max(when(n == 16 || n == 19, certain), when(n == 13, possible))
	case p/10000 >= 51 && p/10000 <= 55, p/100 >= 2221 && p/100 <= 2720: // Mastercard
		return when(n == 16, certain)
	case p/1000 >= 300 && p/1000 <= 305, p/100 == 3095, p/10000 == 36, p/10000 == 38, p/10000 == 39: // Diners Club
		return max(when(n == 14, certain), when(n == 16 || n == 19, possible))
	case p/100 == 6011, p/1000 >= 644 && p/1000 <= 649, p/10000 == 65: // Discover
		return when(n == 16 || n == 19, certain)
	case p/100 >= 3528 && p/100 <= 3589: // JCB
		return when(n == 16 || n == 19, certain)
	case p/10000 == 35: // JCB, not issued yet
		return when(n == 16, possible)
	case p/100 == 604: // Maestro of one bank
		return possible
	case p/10000 == 62: // UnionPay
		return max(when(n == 16 || n == 19, certain), when(n == 17 || n == 18, possible))
	case p/100 >= 2200 && p/100 <= 2204: // Mir
		return max(when(n == 16, certain), when(n >= 17 && n <= 19, possible))
	case p/100 == 5018, p/100 == 5020, p/100 == 5038, p/100 == 5893, p/100 == 6304,
		p/100 == 6759, p/100 >= 6761 && p/100 <= 6763: // Maestro
		return max(when(n == 16 || n == 19, certain), when(n >= 12, possible))
	case p/10000 == 50, p/10000 >= 56 && p/10000 <= 69: // Maestro and national schemes
		return when(n >= 12, possible)
	case p/100 == 2131, p/100 == 1800: // JCB, old
		return when(n == 15, possible)
	}
	return 0
}

func when(ok bool, sure int) int {
	if ok {
		return sure
	}
	return 0
}
