package mask

import "strings"

// account checks for an IBAN (ISO 13616-1) whose country code stands at p: in
// one piece or in groups of four, all capitals or all small.
func (s *scanner) account(p int) {
	if s.closed(p) {
		return
	}
	size := ibanLength(s.text[p], s.text[p+1])
	if size == 0 || len(s.text)-p < size && !s.onlySpots {
		return
	}
	if s.onlySpots {
		s.spot(p, p+4)
		return
	}
	if c := s.before(p); isWordByte(c) && c < 0x80 && !s.escaped(p) {
		return
	}
	end := s.ibanEnd(p, size)
	if end == 0 || end < len(s.text) && (isWordByte(s.text[end]) && s.text[end] < 0x80) {
		return
	}
	s.found(iban, p, end)
}

// ibanEnd reads size letters and digits and checks them (ISO/IEC 7064,
// MOD 97-10: the first four characters last, letters as 10 to 35).
func (s *scanner) ibanEnd(p, size int) int {
	small := s.text[p] >= 'a'
	head, rest, n := 0, 0, 0
	for n < size {
		if n > 0 && n%4 == 0 && p < len(s.text) && !isWordByte(s.text[p]) || n > 0 && n%4 == 0 && p+1 < len(s.text) && s.text[p] == 0xc2 {
			kind, width := separatorAt(s.text[p:])
			if width == 0 || kind != ' ' && kind != '-' {
				return 0
			}
			p += width
		}
		if p >= len(s.text) {
			return 0
		}
		v, shift, ok := ibanDigit(s.text[p], small)
		if !ok {
			return 0
		}
		if n < 4 {
			head = (head*shift + v) % 97
		} else {
			rest = (rest*shift + v) % 97
		}
		n, p = n+1, p+1
	}
	// Both letters of the country and both check digits: six digits more.
	if (rest*1_000_000+head)%97 != 1 {
		return 0
	}
	return p
}

func ibanDigit(c byte, small bool) (value, shift int, ok bool) {
	switch {
	case isDigit(c):
		return int(c - '0'), 10, true
	case !small && c-'A' < 26:
		return int(c-'A') + 10, 100, true
	case small && c-'a' < 26:
		return int(c-'a') + 10, 100, true
	}
	return 0, 0, false
}

// ibanCountries lists countries by the length of their IBANs (SWIFT IBAN
// registry).
func ibanCountries() map[uint8]string {
	return map[uint8]string{
		15: "no", 16: "be", 18: "dk fo fi gl nl sd fk", 19: "mk si", 20: "at ba ee kz lt lu xk mn",
		21: "hr lv li ch", 22: "bg bh cr ge de ie me rs gb va", 23: "gi il iq tl ae om so",
		24: "ad cz md pk ro sa sk es se tn vg", 25: "pt st ly", 26: "is tr", 27: "fr gr it mr mc sm bi dj",
		28: "al az by cy do gt hu lb pl sv ni", 29: "br eg ps qa ua", 30: "jo kw mu ye", 31: "mt sc",
		32: "lc", 33: "ru",
	}
}

// ibanLengths holds them by country: both letters, five bits each.
var ibanLengths = makeIBANLengths()

func makeIBANLengths() (lengths [1 << 10]uint8) {
	for size, countries := range ibanCountries() {
		for _, c := range strings.Fields(countries) {
			lengths[int(c[0]&0x1f)<<5|int(c[1]&0x1f)] = size
		}
	}
	return lengths
}

// ibanLength gives the length of an IBAN by the letters of its country, 0 for
// no such country.
func ibanLength(a, b byte) int { return int(ibanLengths[int(a&0x1f)<<5|int(b&0x1f)]) }
