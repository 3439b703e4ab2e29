package mask

// Digits of a payment card number (ISO/IEC 7812-1, and Maestro's short ones).
const (
	minCard = 12
	maxCard = 19
)

// card checks for a payment card number that begins with groups[i] and gives
// how many groups it has: in one piece, or written 4-4-4-4, 4-6-5, 4-6-4 or
// 4-4-4-4-3 with one kind of separator (ISO/IEC 7812-1).
func (s *scanner) card(groups []group, i int) int {
	if n := groups[i].len(); n >= minCard && n <= maxCard {
		return s.cardOf(groups, i, 1)
	}
	if groups[i].len() != 4 || len(groups)-i < 3 {
		return 0
	}
	shapes := [...]string{"44443", "4444"}
	if groups[i+1].len() == 6 {
		shapes = [...]string{"465", "464"}
	}
	for _, shape := range shapes {
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
	number := s.text[groups[i].start:groups[i].end]
	if n > 1 {
		number = s.digitsOf(buf[:0], groups[i:last+1])
	}
	sure := issued(number)
	if sure == 0 || !luhn(number) {
		return 0
	}
	h := s.hintsBefore(groups[i].start)
	if h&hintCard == 0 && (sure < certain || h&hintID != 0 && n == 1 || s.isMember(groups, i, n)) {
		return 0
	}
	s.found(creditCard, groups[i].start, groups[last].end)
	return n
}

// unionPay begins the only cards of 19 digits that are common.
const unionPay = "62"

// isMember reports whether a number is one of a series, or a part of something
// longer: such pass for cards by chance.
func (s *scanner) isMember(groups []group, i, n int) bool {
	start := groups[i].start
	if n == 1 {
		if groups[i].len() == maxCard && string(s.text[start:start+2]) != unionPay { // any 64-bit number
			return true
		}
		switch c := s.before(start); c {
		case '-', '+': // a signed number, or the end of a name
			return true
		case '/', '=': // of a path; of a query only beside a name that says so
			return start > 1 && (isLetter(s.text[start-2]) || s.text[start-2] == '-')
		}
		return false
	}
	return s.afterCode(start) || s.ascends(groups[i:i+n])
}

// ascends reports whether groups count up in small steps.
func (s *scanner) ascends(groups []group) bool {
	const step = 64
	last := -1
	for _, g := range groups {
		v := 0
		for _, c := range s.text[g.start:g.end] {
			v = v*10 + int(c-'0')
		}
		if last >= 0 && (v <= last || v > last+step) {
			return false
		}
		last = v
	}
	return true
}

// afterCode reports whether four hexadecimal digits, of which not all are
// decimal, stand right before start: it is cut out of a table.
func (s *scanner) afterCode(start int) bool {
	const size = 4
	p := start - 1 - size
	if p < 0 || s.text[start-1] != ' ' || p > 0 && isWordByte(s.text[p-1]) {
		return false
	}
	return run(s.text[p:], setHex, size) == size && run(s.text[p:], setDigit, size) < size
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
	prefix := 0
	for _, c := range number[:4] {
		prefix = prefix*10 + int(c-'0')
	}
	length := uint8(1) << (len(number) - minCard)
	switch r := &issuers[prefix]; {
	case r.certain&length != 0:
		return certain
	case r.possible&length != 0:
		return possible
	}
	return 0
}

// issuer tells how long the numbers of one issuer are: a bit for each length
// from minCard on.
type issuer struct{ certain, possible uint8 }

// issuers has them by the first four digits.
var issuers = makeIssuers()

func makeIssuers() (table [10000]issuer) {
	for _, r := range issuerRanges() {
		low, high := r.low, r.high
		for low < 1000 {
			low, high = low*10, high*10+9
		}
		for p := low; p <= high; p++ {
			table[p] = issuer{certain: lengthBits(r.certain), possible: lengthBits(r.possible)}
		}
	}
	return table
}

func lengthBits(lengths []int) (bits uint8) {
	for _, n := range lengths {
		bits |= 1 << (n - minCard)
	}
	return bits
}

// issuerRange is a range of first digits.
type issuerRange struct {
	low, high         int
	certain, possible []int // lengths of the numbers
}

// issuerRanges lists them; of two that overlap the later counts.
func issuerRanges() []issuerRange {
	maestro := []int{12, 13, 14, 15, 16, 17, 18, 19}
	long := []int{16, 19}
	out := []issuerRange{
		{34, 34, []int{15}, nil}, {37, 37, []int{15}, nil}, // American Express
		{4, 4, long, []int{13}},                                // Visa
		{51, 55, []int{16}, nil}, {2221, 2720, []int{16}, nil}, // Mastercard
		{35, 35, nil, []int{16}}, {3528, 3589, long, nil}, // JCB
		{2131, 2131, nil, []int{15}}, {1800, 1800, nil, []int{15}},
		{50, 50, nil, maestro}, {56, 69, nil, maestro}, // Maestro and national schemes
		{62, 62, long, []int{17, 18}},              // UnionPay
		{2200, 2204, []int{16}, []int{17, 18, 19}}, // Mir
	}
	for _, p := range []int{300, 301, 302, 303, 304, 305, 3095, 36, 38, 39} { // Diners Club
		out = append(out, issuerRange{p, p, []int{14}, long})
	}
	for _, p := range []int{6011, 644, 645, 646, 647, 648, 649, 65} { // Discover
		out = append(out, issuerRange{p, p, long, nil})
	}
	for _, p := range []int{5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763} { // Maestro
		out = append(out, issuerRange{p, p, long, maestro})
	}
	return out
}
